"""Vectors and hidden words on public sets: a section of benchmarks/quality.md.

    SKT_DATA=folder python benchmarks/quality_vectors.py                  # everything
    SKT_DATA=folder python benchmarks/quality_vectors.py --only simcse    # one, printed

The folder holds one folder a set: trec, banking77 (``text, label``) and stsb (``text_a, text_b,
label``), with train.csv and test.csv. The other texts are docstrings.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sections import machine, put_section
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
    """8 texts of each class of banking77, and LogisticRegression on the vectors; 5 draws."""
    from sktransformers import BertEmbedder

    train, test = read("banking77", "train"), read("banking77", "test")
    scores = {"frozen": [], "contrastive": []}
    for draw in range(DRAWS):
        few = train.groupby("label").sample(8, random_state=draw)
        for name, objective in (("frozen", None), ("contrastive", "contrastive")):
            embedder = BertEmbedder(objective=objective, random_state=0)
            vectors = embedder.fit(few["text"], few["label"]).transform(few["text"])
            head = LogisticRegression(C=10, max_iter=2000).fit(vectors, few["label"])
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
    """Cross-entropy of hidden tokens of unseen docstrings, from MiniLM on 2,000 rows, in nats."""
    from sktransformers import BertMaskedLM

    texts = docstrings()
    train, held = texts[:2000], texts[2000:2400]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the head that it lacks
        mlm = BertMaskedLM(random_state=0, max_epochs=3).fit(train)
        before = BertMaskedLM(random_state=0, max_epochs=0).fit(train)
    counts = Counter(i for ids in mlm.tokenizer_(train, add_special_tokens=False)["input_ids"] for i in ids)  # fmt: skip
    total, size = sum(counts.values()), len(mlm.tokenizer_)
    unseen = [i for ids in mlm.tokenizer_(held, add_special_tokens=False)["input_ids"] for i in ids]
    unigram = -np.mean([np.log((counts[i] + 1) / (total + size)) for i in unseen])
    return {"unigram": unigram, "before": -before.score(held), "after 3 epochs": -mlm.score(held)}


def from_nothing():
    """A small BERT from nothing on docstrings: top-1 on hidden words, and next sentences."""
    from transformers import BertConfig

    from sktransformers import BertMaskedLM

    documents = [re.split(r"(?<=[.!?])\s+", text) for text in docstrings()]
    documents = [document for document in documents if len(document) > 1]
    train, held = documents[:8000], documents[8000:8600]
    config = BertConfig(
        vocab_size=8000,
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=768,
        max_position_embeddings=128,
    )
    mlm = BertMaskedLM(
        config, next_sentence=True, learning_rate=1e-3, max_epochs=8, random_state=0
    ).fit(train)
    rng = np.random.default_rng(0)
    words = Counter(w for document in train for s in document for w in s.lower().split())
    usual, right, guessed, texts, truth = words.most_common(1)[0][0], 0, 0, [], []
    for document in held:
        parts = document[0].lower().split()[:60]
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


MEASURED = {
    f.__name__: f for f in (same_vectors, pipelines, contrastive, simcse, adapted, from_nothing)
}


def page(results):
    lines = [
        f"Made by `python benchmarks/quality_vectors.py`; the defaults, `random_state=0`. {machine()}",
        "",
        "| measured | what it is | figures | whole run, s |",
        "|---|---|---|---|",
    ]
    for name, function in MEASURED.items():
        found = dict(results[name])
        seconds = found.pop("seconds")
        figures = ", ".join(f"{what} {value:.4g}" for what, value in found.items())
        lines.append(f"| {name} | {function.__doc__.strip()} | {figures} | {seconds:.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MEASURED)
    parser.add_argument("--keep", type=Path, help="results so far: what is in it is not run again")
    options = parser.parse_args()
    if "SKT_DATA" not in os.environ:
        sys.exit("Set SKT_DATA to the folder that holds the sets (see the top of this file).")
    if options.only:
        start = time.perf_counter()
        found = {name: float(value) for name, value in MEASURED[options.only]().items()}
        print(json.dumps({**found, "seconds": round(time.perf_counter() - start, 1)}))
        return
    keep = options.keep
    results = json.loads(keep.read_text()) if keep and keep.exists() else {}
    for name in MEASURED:
        if name not in results:
            command = [sys.executable, __file__, "--only", name]
            line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            print(name, line.strip(), flush=True)
            results[name] = json.loads(line)
            if keep:
                keep.write_text(json.dumps(results))
    put_section(TITLE, page(results))


if __name__ == "__main__":
    main()
