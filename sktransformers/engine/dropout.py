"""Dropout on a CPU, where torch draws its random numbers one at a time."""

import numpy as np
import torch
from torch.autograd.function import once_differentiable

__all__ = ["drop_", "dropout", "dropped", "kept_elements", "scale_of"]

_STEPS = 2**16  # what 16 random bits can tell apart
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def dropout(x, p):
    """Zero each element with probability ``p``, and scale the others up.

    Four elements are decided by one random number of 64 bits: ``p`` is rounded to a multiple of
    2 to the power of -16, and the scale goes with it.

    Parameters
    ----------
    x : Tensor
    p : float
        In steps of 2 to the power of -16, neither 0 nor 1.
    """
    return _Dropout.apply(x, p)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, p):
        ctx.kept, ctx.scale = kept_elements(x.shape, p, x.dtype), scale_of(p)
        return drop_(x * ctx.scale, ctx.kept)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return drop_(grad * ctx.scale, ctx.kept), None


def kept_elements(shape, p, dtype):
    """Draw what is kept: integers, -1 there and 0 elsewhere.

    The numbers are those of numpy's SFC64, which is seeded by torch's generator: so a seed decides
    them, and a state of that generator goes on with them.

    Parameters
    ----------
    shape : torch.Size
    p : float
    dtype : torch.dtype
        Of the elements.

    Returns
    -------
    Tensor of int16, which elements of 16 bits can be combined with as they are; for others int8
    """
    n = shape.numel()
    seed = torch.empty((), dtype=torch.int64).random_(0, None).item()
    bits = torch.from_numpy(np.random.SFC64(seed).random_raw(-(-n // 4)).view(np.int16))[:n]
    end = round((1 - p) * _STEPS) - _STEPS // 2
    kept = bits.clamp_(end - 1, end).sub_(end).view(shape)
    return kept if dtype.itemsize == 2 else kept.to(torch.int8)


def drop_(x, kept):
    """Set to zero, in place, what is not kept: by bits, which is cheaper than by a product."""
    integers = _INTEGERS[x.element_size()]
    x.view(integers).bitwise_and_(kept.to(integers))
    return x


def dropped(x, kept):
    """The same in new memory."""
    integers = _INTEGERS[x.element_size()]
    return torch.bitwise_and(x.view(integers), kept.to(integers)).view(x.dtype)


def scale_of(p):
    """By what the kept elements are multiplied."""
    return _STEPS / round((1 - p) * _STEPS)
