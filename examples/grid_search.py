"""Learn how to search: the classifier as the last step of a Pipeline, in a GridSearchCV.

python examples/grid_search.py [rows of each library, 100 by default]
"""

import sys

import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransformers import BertClassifier
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100
docs = load_docstrings(["numpy", "pandas"], max_rows=max_rows, mask=True)


def first_words(texts, n=20):
    """Keep the start of each text."""
    return texts.str.split().str[:n].str.join(" ")


pipe = Pipeline(
    [
        ("shorten", FunctionTransformer(first_words)),
        ("bert", BertClassifier(max_epochs=2, random_state=0)),
    ]
)
search = GridSearchCV(
    pipe,
    {"bert__learning_rate": [1e-4, 3e-4], "bert__freeze": [None, 3]},
    cv=3,
    # n_jobs=2 works too, and pays where a fit leaves cores idle.
)
search.fit(docs["text"], docs["library"])

results = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
columns = [c for c in results if c.startswith("param_")]
columns += ["mean_test_score", "std_test_score", "mean_fit_time"]
print(results[columns].round(3).to_string())
print("best:", search.best_params_)

# A Pipeline forwards predict and score; what else the estimator can do is at its end.
print(search.best_estimator_[-1].history_["train_loss"].round(3).to_list())
