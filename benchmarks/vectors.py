"""Vectors of 5,000 texts of mixed length, beside ``SentenceTransformer.encode``.

python benchmarks/vectors.py [--rounds 5]
"""

import time
import warnings

import numpy as np
from rounds import compete
from rows import reviews

N_ROWS = 5000
warnings.simplefilter("ignore")


def texts():
    return reviews(N_ROWS)[0]


def of_library(precision):
    def run(seed):
        from sktransformers import BertEmbedder

        rows = texts()
        embedder = BertEmbedder(precision=precision).fit(rows[:1])
        embedder.transform(rows[:64])
        start = time.perf_counter()
        vectors = embedder.transform(rows)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "texts a second": N_ROWS / seconds, **alike(vectors, rows)}

    return run


def alike(vectors, rows):
    """The smallest cosine with what sentence-transformers gives, over 500 rows."""
    theirs = peer().encode(rows[:500])
    return {"1 - smallest cosine": 1 - (vectors[:500] * theirs).sum(axis=1).min()}


def peer():
    from sentence_transformers import SentenceTransformer

    from sktransformers.hub import DEFAULT_ENCODER, locate

    return SentenceTransformer(str(locate(DEFAULT_ENCODER)[0]))


def of_peer(seed):
    rows, model = texts(), peer()
    model.encode(rows[:64])
    start = time.perf_counter()
    model.encode(rows)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "texts a second": N_ROWS / seconds}


def describe():
    words = np.array([len(text.split()) for text in texts()])
    return (
        f"{N_ROWS:,} texts of {words.min()} to {words.max()} words, MiniLM, all at their defaults."
    )


CONTENDERS = {
    "BertEmbedder": of_library("auto"),
    "BertEmbedder(precision='float32')": of_library("float32"),
    "SentenceTransformer.encode": of_peer,
}

if __name__ == "__main__":
    compete(__file__, CONTENDERS, ours="BertEmbedder", n_rounds=5, describe=describe)
