"""Embeddings in training on a CPU: memory for their gradient is laid out once."""

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["Recycled", "embedding"]


class Recycled:
    """Memory of gradients that is used again for those of the next step.

    A gradient of an embedding is as large as the vocabulary, and almost all of it is zero. To get
    fresh memory for it took a fifteenth of a step. Who wants to keep one must copy it.
    """

    def __init__(self):
        self._free, self._taken = {}, {}

    def zeros(self, like):
        """Zeros of a tensor's shape, in the memory of an earlier gradient if there is one."""
        key = like.shape, like.dtype
        storage = self._free.pop(key, None)
        if storage is None:
            found = torch.zeros_like(like, memory_format=torch.contiguous_format)
            self._taken.setdefault(key, found.untyped_storage())
            return found
        self._taken[key] = storage
        # A tensor of its own, which nobody else refers to: autograd then takes it as it is.
        return like.new_empty(0).set_(storage, 0, like.shape).zero_()

    def give_back(self):
        """Gradients are of no more use."""
        self._free.update(self._taken)
        self._taken.clear()


def embedding(ids, weight, padding_idx, recycled):
    """Rows of a matrix, as ``torch.nn.functional.embedding`` gives them."""
    return _Embedding.apply(ids, weight, padding_idx, recycled)


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, ids, weight, padding_idx, recycled):
        ctx.save_for_backward(ids, weight)
        ctx.padding_idx, ctx.recycled = padding_idx, recycled
        return functional.embedding(ids, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        ids, weight = ctx.saved_tensors
        found = ctx.recycled.zeros(weight)
        found.index_add_(0, ids.flatten(), grad.reshape(-1, grad.shape[-1]))
        if ctx.padding_idx is not None:
            found[ctx.padding_idx] = 0
        return None, found, None, None
