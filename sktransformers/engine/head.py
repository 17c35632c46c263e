"""Where the head of a pretrained model starts from."""

import numpy as np
import torch

from .device import output_layer
from .infer import features

__all__ = ["start_head"]

# Distinct rows that a head is started from: more of them change little and cost a forward pass.
_ROWS = 1000
_ROWS_PER_CLASS = 10


def start_head(model, task, data, precision):
    """Draw the output layer anew, or set it to what the task makes of the encoder's features.

    Parameters
    ----------
    model : PreTrainedModel
        Changed in place. An output layer that came with it is of another task, even where its
        size fits.
    task : Task
    data : TrainingData
    precision : str
    """
    layer = output_layer(model)
    own = torch.Generator().manual_seed(torch.initial_seed())
    spread = getattr(model.config, "initializer_range", 0.02)
    _set(layer, torch.randn(layer.weight.shape, generator=own) * spread, torch.zeros(1))
    rows, merged = _distinct(data)
    most = max(_ROWS, _ROWS_PER_CLASS * layer.out_features)
    if len(rows) > most:
        kept = np.sort(np.random.RandomState(0).permutation(len(rows))[:most])
        rows, merged = rows[kept], merged[kept]
    seen = features(model, task, data.examples.take(rows), precision=precision, pad_id=data.pad_id)
    head = task.initial_head(seen, data.targets[rows], merged)
    if head is not None:
        _set(layer, torch.from_numpy(head[0]), torch.from_numpy(head[1]))


def _set(layer, weight, bias):
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.copy_(bias)


def _distinct(data):
    """One row for each text and target, with the sum of its weights, in an order of its own.

    A row given twice then counts as one of weight 2, wherever it stands, and does not sit on
    both sides of a fold.
    """
    groups = {}
    for row in range(len(data)):
        key = (data.examples[row].tobytes(), np.asarray(data.targets[row]).tobytes())
        groups.setdefault(key, []).append(row)
    groups = [groups[key] for key in sorted(groups)]
    weights = data.weights if data.weights.ndim == 1 else data.weights.mean(axis=1)
    merged = np.array([weights[group].sum() for group in groups])
    return np.array([group[0] for group in groups]), merged
