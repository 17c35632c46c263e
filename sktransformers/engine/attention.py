"""Attention in training on a CPU, a few rows at a time, so that its scores stay in the cache.

The scores of all pairs of words are the largest tensors of a step. Plain autograd keeps several
copies of them for the way back, and most of the time goes into fetching fresh memory for them.
"""

import math

import torch
from torch.autograd.function import once_differentiable

from .dropout import drop_, dropped, kept_elements, scale_of

__all__ = ["added_to_scores", "attention", "precision_of"]

_CHUNK = 2**20  # scores that fit in a core's cache, with what is made of them
_SMALLEST, _LARGEST = 1e-30, 1e37  # sums of exponentials that bfloat16 holds without loss
_REMEMBERED = 2**23  # scores of a layer that are kept for the way back; of more, computed again


def attention(query, key, value, mask=None, p=0.0, scale=None, packing=None):
    """Scaled dot-product attention, with dropout of the shares.

    As in Vaswani et al. (2017), Attention is all you need: ``softmax(scale * Q K') V``.

    Parameters
    ----------
    query : Tensor of shape (n_rows, n_heads, n_queries, n_dims)
    key : Tensor of shape (n_rows, n_heads, n_keys, n_dims)
    value : Tensor of shape (n_rows, n_heads, n_keys, n_dims)
    mask : Tensor or None
        What is added to the scores, as ``added_to_scores`` gives it. It broadcasts to
        (n_rows, n_heads, n_queries, n_keys).
    p : float
        The share that is dropped.
    scale : float or None
        With None one over the root of ``n_dims``.
    packing : Packing or None
        How the tokens of all rows are laid out one after the other; they then take the place of
        queries and keys, and ``n_rows`` is 1.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    dtype = precision_of(query)
    query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    return _Attention.apply(query, key, value, mask, p, scale, packing)


def precision_of(query):
    """In which precision the scores are computed."""
    on = torch.is_autocast_enabled("cpu")
    return torch.get_autocast_dtype("cpu") if on else query.dtype


def added_to_scores(mask, dtype):
    """What a mask adds to scores: a tensor of their precision, or None where that is nothing.

    Parameters
    ----------
    mask : Tensor
        True where a query sees a key, or numbers. It has no gradient.
    dtype : torch.dtype
    """
    # Not infinite: a row that sees nothing must not become NaN.
    smallest = torch.finfo(dtype).min
    if mask.dtype == torch.bool:
        if mask.all():
            return None
        return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, smallest)
    return mask.clamp(min=smallest).to(dtype)


class _Rows:
    """Some rows of a batch that is laid out as usual: the counterpart of ``packing.Chunk``."""

    def __init__(self, rows):
        self.rows = rows

    def take(self, x):
        return x[self.rows].contiguous()

    def put(self, out, values):
        out[self.rows] = values

    def sums(self, shares):
        return shares.sum(-1, keepdim=True)

    def hide_padding(self, scores):
        return scores

    def mask(self, added):
        return added if added.shape[0] == 1 else added[self.rows]


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, mask, p, scale, packing):
        n_rows, n_heads, n_queries, _ = query.shape
        if packing is None:
            step = max(1, _CHUNK // (n_heads * n_queries * key.shape[-2]))
            chunks = [_Rows(slice(start, start + step)) for start in range(0, n_rows, step)]
        else:
            chunks = packing.chunks(_CHUNK // n_heads)
        ctx.p, ctx.scale, ctx.mask, ctx.packing, ctx.chunks = p, scale, mask, packing, chunks
        ctx.laid, ctx.shares, ctx.kept = [], [], []
        ctx.about = [(*x.shape, x.dtype) for x in (query, key, value)]
        out = _empty(*query.shape[:3], value.shape[-1], value.dtype, packing)
        room = _REMEMBERED
        with torch.autocast("cpu", enabled=False):
            for chunk in chunks:
                laid = chunk.take(query) * scale, chunk.take(key), chunk.take(value)
                shares = used = _shares(chunk, *laid[:2], mask)
                if p:
                    kept = kept_elements(shares.shape, p, shares.dtype)
                    used = dropped(shares, kept)
                chunk.put(out, used @ laid[2])
                if any(ctx.needs_input_grad):
                    room -= shares.numel()
                    ctx.laid.append(laid)
                    ctx.shares.append(shares if room >= 0 else None)
                    ctx.kept.append(kept if p else None)
        return out.mul_(scale_of(p)) if p else out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        if ctx.p:
            grad = grad * scale_of(ctx.p)
        of_query, of_key, of_value = (_empty(*about, ctx.packing) for about in ctx.about)
        for chunk, laid, shares, kept in zip(ctx.chunks, ctx.laid, ctx.shares, ctx.kept):
            query, key, value = laid
            if shares is None:
                shares = _shares(chunk, query, key, ctx.mask)
            own, used = chunk.take(grad), shares
            of_shares = own @ value.transpose(-1, -2)
            if ctx.p:
                used = dropped(shares, kept)
                drop_(of_shares, kept)
            chunk.put(of_value, used.transpose(-1, -2) @ own)
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype)
            chunk.put(of_query, of_scores @ key)
            chunk.put(of_key, of_scores.transpose(-1, -2) @ query)
        return of_query.mul_(ctx.scale), of_key, of_value, None, None, None, None


def _empty(n_rows, n_heads, width, n_dims, dtype, packing):
    """Memory in the order in which the next layer reads it: the heads of a token together.

    It is written to where tokens are read, and zero elsewhere.
    """
    memory = torch.empty(n_rows, width, n_heads, n_dims, dtype=dtype).transpose(1, 2)
    if packing is not None:
        packing.clear(memory)
    return memory


def _shares(chunk, query, key, mask):
    """What of each value a query takes, before dropout."""
    key, mask = key.transpose(-1, -2), None if mask is None else chunk.mask(mask)
    if query.dtype == torch.bfloat16:
        # For most widths softmax is several times slower here than its parts. What it does beside
        # them, to look for the largest score, is needed only where exponentials are out of range.
        shares = _scores(query, key, mask).exp_()
        sums = chunk.sums(shares)
        if _SMALLEST < sums.min() <= sums.max() < _LARGEST:
            return shares.mul_(sums.reciprocal_())
    return torch.softmax(chunk.hide_padding(_scores(query, key, mask)), -1)


def _scores(query, key, mask):
    scores = query @ key
    if mask is not None:
        scores += mask
    return scores
