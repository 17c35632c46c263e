"""Validation rows, seen with the estimator's own eyes after each epoch."""

import numpy as np
import torch
from sklearn.metrics import check_scoring

from .infer import batch_loss, infer

__all__ = ["validator"]

_ROWS = 32  # of a validation batch


def validator(estimator, task, rows, data):
    """Make the function that scores a model in training.

    The rows go through the model once an epoch; loss and score both come from those outputs.

    Parameters
    ----------
    estimator : TransformerEstimator
        With the attributes that its verbs need; ``scoring`` says what to compute.
    task : Task
    rows : Rows
    data : TrainingData
        The same rows, tokenised.

    Returns
    -------
    callable
        Of the model in eval mode: validation loss and score, larger is better. ``data`` is its
        attribute.
    """
    given = rows.texts.as_list()
    score = _scorer(estimator, given, rows)
    if not data.has_row_outputs:

        def validate(model):
            return _of_language(model, estimator, task, data, score)

        validate.data = data
        return validate

    labels, weights = task.collate(data.row_targets), torch.from_numpy(data.row_weights)

    def validate(model):
        settings = {"precision": estimator._precision, "pad_id": data.pad_id}
        outputs = infer(model, task, data.examples, sparing=False, **settings)
        values = np.asarray(outputs)
        if not np.isfinite(values).all():
            raise FloatingPointError(
                "The model's outputs must stay finite, but those of the validation rows are not. "
                "Use a smaller learning_rate, or precision='float32'."
            )
        loss = float(task.loss(torch.from_numpy(values), labels, weights))
        if score is None:
            return loss, -loss
        # An estimator that has already seen these rows: its verbs start from their outputs.
        seen = _copy(estimator)
        seen._outputs = lambda X: outputs if X is given else type(seen)._outputs(seen, X)
        try:
            return loss, float(score(seen))
        finally:
            vars(seen).pop("_outputs", None)  # a cycle of references, which would keep the model

    validate.data = data
    return validate


def _copy(estimator):
    seen = object.__new__(type(estimator))
    vars(seen).update(vars(estimator))
    return seen


def _of_language(model, estimator, task, data, score):
    """Validation loss over batches, the same words hidden each time, and score."""
    data.start_again()
    total = 0.0
    for start in range(0, len(data), _ROWS):
        rows = range(start, min(start + _ROWS, len(data)))
        total += batch_loss(model, task, data, rows, estimator._precision) * len(rows)
    loss = total / len(data)
    return loss, -loss if score is None else float(score(_copy(estimator)))


def _scorer(estimator, X, rows):
    """The score of an estimator on the rows, as ``scoring`` asks for it; None is the loss."""
    weighted = {} if rows.weights is None else {"sample_weight": rows.weights}
    asked = estimator.scoring
    if asked == "loss" or (asked is None and not hasattr(estimator, "score")):
        return None
    if asked is None:
        return lambda seen: seen.score(X, rows.y, **weighted)
    if callable(asked) and not hasattr(asked, "_score_func"):
        weighted = {}  # a function of the user's takes estimator, X and y alone
    scorer = check_scoring(estimator, asked)
    return lambda seen: scorer(seen, X, rows.y, **weighted)
