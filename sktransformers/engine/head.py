"""From a model as it was opened to one that training can start on."""

from dataclasses import replace

import numpy as np
import torch

from ..output_layer import output_layer
from .device import autocast, prepare
from .infer import features

__all__ = ["settle", "start_head"]

# Distinct rows that a head is started from: more of them change little and cost a forward pass.
_ROWS = 1000
_ROWS_PER_CLASS = 10

_found_able = set()  # hashes of the kinds of models that can do a precision


def settle(model, tokenizer, plan):
    """Put a model onto its device, in a precision that it can.

    Parameters
    ----------
    model : PreTrainedModel
        Changed in place.
    tokenizer : PreTrainedTokenizerBase
    plan : Plan

    Returns
    -------
    Plan
        With float32 where the low precision that the device does best is more than the model can.
    """
    prepare(model, plan.precision, plan.device)
    if not plan.may_fall_back:
        return plan
    kind = hash((type(model), model.config.to_json_string(), plan.precision, model.device))
    if kind in _found_able:
        return plan
    ids = tokenizer("a")["input_ids"]
    inputs = {"input_ids": torch.tensor([ids], device=model.device)}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    try:
        with torch.inference_mode(), autocast(plan.precision, model.device):
            model.base_model(**inputs)
    except RuntimeError:  # DeBERTa masks with numbers that bfloat16 cannot hold
        return replace(plan, precision="float32", may_fall_back=False)
    _found_able.add(kind)
    return plan


def start_head(model, task, data, plan):
    """Draw a head anew, its output layer from what the task makes of the encoder's features.

    Parameters
    ----------
    model : PreTrainedModel
        Changed in place. A head that came with it is of another task, even where its size fits.
    task : Task
    data : TrainingData
    plan : Plan

    Returns
    -------
    Plan
        With a head no faster than the encoder where it has learnt from all rows already: with 200
        rows it would else fit them to the last.
    """
    if task.keeps_head:
        return replace(plan, head_faster=1.0)
    _draw_anew(model)
    if data.examples.words is not None:
        return plan
    layer = output_layer(model)
    rows, merged = _distinct(data)
    rows, merged = rows[merged > 0], merged[merged > 0]
    most = max(_ROWS, _ROWS_PER_CLASS * layer.out_features)
    are_all = len(rows) <= most
    if len(rows) == 0:  # none has a weight
        return plan
    if not are_all:
        kept = np.sort(np.random.RandomState(0).permutation(len(rows))[:most])
        rows, merged = rows[kept], merged[kept]
    some = data.examples.take(rows)
    seen = features(model, task, some, precision=plan.precision, pad_id=data.pad_id)
    if seen.ndim != 2:  # a head that reads all tokens and pools after
        return plan
    head = task.initial_head(seen, data.targets[rows], merged)
    if head is None:
        return plan
    _set(layer, torch.from_numpy(head[0]), torch.from_numpy(head[1]))
    has_learnt_all = are_all and head[0].any(axis=1).all()
    return replace(plan, head_faster=1.0) if has_learnt_all else plan


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
