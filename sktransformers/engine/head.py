"""Where a new head starts from."""

import numpy as np
import torch

from .device import output_layer
from .infer import features

__all__ = ["start_head"]

# Distinct rows that a head is started from: more of them change little and cost a forward pass.
_ROWS = 1000
_ROWS_PER_CLASS = 10


def start_head(model, task, data, precision):
    """Set the output layer to what the task makes of the untrained encoder's features.

    Parameters
    ----------
    model : PreTrainedModel
        Pretrained, with a head drawn at random. Changed in place.
    task : Task
    data : TrainingData
    precision : str
    """
    rows, merged = _distinct(data)
    most = max(_ROWS, _ROWS_PER_CLASS * len(np.unique(data.targets)))
    if len(rows) > most:
        kept = np.sort(np.random.RandomState(0).permutation(len(rows))[:most])
        rows, merged = rows[kept], merged[kept]
    seen = features(model, task, data.examples.take(rows), precision=precision, pad_id=data.pad_id)
    head = task.initial_head(seen, data.targets[rows], merged)
    if head is None:
        return
    layer = output_layer(model)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head[0]))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(head[1]))


def _distinct(data):
    """One row for each text and target, with the sum of its weights, in an order of its own.

    A row given twice then counts as one of weight 2, wherever it stands, and does not sit on
    both sides of a fold.
    """
    groups = {}
    for row in range(len(data)):
        key = (data.examples[row].tobytes(), int(data.targets[row]))
        groups.setdefault(key, []).append(row)
    groups = [groups[key] for key in sorted(groups)]
    merged = np.array([data.weights[group].sum() for group in groups])
    return np.array([group[0] for group in groups]), merged
