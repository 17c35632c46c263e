"""Learn how to train a BERT from nothing on your own texts, and to start a classifier from it.

python examples/pretraining.py [texts of each library, 1000 by default] [epochs]
"""

import re
import sys
import tempfile

import pandas as pd
from sklearn.model_selection import train_test_split
from transformers import BertConfig

from sktransformers import BertClassifier, BertMaskedLM
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 12
docs = load_docstrings(["numpy", "sklearn", "torch"], max_rows=max_rows, mask=True)

# Documents are lists of sentences: both of BERT's objectives can learn from them. The vocabulary
# is learnt on them too.
documents = [re.split(r"(?<=[.!?])\s+", text) for text in docs["text"]]
config = BertConfig(
    vocab_size=4000,
    hidden_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=512,
    max_position_embeddings=512,
)
mlm = BertMaskedLM(
    config,
    next_sentence=True,
    learning_rate=1e-3,
    max_epochs=max_epochs,
    random_state=0,
    verbose=1,
).fit(documents)
print(mlm.history_[["train_loss", "seconds"]].round(2).to_string())
print(mlm.fill_mask(["Return the [MASK] of the array."], top_k=3).round(3).to_string())

# Few labels, many texts: the usual case. Both start from the same layers, one of them trained.
train, test = train_test_split(docs, test_size=0.5, stratify=docs["library"], random_state=0)
few = train.groupby("library").sample(min(50, max_rows // 3), random_state=0)
rows = {}
with tempfile.TemporaryDirectory() as folder:
    mlm.save(folder)
    for name, start in (("from nothing", config), ("after pre-training", folder)):
        clf = BertClassifier(
            start, learning_rate=3e-4, max_epochs=max_epochs, max_length=128, stride=16,
            random_state=0, verbose=1,
        )  # fmt: skip
        clf.fit(few["text"], few["library"])
        rows[name] = {"accuracy": clf.score(test["text"], test["library"])}
print(pd.DataFrame(rows).T.round(3).to_string())
