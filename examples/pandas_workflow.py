"""Learn how to go from a DataFrame to a DataFrame: predictions and their certainty as columns.

python examples/pandas_workflow.py [rows of each library, 150 by default] [epochs]
"""

import sys

import pandas as pd

from sktransformers import BertClassifier
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 150
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else "auto"
docs = load_docstrings(["pandas", "python", "torch"], max_rows=max_rows, mask=True)
docs["text"] = docs["text"].str.split().str[:30].str.join(" ")

# Pretend that only every other row has been labelled so far.
labelled, open_rows = docs[::2], docs[1::2].copy()

# A one-column frame sets feature_names_in_: later, a frame with other columns is refused.
clf = BertClassifier(max_epochs=max_epochs, class_weight="balanced", random_state=0, verbose=1)
clf.fit(labelled[["text"]], labelled["library"])

probabilities = pd.DataFrame(
    clf.predict_proba(open_rows[["text"]]), index=open_rows.index, columns=clf.classes_
)
open_rows["predicted"] = probabilities.idxmax(axis=1)
open_rows["certainty"] = probabilities.max(axis=1)

right = open_rows["predicted"] == open_rows["library"]
print(f"accuracy: {right.mean():.3f}")
print("\naccuracy by certainty:")
bins = pd.cut(open_rows["certainty"], [0, 0.5, 0.7, 0.9, 1.0])
print(right.groupby(bins, observed=True).agg(["mean", "size"]).round(3).to_string())

print("\nlabel these next:")
least = open_rows.nsmallest(5, "certainty")
print(least[["predicted", "certainty", "text"]].to_string(index=False, max_colwidth=60))
