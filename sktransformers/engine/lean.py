"""A cheaper training step on a CPU: the same mathematics, without what is not a product."""

from contextlib import nullcontext

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .attention import attention
from .dropout import dropout

__all__ = ["lean"]

_WIDEST = 1024  # of longer rows what dropout keeps would not fit
_SMALLEST = 2.0**-16  # probability that our dropout knows


def lean(device):
    """Use the cheaper kernels in a block, in this thread: on a CPU; elsewhere torch's are cheap."""
    return _Lean() if torch.device(device).type == "cpu" else nullcontext()


class _Lean(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is functional.dropout:
            return _dropout(*args, **kwargs)
        if function is functional.scaled_dot_product_attention:
            return _attention(*args, **kwargs)
        return function(*args, **kwargs)


def _dropout(input, p=0.5, training=True, inplace=False):
    if not training or inplace or not _SMALLEST <= p <= 1 - _SMALLEST:
        return functional.dropout(input, p, training, inplace)
    return dropout(input, p)


def _attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, **kwargs):
    unknown = (
        set(kwargs) - {"scale", "enable_gqa"}
        or kwargs.get("enable_gqa")
        or max(query.shape[-2], key.shape[-2]) > _WIDEST
        or query.ndim != 4
        or key.shape[:2] != query.shape[:2]
        or value.shape[:3] != key.shape[:3]
        or (attn_mask is not None and attn_mask.requires_grad)
        or 0 < dropout_p < _SMALLEST
        or dropout_p > 1 - _SMALLEST
    )
    if unknown:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, **kwargs
        )
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if attn_mask is not None:
        attn_mask = attn_mask[(None,) * (4 - attn_mask.ndim)]
    return attention(query, key, value, attn_mask, dropout_p, kwargs.get("scale"))
