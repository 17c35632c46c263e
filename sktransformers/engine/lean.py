"""Cheaper passes on a CPU: the same mathematics, without what is not a product."""

from contextlib import contextmanager

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .attention import added_to_scores, attention, precision_of
from .dropout import dropout
from .embeddings import embedding
from .packing import WIDEST, PackedLayers

__all__ = ["lean"]

_SMALLEST = 2.0**-16  # probability that our dropout knows


@contextmanager
def lean(model, recycled=None):
    """Use the cheaper kernels in a block, in this thread: on a CPU; elsewhere torch's are cheap.

    Parameters
    ----------
    model : PreTrainedModel
        Of this thread alone.
    recycled : Recycled, default=None
        Memory for the gradients of embeddings.
    """
    # What checkpoints compute again on the way back they would compute outside of the block.
    recomputes = any(getattr(m, "gradient_checkpointing", False) for m in model.modules())
    if model.device.type != "cpu" or recomputes:
        yield
        return
    with PackedLayers(model) as layers, _Lean(layers, recycled):
        yield


class _Lean(TorchFunctionMode):
    """The cheaper kernels in the place of torch's functions.

    Parameters
    ----------
    layers : PackedLayers
        They know how states are laid out.
    recycled : Recycled or None
    """

    def __init__(self, layers=None, recycled=None):
        super().__init__()
        self.layers, self.recycled = layers, recycled
        self._mask = self._cast = (None, None)  # of which object and version, and what it became

    def __torch_function__(self, function, types, args=(), kwargs=None):
        own = _OWN.get(function)
        return (own or function)(*((self,) if own else ()), *args, **(kwargs or {}))

    def dropout(self, input, p=0.5, training=True, inplace=False):
        if not training or inplace or not _SMALLEST <= p <= 1 - _SMALLEST:
            return functional.dropout(input, p, training, inplace)
        return dropout(input, p)

    def embedding(self, input, weight, padding_idx=None, max_norm=None, *args, **kwargs):
        others = *args[1:], *(kwargs.get(name) for name in ("scale_grad_by_freq", "sparse"))
        if self.recycled is None or not weight.requires_grad or max_norm is not None or any(others):
            return functional.embedding(input, weight, padding_idx, max_norm, *args, **kwargs)
        return embedding(input, weight, padding_idx, self.recycled)

    def linear(self, input, weight, bias=None):
        # Queries, keys and values are made of the same states, which autocast casts each time.
        if torch.is_autocast_enabled("cpu") and input.dtype == weight.dtype == torch.float32:
            dtype = torch.get_autocast_dtype("cpu")
            about = input, input._version, dtype, torch.is_grad_enabled()
            if not _is_same(self._cast[0], about):
                self._cast = about, input.to(dtype)
            input = self._cast[1]
        return functional.linear(input, weight, bias)

    def attention(
        self, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, **kwargs
    ):
        packing = self._packing(query)
        width = max(query.shape[-2], key.shape[-2]) if packing is None else packing.shape[1]
        unknown = (
            set(kwargs) - {"scale", "enable_gqa"}
            or kwargs.get("enable_gqa")
            or width > WIDEST
            or query.ndim != 4
            or key.shape[:2] != query.shape[:2]
            or value.shape[:3] != key.shape[:3]
            or (attn_mask is not None and attn_mask.requires_grad)
            or 0 < dropout_p < _SMALLEST
            or dropout_p > 1 - _SMALLEST
        )
        if unknown:
            return self._torchs(query, key, value, attn_mask, dropout_p, is_causal, **kwargs)
        if is_causal:
            widths = (width, width) if packing is not None else (query.shape[-2], key.shape[-2])
            attn_mask = torch.ones(widths, dtype=torch.bool).tril()
        return attention(
            query,
            key,
            value,
            None if attn_mask is None else self._added(attn_mask, precision_of(query), packing),
            dropout_p,
            kwargs.get("scale"),
            packing,
        )

    def _added(self, mask, dtype, packing):
        """What is added to scores, made once for all layers; None where that is nothing."""
        about = mask, mask._version, dtype, packing
        if not _is_same(self._mask[0], about):
            laid = mask[(None,) * (4 - mask.ndim)]
            is_padding = (
                packing is not None
                and mask.dtype == torch.bool
                and torch.equal(laid, packing.inside[:, None, None].expand_as(laid))
            )
            self._mask = about, None if is_padding else added_to_scores(laid, dtype)
        return self._mask[1]

    def _packing(self, query):
        """How queries are laid out; None where it is as usual."""
        packing = None if self.layers is None else self.layers.packing
        is_packed = packing is not None and packing.holds(query.transpose(1, 2).shape)
        return packing if is_packed else None

    def _torchs(self, query, key, value, *args, **kwargs):
        packing, own = self._packing(query), functional.scaled_dot_product_attention
        if packing is None:
            return own(query, key, value, *args, **kwargs)
        laid = (packing.unpack(x.transpose(1, 2)).transpose(1, 2) for x in (query, key, value))
        return packing.pack(own(*laid, *args, **kwargs).transpose(1, 2)).transpose(1, 2)


def _is_same(known, about):
    """Whether both are of one tensor in one state."""
    return known is not None and known[0] is about[0] and known[1:] == about[1:]


_OWN = {
    functional.dropout: _Lean.dropout,
    functional.embedding: _Lean.embedding,
    functional.linear: _Lean.linear,
    functional.scaled_dot_product_attention: _Lean.attention,
}
