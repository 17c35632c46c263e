"""Batches hold tensors in tuples and dicts, and those in others."""

__all__ = ["mapped"]


def mapped(function, values):
    """The same dicts and tuples (of lists too) with what a function makes of all else in them.

    Parameters
    ----------
    function : callable
        As a rule of tensors.
    values : Tensor, or tuple, list or dict of such
    """
    if isinstance(values, dict):
        return {name: mapped(function, value) for name, value in values.items()}
    if isinstance(values, (tuple, list)):
        return tuple(mapped(function, value) for value in values)
    return function(values)
