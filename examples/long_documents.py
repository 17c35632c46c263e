"""Learn how to read long texts whole: as overlapping windows, not cut at what the model can take.

python examples/long_documents.py [documents of each library, 40 by default] [epochs]
"""

import sys
import warnings

from sklearn.model_selection import train_test_split

from sktransformers import BertClassifier
from sktransformers.datasets import load_docstrings
from sktransformers.exceptions import TruncationWarning

n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 40
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 5

# A document is what many functions of one library say of themselves, names and giveaways masked.
docs = load_docstrings(["numpy", "pandas", "sklearn"], mask=True).sample(frac=1, random_state=0)
docs["words"] = docs.groupby("library")["text"].transform(
    lambda texts: texts.str.split().str.len().cumsum()
)
docs["document"] = docs["words"] // 250
docs = docs.groupby(["library", "document"])["text"].agg(" ".join).reset_index()
docs = docs[docs["document"].between(1, n_documents)]
train, test = train_test_split(docs, stratify=docs["library"], random_state=0)
print(f"{len(docs)} documents of {docs['text'].str.split().str.len().mean():.0f} words on average")

# What is cut is told once, with number and share. Here it is meant, so it is silenced.
cut = BertClassifier(max_length=64, max_epochs=max_epochs, random_state=0, verbose=1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", TruncationWarning)
    cut.fit(train["text"], train["library"])
    print(f"the first 64 tokens: accuracy {cut.score(test['text'], test['library']):.3f}")

# With a stride nothing is cut: windows of 64 tokens that overlap by 16, their logits averaged. A
# long document weighs no more than a short one.
windows = BertClassifier(max_length=64, stride=16, max_epochs=max_epochs, random_state=0, verbose=1)
windows.fit(train["text"], train["library"])
print(f"all of it, in windows: accuracy {windows.score(test['text'], test['library']):.3f}")
