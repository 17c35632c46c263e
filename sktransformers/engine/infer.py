"""Forward passes without gradients: the one place that restores the caller's order."""

import numpy as np
import torch

from ..data.batching import batches_of_one_shape, pad
from .device import autocast, output_layer

__all__ = ["features", "forward", "infer"]

# Padded tokens in a batch. On a CPU a batch need not be large to be fast, and a single row costs
# as much as a full one; a GPU is idle below some thousands.
_TOKENS = {"cpu": 512}


def forward(model, task, examples, *, precision, pad_id):
    """Yield rows and their outputs, batch by batch, longest first.

    A batch's shape depends on the width of its rows alone, so that no row's output depends on the
    others: on a CPU to the bit.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode, on its device.
    task : Task
    examples : Examples
    precision : str
        As ``choose_precision`` names it.
    pad_id : int

    Yields
    ------
    rows : ndarray of int
        Positions of the examples in the batch.
    outputs : Tensor
        What ``task.forward`` gives for them.
    """
    device = model.device
    tokens = _TOKENS.get(device.type, 16384)
    for rows, n_own in batches_of_one_shape(examples.widths, tokens):
        rows = rows if device.type == "cpu" else rows[:n_own]  # elsewhere bits differ anyway
        inputs = {name: t.to(device) for name, t in pad(examples, rows, pad_id).items()}
        # Entered for each batch: a generator must not leave its caller in inference mode.
        with torch.inference_mode(), autocast(precision, device):
            outputs = task.forward(model, inputs)
        yield rows[:n_own], outputs[:n_own]


def infer(model, task, examples, *, precision, pad_id):
    """Compute the outputs of all rows, in their order; those of a row's windows are averaged.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs), float64
    """
    collected = None
    for rows, outputs in forward(model, task, examples, precision=precision, pad_id=pad_id):
        batch = outputs.cpu().double().numpy()
        if collected is None:
            collected = np.empty((len(examples), *batch.shape[1:]))
        collected[rows] = batch
    return examples.mean_per_row(collected)


def features(model, task, examples, *, precision, pad_id):
    """What the output layer of a model sees of each example.

    Returns
    -------
    ndarray of shape (n_examples, n_features), float64
    """
    seen = []
    hook = output_layer(model).register_forward_pre_hook(
        lambda layer, inputs: seen.append(inputs[0].cpu().double().numpy())
    )
    try:
        rows = [
            rows for rows, _ in forward(model, task, examples, precision=precision, pad_id=pad_id)
        ]
    finally:
        hook.remove()
    own = [batch[: len(some)] for batch, some in zip(seen, rows)]
    return np.concatenate(own)[np.argsort(np.concatenate(rows))]
