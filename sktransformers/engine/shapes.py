"""How little may be computed for a few rows without changing a bit of them.

On a CPU the order in which a product adds up depends on its shape, so all batches of a width have
one number of rows, and the last one is filled up. For a single short text that is some sixty rows
in the place of one. But often the order is the same for fewer rows: that is tried once for each
width, and remembered.

Without its padding a text has almost always the same bits too, but not always: a trial tells
nothing there.
"""

import weakref

import torch

from .device import autocast
from .parts import does_not_fit

__all__ = ["FEW", "least"]

FEW = 4  # rows of a call for which it is worth a trial

_tried = weakref.WeakKeyDictionary()  # model -> {what decides the shapes: are the bits the same?}


def least(model, task, rows, n_own, lay, precision):
    """Inputs of a batch's first rows if that leaves them their bits, else of all of them.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode.
    task : Task
    rows : ndarray of int
        A filled batch.
    n_own : int
        The rows that are not repeats.
    lay : callable
        Of rows: the model's inputs, tensors of shape (n_rows, width).
    precision : str

    Returns
    -------
    dict of Tensor
    """
    if model.device.type != "cpu" or not n_own < len(rows) or n_own > FEW:
        return lay(rows)
    few, tried = lay(rows[:n_own]), _tried.setdefault(model, {})
    # A change of weights changes no order, but a change of their precision does; rows without
    # padding need no mask.
    kind = type(task), precision, model.dtype, bool(few["attention_mask"].all())
    about = (*kind, torch.get_num_threads(), *few["input_ids"].shape, len(rows))
    if about not in tried:
        whole = lay(rows)
        try:
            seen = [_seen(model, task, inputs, precision) for inputs in (whole, few)]
        except (RuntimeError, MemoryError) as error:
            if not does_not_fit(error):
                raise
            return few  # all of them side by side do not fit anyway
        tried[about] = all(torch.equal(one[:n_own], other) for one, other in zip(*seen))
    return few if tried[about] else lay(rows)


def _seen(model, task, inputs, precision):
    """All that must be the same: the encoder's states, what is pooled of them, the outputs."""
    with torch.inference_mode(), autocast(precision, model.device):
        encoded = model.base_model(**inputs)
        found = [
            encoded[name] for name in ("last_hidden_state", "pooler_output") if name in encoded
        ]
        return [*found, task.forward(model, inputs)]
