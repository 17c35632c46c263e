"""Batches hold tensors in tuples and dicts, and those in others."""

__all__ = ["mapped"]


def mapped(function, values):
    """The same tuples and dicts with what a function makes of each tensor.

    Parameters
    ----------
    function : callable
    values : Tensor, or tuple, list or dict of such
    """
    if isinstance(values, dict):
        return {name: mapped(function, value) for name, value in values.items()}
    if isinstance(values, (tuple, list)):
        return tuple(mapped(function, value) for value in values)
    return function(values)
