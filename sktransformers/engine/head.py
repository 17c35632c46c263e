"""From a model as it was opened to one that training can start on."""

from dataclasses import replace

import numpy as np
import torch

from .device import output_layer, prepare
from .infer import features, infer

__all__ = ["make_ready", "start_head"]

# Distinct rows that a head is started from: more of them change little and cost a forward pass.
_ROWS = 1000
_ROWS_PER_CLASS = 10


def make_ready(model, task, data, plan, *, head_is_new):
    """Put a model onto its device, settle the precision and start its head.

    Parameters
    ----------
    model : PreTrainedModel
        Changed in place.
    task : Task
    data : TrainingData
    plan : Plan
    head_is_new : bool
        Whether the model is pretrained, and has a head to start.

    Returns
    -------
    Plan
        With float32 where the low precision that the device does best is more than the model can.
    """
    prepare(model, plan.precision, plan.device)
    if plan.may_fall_back:
        try:
            first = data.examples.take([0])
            infer(model, task, first, precision=plan.precision, pad_id=data.pad_id)
        except RuntimeError:  # DeBERTa masks with numbers that bfloat16 cannot hold
            plan = replace(plan, precision="float32", may_fall_back=False)
    if head_is_new:
        start_head(model, task, data, plan.precision)
    return plan


def start_head(model, task, data, precision):
    """Draw a head anew, its output layer from what the task makes of the encoder's features.

    Parameters
    ----------
    model : PreTrainedModel
        Changed in place. A head that came with it is of another task, even where its size fits.
    task : Task
    data : TrainingData
    precision : str
    """
    _draw_anew(model)
    layer = output_layer(model)
    rows, merged = _distinct(data)
    rows, merged = rows[merged > 0], merged[merged > 0]
    most = max(_ROWS, _ROWS_PER_CLASS * layer.out_features)
    if len(rows) > most:
        kept = np.sort(np.random.RandomState(0).permutation(len(rows))[:most])
        rows, merged = rows[kept], merged[kept]
    seen = features(model, task, data.examples.take(rows), precision=precision, pad_id=data.pad_id)
    if seen.ndim != 2:  # a head that reads all tokens and pools after
        return
    head = task.initial_head(seen, data.targets[rows], merged)
    if head is not None:
        _set(layer, torch.from_numpy(head[0]), torch.from_numpy(head[1]))


def _draw_anew(model):
    """Draw all that lies outside the encoder, from a generator of its own."""
    own = torch.Generator().manual_seed(torch.initial_seed())
    spread = getattr(model.config, "initializer_range", 0.02)
    inside = set(model.base_model.modules())
    for module in model.modules():
        if module not in inside and isinstance(module, torch.nn.Linear):
            _set(module, torch.randn(module.weight.shape, generator=own) * spread, torch.zeros(1))
        elif module not in inside and isinstance(module, torch.nn.LayerNorm):
            module.reset_parameters()


def _set(layer, weight, bias):
    with torch.no_grad():
        layer.weight.copy_(weight.to(layer.weight.dtype))
        if layer.bias is not None:
            layer.bias.copy_(bias.to(layer.bias.dtype))


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
