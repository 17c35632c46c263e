"""Vectors and hidden words on public sets: a section of benchmarks/quality.md.

    SKT_DATA=folder python benchmarks/quality_vectors.py                  # everything
    SKT_DATA=folder python benchmarks/quality_vectors.py --only simcse    # one, printed

The folder holds one folder a set: trec, banking77 (``text, label``) and stsb (``text_a, text_b,
label``), with train.csv and test.csv. The other texts are docstrings.
"""

import os
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sections import measure_and_write
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

TITLE = "Vectors and hidden words"
DRAWS = 5
STRENGTHS = {"logisticregression__C": [0.3, 1, 3, 10, 30, 100]}


def read(name, part):
    path = Path(os.environ["SKT_DATA"]) / name / f"{part}.csv"
    return pd.read_csv(path, keep_default_na=False)


def docstrings(**params):
    from sktransformers.datasets import load_docstrings

    return load_docstrings(**params).sample(frac=1, random_state=0)["text"].tolist()


def same_vectors():
    """BertEmbedder beside SentenceTransformer.encode, on 2,000 docstrings."""
    from sentence_transformers import SentenceTransformer

    from sktransformers import BertEmbedder
    from sktransformers.hub import DEFAULT_ENCODER, locate

    texts = docstrings()[:2000]
    theirs = SentenceTransformer(str(locate(DEFAULT_ENCODER)[0]), device="cpu").encode(texts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both cut at 256 tokens
        ours = BertEmbedder(precision="float32", device="cpu").fit_transform(texts)
        fast = BertEmbedder().fit_transform(texts)
    return {
        "largest difference in float32": np.abs(ours - theirs).max(),
        "smallest cosine with precision='auto'": (fast * theirs).sum(axis=1).min(),
    }


def pipelines():
    """Vectors and LogisticRegression, C found by GridSearchCV over the pipeline."""
    from sktransformers import BertEmbedder

    found = {}
    for name in ("trec", "banking77"):
        train, test = read(name, "train"), read(name, "test")
        pipe = make_pipeline(BertEmbedder(), LogisticRegression(max_iter=2000))
        search = GridSearchCV(pipe, STRENGTHS, cv=3).fit(train["text"], train["label"])
        found[name] = search.score(test["text"], test["label"])
    return found


def contrastive():
    """8 texts of each class of banking77, and LogisticRegression(C=100) on the vectors; 5 draws."""
    from sktransformers import BertEmbedder

    train, test = read("banking77", "train"), read("banking77", "test")
    scores = {"frozen": [], "contrastive": []}
    for draw in range(DRAWS):
        few = train.groupby("label").sample(8, random_state=draw)
        for name, objective in (("frozen", None), ("contrastive", "contrastive")):
            embedder = BertEmbedder(objective=objective, random_state=0)
            vectors = embedder.fit(few["text"], few["label"]).transform(few["text"])
            head = LogisticRegression(C=100, max_iter=2000).fit(vectors, few["label"])
            scores[name].append(head.score(embedder.transform(test["text"]), test["label"]))
    difference = np.subtract(scores["contrastive"], scores["frozen"])
    return {
        **{name: np.mean(values) for name, values in scores.items()},
        "standard error of the difference": difference.std(ddof=1) / DRAWS**0.5,
    }


def simcse():
    """Spearman of cosines on stsb's test set; trained on its training sentences, unlabelled."""
    from sktransformers import BertEmbedder

    train, test = read("stsb", "train"), read("stsb", "test")
    sentences = pd.unique(pd.concat([train["text_a"], train["text_b"]]))
    found = {}
    for name, objective in (("frozen", None), ("simcse", "simcse")):
        embedder = BertEmbedder(objective=objective, random_state=0).fit(sentences)
        one, other = (embedder.transform(test[c]) for c in ("text_a", "text_b"))
        found[name] = spearmanr((one * other).sum(axis=1), test["label"].astype(float))[0]
    return found


def adapted():
    """Cross-entropy of hidden tokens of unseen docstrings, MiniLM on 2,000 rows at 5e-4, in nats."""
    from sktransformers import BertMaskedLM

    texts = docstrings()
    train, held = texts[:2000], texts[2000:2400]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the head that it lacks
        mlm = BertMaskedLM(learning_rate=5e-4, random_state=0, max_epochs=3).fit(train)
        before = BertMaskedLM(random_state=0, max_epochs=0).fit(train)
    counts = Counter(i for ids in mlm.tokenizer_(train, add_special_tokens=False)["input_ids"] for i in ids)  # fmt: skip
    total, size = sum(counts.values()), len(mlm.tokenizer_)
    unseen = [i for ids in mlm.tokenizer_(held, add_special_tokens=False)["input_ids"] for i in ids]
    unigram = -np.mean([np.log((counts[i] + 1) / (total + size)) for i in unseen])
    return {"unigram": unigram, "before": -before.score(held), "after 3 epochs": -mlm.score(held)}


def from_nothing():
    """A BERT of 2 layers from nothing on docstrings: top-1 on hidden words, and next sentences."""
    from transformers import BertConfig

    from sktransformers import BertMaskedLM

    documents = [re.split(r"(?<=[.!?])\s+", text) for text in docstrings()]
    documents = [document for document in documents if len(document) > 1]
    train, held = documents[:8000], documents[8000:8600]
    config = BertConfig(
        vocab_size=4000,
        hidden_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=1024,
        max_position_embeddings=128,
        hidden_dropout_prob=0.0,  # the texts are many for so few weights
        attention_probs_dropout_prob=0.0,
    )
    mlm = BertMaskedLM(
        config,
        next_sentence=True,
        learning_rate=7e-4,
        batch_size=16,
        max_epochs=10,
        random_state=0,
    ).fit(train)
    rng = np.random.default_rng(0)
    words = Counter(w for document in train for s in document for w in s.lower().split())
    usual, right, guessed, texts, truth = words.most_common(1)[0][0], 0, 0, [], []
    for document in held:
        parts = document[0].lower().split()[:30]
        place = rng.integers(len(parts))
        if parts[place].isalpha():
            truth.append(parts[place])
            texts.append(" ".join([*parts[:place], "[MASK]", *parts[place + 1 :]]))
    tokens = mlm.fill_mask(texts, top_k=1)["token"]
    right = np.mean(tokens.to_numpy() == np.array(truth))
    guessed = np.mean([word == usual for word in truth])
    near = [(d[0], d[1]) for d in held]
    far = [(d[0], held[i - 7][-1]) for i, d in enumerate(held)]
    p = mlm.next_sentence_proba(near + far)
    accuracy = np.mean((p > 0.5) == np.r_[np.ones(len(near)), np.zeros(len(far))])
    return {"top-1": right, "most frequent word": guessed, "next sentence": accuracy}


if __name__ == "__main__":
    measure_and_write(
        __file__, TITLE, (same_vectors, pipelines, contrastive, simcse, adapted, from_nothing)
    )
