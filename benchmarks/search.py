"""GridSearchCV of 12 candidates, 3 folds, 3 epochs: frozen layers computed once, or each time.

python benchmarks/search.py [--rounds 1]
"""

import tempfile
import time
import warnings

from rounds import compete
from rows import reviews

GRID = {"learning_rate": [1e-4, 3e-4, 1e-3, 3e-3], "weight_decay": [0.0, 0.01, 0.1]}
warnings.simplefilter("ignore")


def of_search(freeze, n_rows, *, keeps):
    def run(seed):
        from sklearn.model_selection import GridSearchCV

        from sktransformers import BertClassifier
        from sktransformers.engine import states

        BertClassifier(max_epochs=1).fit(["a", "b"], [0, 1])  # imports all that is needed
        texts, labels, *_ = reviews(n_rows)
        with tempfile.TemporaryDirectory() as folder:
            if not keeps:
                states._split = lambda *args: None  # as if there were nothing to keep
            model = BertClassifier(
                max_epochs=3, freeze=freeze, memory=folder if keeps else None, random_state=seed
            )
            search = GridSearchCV(model, GRID, cv=3, refit=False)
            start = time.perf_counter()
            search.fit(texts, labels)
            seconds = time.perf_counter() - start
        return {"seconds": seconds, "best score": search.best_score_}

    return run


def describe():
    return f"Texts of mixed length, MiniLM, {4 * 3} candidates x 3 folds x 3 epochs."


CONTENDERS = {
    f"freeze={freeze!r}, {n_rows:,} texts, {name}": of_search(freeze, n_rows, keeps=keeps)
    for freeze, n_rows in (("backbone", 1500), (4, 400))
    for name, keeps in (("memory=", True), ("every forward pass", False))
}

OURS = {name: name.rpartition(", ")[0] + ", memory=" for name in CONTENDERS}

if __name__ == "__main__":
    compete(__file__, CONTENDERS, ours=OURS, n_rounds=1, describe=describe)
