"""Learn how to put texts, numbers and categories into one model: vectors in a ColumnTransformer.

python examples/text_and_numbers.py [texts of each library, 300 by default]
"""

import sys

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktransformers import BertEmbedder
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300
docs = load_docstrings(["numpy", "pandas", "torch"], max_rows=max_rows, mask=True)

# A table like that of a shop: a text, numbers and a category for each row.
docs["words"] = docs["text"].str.split().str.len()
docs["depth"] = docs["name"].str.count(r"\.")
docs["is_private"] = docs["name"].str.contains(r"\._").map({True: "private", False: "public"})
docs["start"] = docs["text"].str.split().str[:30].str.join(" ")
y = docs["library"]

numbers = ("numbers", StandardScaler(), ["words", "depth"])
kinds = ("kinds", OneHotEncoder(), ["is_private"])
text = ("text", BertEmbedder(), "start")

# The encoder is loaded once a fold and trained on nothing: it has seen no label of any fold.
for name, columns, head in (
    ("numbers and kinds", [numbers, kinds], HistGradientBoostingClassifier(random_state=0)),
    ("text", [text], LogisticRegression(C=10, max_iter=1000)),
    ("all of them", [text, numbers, kinds], LogisticRegression(C=10, max_iter=1000)),
):
    scores = cross_val_score(make_pipeline(ColumnTransformer(columns), head), docs, y, cv=3)
    print(f"{name:18} {scores.mean():.3f} ± {scores.std():.3f}")

# Frames come out named, ready for any tool that takes them.
table = ColumnTransformer([text, numbers], verbose_feature_names_out=False)
print(table.set_output(transform="pandas").fit_transform(docs[:5]).iloc[:, -4:].round(3))
