"""Attention in training on a CPU, a few rows at a time, so that its scores stay in the cache.

The scores of all pairs of words are the largest tensors of a step. Plain autograd keeps several
copies of them for the way back, and most of the time goes into fetching fresh memory for them.
"""

import math

import torch
from torch.autograd.function import once_differentiable

from .dropout import drop_, kept_elements, scale_of

__all__ = ["attention"]

_CHUNK = 2**20  # scores that fit in a core's cache, with what is made of them
_REMEMBERED = 2**23  # scores of a layer that are kept for the way back; of more, computed again


def attention(query, key, value, mask=None, p=0.0, scale=None):
    """Scaled dot-product attention, with dropout of the shares.

    As in Vaswani et al. (2017), Attention is all you need: ``softmax(scale * Q K') V``.

    Parameters
    ----------
    query : Tensor of shape (n_rows, n_heads, n_queries, n_dims)
    key : Tensor of shape (n_rows, n_heads, n_keys, n_dims)
    value : Tensor of shape (n_rows, n_heads, n_keys, n_dims)
    mask : Tensor or None
        That broadcasts to (n_rows, n_heads, n_queries, n_keys): True where a query sees a key, or
        what is added to the scores. It has no gradient.
    p : float
        The share that is dropped.
    scale : float or None
        With None one over the root of ``n_dims``.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    if mask is not None:
        mask = _added(mask, query.dtype)
    return _Attention.apply(query, key, value, mask, p, scale)


def _added(mask, dtype):
    """What is added to the scores; None where that is nothing."""
    # Not infinite: a row that sees nothing must not become NaN.
    smallest = torch.finfo(dtype).min
    if mask.dtype == torch.bool:
        if mask.all():
            return None
        return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, smallest)
    return mask.clamp(min=smallest).to(dtype)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, mask, p, scale):
        n_rows, n_heads, n_queries, _ = query.shape
        size = n_heads * n_queries * key.shape[-2]
        step = max(1, _CHUNK // size)
        ctx.chunks = [slice(start, start + step) for start in range(0, n_rows, step)]
        ctx.p, ctx.scale, ctx.shares, ctx.kept = p, scale, [], []
        ctx.save_for_backward(query, key, value, mask)
        out = value.new_empty((*query.shape[:-1], value.shape[-1]))
        with torch.autocast("cpu", enabled=False):
            for rows in ctx.chunks:
                shares = _shares(query, key, mask, scale, rows)
                if n_rows * size <= _REMEMBERED:
                    ctx.shares.append(shares)
                    shares = shares.clone() if p else shares
                if p:
                    ctx.kept.append(kept_elements(shares.shape, p))
                    drop_(shares, ctx.kept[-1])
                torch.matmul(shares, value[rows], out=out[rows])
        return out.mul_(scale_of(p)) if p else out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        query, key, value, mask = ctx.saved_tensors
        if ctx.p:
            grad = grad * scale_of(ctx.p)
        of_query, of_key, of_value = (
            torch.empty_like(x, memory_format=torch.contiguous_format) for x in (query, key, value)
        )
        for i, rows in enumerate(ctx.chunks):
            shares = ctx.shares[i] if ctx.shares else _shares(query, key, mask, ctx.scale, rows)
            of_shares = grad[rows] @ value[rows].transpose(-1, -2)
            used = shares
            if ctx.p:
                used = drop_(shares.clone(), ctx.kept[i])
                drop_(of_shares, ctx.kept[i])
            torch.matmul(used.transpose(-1, -2), grad[rows], out=of_value[rows])
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype)
            torch.matmul(of_scores, key[rows], out=of_query[rows])
            torch.matmul(of_scores.transpose(-1, -2), query[rows], out=of_key[rows])
        return of_query.mul_(ctx.scale), of_key.mul_(ctx.scale), of_value, None, None, None


def _shares(query, key, mask, scale, rows):
    """What of each value a query takes, before dropout."""
    scores = (query[rows] * scale) @ key[rows].transpose(-1, -2)
    if mask is not None:
        scores += mask if mask.shape[0] == 1 else mask[rows]
    return torch.softmax(scores, -1)
