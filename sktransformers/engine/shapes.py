"""How few rows may be computed at once without changing a bit of them.

On a CPU the order in which a product adds up depends on its shape, so all batches of a width have
one number of rows, and the last one is filled up. For a single short text that is some sixty rows
in the place of one. But often the order is the same for fewer rows: that is tried once for each
width, and remembered.
"""

import weakref

import torch

from .device import autocast
from .parts import does_not_fit

__all__ = ["FEW", "fewest_rows"]

FEW = 4  # rows of a call for which it is worth a trial

_tried = weakref.WeakKeyDictionary()  # model -> {(precision, threads, width, rows, own): same?}


def fewest_rows(model, task, inputs, n_own, precision):
    """Number of rows to compute so that the bits of the first ones stay those of the whole batch.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode.
    task : Task
    inputs : dict of Tensor
        A filled batch, of which the first rows are to be computed.
    n_own : int
    precision : str

    Returns
    -------
    int
        ``n_own``, or all of them.
    """
    n_rows, width = inputs["input_ids"].shape
    if model.device.type != "cpu" or not n_own < n_rows or n_own > FEW or "states" in inputs:
        return n_rows
    tried = _tried.setdefault(model, {})
    # A change of weights changes no order, but a change of their precision does.
    key = (precision, model.dtype, torch.get_num_threads(), width, n_rows, n_own)
    if key not in tried:
        few = {name: values[:n_own] for name, values in inputs.items()}
        try:
            whole, part = (_seen(model, task, some, precision) for some in (inputs, few))
        except (RuntimeError, MemoryError) as error:
            if not does_not_fit(error):
                raise
            return n_own  # all of them side by side do not fit anyway
        tried[key] = all(torch.equal(one[:n_own], other) for one, other in zip(whole, part))
    return n_own if tried[key] else n_rows


def _seen(model, task, inputs, precision):
    """All that must be the same: the encoder's states, what is pooled of them, the outputs."""
    with torch.inference_mode(), autocast(precision, model.device):
        encoded = model.base_model(**inputs)
        found = [
            encoded[name] for name in ("last_hidden_state", "pooler_output") if name in encoded
        ]
        return [*found, task.forward(model, inputs)]
