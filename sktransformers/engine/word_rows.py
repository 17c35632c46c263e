"""Training those rows of an embedding that the texts of a fit have, in the place of all.

No other row has a gradient. Yet in each step memory for one would be filled with zeros, its norm
taken, the moments of the optimizer moved: of 30,000 rows (BERT) 2,000 reviews have a third, of
250,000 (XLM-R) a thirtieth.
"""

from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

__all__ = ["WordRows", "of_these_words"]


@contextmanager
def of_these_words(model, ids, *more):
    """In a block let a model's embedding of words learn the rows of some ids alone.

    Parameters
    ----------
    model : PreTrainedModel
        Changed in place. A model whose embedding is not a plain table of its own stays as it is.
    ids : ndarray of int
        Of all texts that the model is trained on. The model learns nothing of others.
    *more : int
        Others that it is given, such as that of padding.
    """
    table = _table(model)
    if table is None:
        yield
        return
    owner, name, embedding = table
    padding = getattr(model.config, "pad_token_id", None)  # some models add it by themselves
    rows = _distinct(ids, [*more, *([] if padding is None else [padding])], embedding)
    if rows is None:
        yield
        return
    few = WordRows(embedding, rows)
    setattr(owner, name, few)
    try:
        yield
    finally:
        setattr(owner, name, embedding.train(few.training))
        few.all_rows(out=embedding.weight.detach())


class WordRows(nn.Embedding):
    """An embedding that learns some of its rows; it gives all.

    It has one more row, of ones, that no text has: what an optimizer makes of it, which is weight
    decay and nothing else, has become of the rows that were left out. That holds for optimizers
    which treat each number by itself, as long as nobody else changes the weights.

    Parameters
    ----------
    embedding : Embedding
    rows : ndarray of int
    """

    def __init__(self, embedding, rows):
        whole = embedding.weight.detach()
        rows = torch.from_numpy(rows).to(whole.device)
        super().__init__(len(rows) + 1, whole.shape[1], _weight=_with_ones(whole[rows]))
        places = torch.full((len(whole),), -1, device=whole.device)
        places[rows] = torch.arange(len(rows), device=whole.device)
        for name, values in {"rows": rows, "places": places, "whole": whole}.items():
            self.register_buffer(name, values, persistent=False)
        if embedding.padding_idx is not None:  # its gradient is zero, as is that of the last row
            self.padding_idx = int(places[embedding.padding_idx]) % self.num_embeddings
        self.train(embedding.training)

    def forward(self, ids):
        """Rows of ids, wherever they are."""
        places = self.places[ids]
        others = places < 0
        if not others.any():
            return super().forward(places)
        states = super().forward(places.clamp(min=0))
        left_out = self.whole[ids[others]] * self.weight.detach()[-1]
        return states.index_put((others,), left_out.to(states.dtype))

    def all_rows(self, out=None):
        """The weights as they would be if all had been trained."""
        weight = self.weight.detach()
        return torch.mul(self.whole, weight[-1], out=out).index_copy_(0, self.rows, weight[:-1])


def _distinct(ids, more, embedding):
    """The rows of an embedding that are read; None if that is all of them, or others too."""
    n_ids = embedding.num_embeddings
    if min([ids.min(), *more]) < 0 or max([ids.max(), *more]) >= n_ids:
        return None
    is_read = np.zeros(n_ids, dtype=bool)
    is_read[ids] = is_read[more] = True
    rows = np.flatnonzero(is_read)
    return rows if len(rows) + 1 < n_ids else None


def _with_ones(rows):
    return torch.cat([rows, rows.new_ones(1, rows.shape[1])])


def _table(model):
    """Where a model's embedding of words is, if it is learnt and nothing else has its weights."""
    try:
        embedding = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):  # of models that do not read words
        return None
    if type(embedding) is not nn.Embedding or not embedding.weight.requires_grad:
        return None
    is_plain = embedding.max_norm is None and not embedding.scale_grad_by_freq
    has_hooks = any(value for name, value in vars(embedding).items() if "hooks" in name)
    if not is_plain or embedding.sparse or has_hooks or "forward" in vars(embedding):
        return None
    modules = list(model.modules())
    users = [m for m in modules for p in m.parameters(recurse=False) if p is embedding.weight]
    places = [(m, n) for m in modules for n, child in m._modules.items() if child is embedding]
    return (*places[0], embedding) if len(users) == len(places) == 1 else None
