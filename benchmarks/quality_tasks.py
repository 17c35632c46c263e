"""Accuracy of the defaults beyond one class for one text: a section of benchmarks/quality.md.

Pairs, numbers, several labels a text, long texts, rows that come in parts.

    SKT_DATA=folder python benchmarks/quality_tasks.py               # everything, into quality.md
    SKT_DATA=folder python benchmarks/quality_tasks.py --only stsb   # one measurement, printed

The folder holds one folder a set: stsb, rte (``text_a, text_b, label``), goemotions (``text,
labels``, the labels joined by a bar), sst2, rt_polarity (``text, label``) and womens_clothing
(``review_text, rating``).
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, spearmanr
from sections import measure_and_write
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

TITLE = "Pairs, numbers, several labels, long texts, rows in parts"


def read(name, part):
    path = Path(os.environ["SKT_DATA"]) / name / f"{part}.csv"
    return pd.read_csv(path, keep_default_na=False)


def words():
    return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))


def stsb():
    """Similarity of two sentences, 0 to 5."""
    from sktransformers import BertRegressor

    train, test = read("stsb", "train"), read("stsb", "test")
    columns = ["text_a", "text_b"]
    model = BertRegressor(random_state=0).fit(train[columns], train["label"].astype(float))
    scores, truth = model.predict(test[columns]), test["label"].astype(float)
    return {"Pearson": pearsonr(scores, truth)[0], "Spearman": spearmanr(scores, truth)[0]}


def rte():
    """Does the second sentence follow from the first?"""
    from sktransformers import BertClassifier

    train, test = read("rte", "train"), read("rte", "dev")
    columns = ["text_a", "text_b"]
    model = BertClassifier(random_state=0).fit(train[columns], train["label"])
    majority = (test["label"] == train["label"].mode()[0]).mean()
    return {"BertClassifier": model.score(test[columns], test["label"]), "majority": majority}


def goemotions():
    """28 emotions, any number a text; 10,000 training rows; the threshold is 0.5."""
    from sktransformers import BertClassifier

    train, test = read("goemotions", "train"), read("goemotions", "test")
    train = train.sample(10_000, random_state=0)
    labels = MultiLabelBinarizer()
    y = pd.DataFrame(labels.fit_transform(train["labels"].str.split("|")), columns=labels.classes_)
    truth = labels.transform(test["labels"].str.split("|"))
    baseline = make_pipeline(
        words(), OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000))
    ).fit(train["text"], y.to_numpy())
    model = BertClassifier(random_state=0).fit(train["text"], y)
    return {
        "BertClassifier": f1_score(truth, model.predict(test["text"]), average="micro"),
        "TF-IDF + LR": f1_score(truth, baseline.predict(test["text"]), average="micro"),
    }


def documents():
    """Does a document of 36 review sentences praise or blame? Two thirds of them tell."""
    from sktransformers import BertClassifier

    reviews = read("rt_polarity", "all")
    labels = sorted(reviews["label"].unique())
    train, test = train_test_split(reviews, test_size=0.3, random_state=0)
    (X, y), (X_test, y_test) = (
        _documents(part, labels, n, seed) for part, n, seed in ((train, 240, 0), (test, 160, 1))
    )
    found = {"words a document": np.mean([len(text.split()) for text in X])}
    for name, params in (
        ("cut to 128 tokens", {"max_length": 128}),
        ("windows of 128", {"max_length": 128, "stride": 32}),
    ):
        model = BertClassifier(random_state=0, **params).fit(X, y)
        found[name] = model.score(X_test, y_test)
    return found


def _documents(sentences, labels, n_documents, seed):
    rng = np.random.RandomState(seed)
    of = {label: sentences.loc[sentences["label"] == label, "text"].to_numpy() for label in labels}
    texts, y = [], []
    for _ in range(n_documents):
        label = rng.randint(2)
        parts = [*rng.choice(of[labels[label]], 24), *rng.choice(of[labels[1 - label]], 12)]
        texts.append(" ".join(rng.permutation(parts)))
        y.append(labels[label])
    return texts, y


def parts():
    """One pass over sst2: chunks of 500 shuffled rows by partial_fit, and fit with one epoch."""
    from sktransformers import BertClassifier

    train, test = read("sst2", "train").sample(frac=1, random_state=0), read("sst2", "test")
    stream = BertClassifier(random_state=0)
    for start in range(0, len(train), 500):
        part = train[start : start + 500]
        stream.partial_fit(part["text"], part["label"], classes=np.unique(train["label"]))
    whole = BertClassifier(max_epochs=1, random_state=0).fit(train["text"], train["label"])
    return {
        "partial_fit": stream.score(test["text"], test["label"]),
        "fit, one epoch": whole.score(test["text"], test["label"]),
    }


def ratings():
    """Stars of clothing reviews from their text: R², mean of three folds."""
    from sktransformers import BertRegressor

    rows = read("womens_clothing", "all")
    X, y = rows["review_text"].to_numpy(), rows["rating"].to_numpy(float)
    ours, ridge = [], []
    for train, test in KFold(3, shuffle=True, random_state=0).split(X):
        model = BertRegressor(random_state=0).fit(X[train], y[train])
        ours.append(model.score(X[test], y[test]))
        baseline = make_pipeline(words(), RidgeCV(np.logspace(-2, 2, 9))).fit(X[train], y[train])
        ridge.append(r2_score(y[test], baseline.predict(X[test])))
    return {
        "BertRegressor": np.mean(ours),
        "TF-IDF + Ridge": np.mean(ridge),
        "standard error of the difference": np.std(np.subtract(ours, ridge), ddof=1) / 3**0.5,
    }


if __name__ == "__main__":
    measure_and_write(__file__, TITLE, (stsb, rte, goemotions, documents, parts, ratings))
