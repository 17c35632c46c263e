"""Which library is this documentation of? Fine-tune BERT on real text and compare.

The texts are the first words of docstrings, with the libraries' names and giveaways masked.

    python examples/demo.py [rows of each library, 400 by default] [epochs]
"""

import platform
import sys
import time

import pandas as pd
import sklearn
import torch
import transformers
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

import sktransformers
from sktransformers import BertClassifier
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 400
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else "auto"
print("Reading the docstrings of numpy, pandas, Python, scikit-learn and torch ...")
docs = load_docstrings(max_rows=max_rows, mask=True)
docs["text"] = docs["text"].str.split().str[:30].str.join(" ")
train, test = train_test_split(docs, test_size=0.25, stratify=docs["library"], random_state=0)
print(f"{len(train)} texts to learn from, {len(test)} to test on. For example:")
print(train[["library", "text"]].head(3).to_string(index=False, max_colwidth=90))

models = {
    "TF-IDF + LogisticRegression": make_pipeline(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)),
        LogisticRegression(C=10, max_iter=1000),
    ),
    "BertClassifier": BertClassifier(max_epochs=max_epochs, random_state=0, verbose=1),
}
rows = {}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(train["text"], train["library"])
    fitted = time.perf_counter()
    predicted = model.predict(test["text"])
    rows[name] = {
        "accuracy": accuracy_score(test["library"], predicted),
        "macro F1": f1_score(test["library"], predicted, average="macro"),
        "fit, s": fitted - start,
        "predict, s": time.perf_counter() - fitted,
    }

print("\nBertClassifier, library by library:")
print(classification_report(test["library"], predicted, digits=3))
print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))
libraries = [sktransformers, torch, transformers, sklearn]
versions = ", ".join(f"{library.__name__} {library.__version__}" for library in libraries)
print(f"\n{versions}, Python {platform.python_version()}, device {model.device_}")
