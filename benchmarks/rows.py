"""Rows for the benchmarks of time: public reviews in the folder SKT_DATA, else docstrings."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd


def reviews(n_rows, seed=0):
    """Texts of 1 to some 150 words, labels, and short texts to test on.

    With the folder sst2 (``text, label``) in SKT_DATA each text is 1 to 8 of its sentences of one
    label; else they are the first words of docstrings, and the labels their libraries.
    """
    rng = np.random.default_rng(seed)
    folder = Path(os.environ.get("SKT_DATA", "")) / "sst2"
    if not (folder / "train.csv").exists():
        return _docstrings(n_rows, rng)
    train, test = (
        pd.read_csv(folder / f"{p}.csv", keep_default_na=False) for p in ("train", "test")
    )
    of = {label: rows["text"].to_numpy() for label, rows in train.groupby("label")}
    labels = rng.choice(list(of), n_rows)
    sizes = np.exp(rng.uniform(0, np.log(9), n_rows)).astype(int)
    texts = [" ".join(rng.choice(of[label], size)) for label, size in zip(labels, sizes)]
    return texts, labels.tolist(), test["text"].tolist(), test["label"].tolist()


def _docstrings(n_rows, rng):
    from sktransformers.datasets import load_docstrings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = load_docstrings(mask=True).sample(frac=1, random_state=0)
    sizes = np.exp(rng.uniform(0, np.log(150), len(rows))).astype(int) + 1
    texts = [" ".join(text.split()[:size]) for text, size in zip(rows["text"], sizes)]
    labels = rows["library"].tolist()
    return (
        texts[:n_rows],
        labels[:n_rows],
        texts[n_rows : n_rows + 1000],
        labels[n_rows : n_rows + 1000],
    )
