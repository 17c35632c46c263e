"""A vector for each text, and what makes vectors better: contrast."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..data.nested import mapped
from ..data.task import Task

__all__ = ["Contrast", "Embedding", "TokenEmbedding"]

_BLOCK = 256  # rows that are contrasted with each other, at most


@dataclass(frozen=True)
class TokenEmbedding(Task):
    """The states of single tokens.

    Parameters
    ----------
    pooling : {"mean", "cls", "max", "last4"}
        "last4" averages the last four layers; else the last one is taken.
    """

    pooling: str

    auto_class = "AutoModel"
    averages_tokens = True
    keeps_head = True
    adds_up = False

    def config(self):
        """Nothing: there is no head."""
        return {}

    def forward(self, model, inputs):
        """States of shape (n_rows, width, n_features), in float32 or better."""
        if self.pooling == "last4":
            layers = model(**inputs, output_hidden_states=True).hidden_states[-4:]
            return torch.stack([_precise(states) for states in layers]).mean(dim=0)
        return _precise(model(**inputs).last_hidden_state)


@dataclass(frozen=True)
class Embedding(TokenEmbedding):
    """One vector for each text.

    Parameters
    ----------
    pooling : {"mean", "cls", "max", "last4"}
        How a text's vector comes from its tokens': their mean (of "last4" too), the first, or the
        largest value of each feature.
    normalize : bool, default=False
        Whether vectors are scaled to length 1.
    truncate_dim : int or None
        How many features to keep, of models that were trained for it ("Matryoshka").
    """

    normalize: bool = False
    truncate_dim: int | None = None

    def forward(self, model, inputs):
        """Vectors of shape (n_rows, n_features)."""
        states = super().forward(model, inputs)
        if self.pooling == "cls":
            return states[:, 0]
        inside = inputs["attention_mask"][:, :, None].to(states.dtype)
        if self.pooling == "max":
            return states.masked_fill(inside == 0, -torch.inf).amax(dim=1)
        return (states * inside).sum(dim=1) / inside.sum(dim=1)

    def decode(self, outputs):
        """Vectors as they are given out: ndarray of shape (n_rows, n_features), float32."""
        vectors = outputs[:, : self.truncate_dim]
        if not self.normalize:
            return np.ascontiguousarray(vectors)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(lengths, 1e-12)


@dataclass(frozen=True)
class Contrast(Embedding):
    """Learn vectors that are near where they should be, and far from all others in the batch.

    Each text is read twice, with other dropout ("SimCSE": Gao et al., 2021, arXiv:2104.08821). The
    loss is that of supervised contrastive learning (Khosla et al., 2020, arXiv:2004.11362): the
    other reading of a text and both of each text of its class are near. Where every text is a
    class of its own it is SimCSE's, with the negatives of both readings.

    Parameters
    ----------
    classes : ndarray or None
        Labels that may come; None makes each text a class of its own.
        The temperature is 0.1 with them, as in the paper of supervised contrast, else 0.05, as in
        that of SimCSE.
    """

    classes: np.ndarray | None = None

    @property
    def fewest_epochs(self):
        """Without labels one: a model that knows what is alike forgets some of it in three."""
        return 1 if self.classes is None else 3

    @property
    def temperature(self):
        """What similarities are divided by."""
        return 0.05 if self.classes is None else 0.1

    def encode(self, y, name="y"):
        """Codes of the classes; without classes the rows' numbers."""
        if self.classes is None:
            return np.arange(len(y))
        places = {label: code for code, label in enumerate(self.classes.tolist())}
        codes = np.array([places.get(label, -1) for label in y.tolist()], dtype=np.int64)
        if (codes < 0).any():
            row = int((codes < 0).argmax())
            raise ValueError(
                f"{name} must hold labels that are in y too, but row {row} holds "
                f"{y.tolist()[row]!r}. Drop such rows."
            )
        return codes

    def strata(self, y):
        """Validation rows are chosen by class, where there are some."""
        return None if self.classes is None else self.encode(y)

    def groups(self, targets):
        """Rows of a class."""
        return None if self.classes is None else targets

    def collate(self, targets):
        """Codes as a tensor."""
        return torch.from_numpy(targets)

    def initial_head(self, features, targets, weights):
        """There is no head."""
        return None

    def forward(self, model, inputs):
        """Vectors; in training two of each row: (n_rows, 2, n_features)."""
        if not model.training:
            return super().forward(model, inputs)
        twice = mapped(lambda values: torch.cat([values, values]), inputs)
        one, other = super().forward(model, twice).chunk(2)
        return torch.stack([one, other], dim=1)

    def loss(self, outputs, labels, weights):
        """Contrastive loss of each row times its weight, averaged over the rows."""
        views = outputs if outputs.ndim == 3 else outputs[:, None].expand(-1, 2, -1)
        views = functional.normalize(views[..., : self.truncate_dim].float(), dim=-1)
        if len(views) > _BLOCK:  # rows may come sorted by class
            mixed = torch.from_numpy(np.random.RandomState(0).permutation(len(views)))
            views, labels, weights = (v[mixed.to(v.device)] for v in (views, labels, weights))
        sums = [
            self._of_block(
                views[start : start + _BLOCK],
                labels[start : start + _BLOCK],
                weights[start : start + _BLOCK],
            )
            for start in range(0, len(views), _BLOCK)
        ]
        return torch.stack(sums).sum() / len(views)

    def _of_block(self, views, labels, weights):
        """Sum of the rows' losses, contrasted with each other alone."""
        n = len(views)
        flat = views.transpose(0, 1).reshape(2 * n, -1)
        alike = labels.repeat(2)
        itself = torch.eye(2 * n, dtype=torch.bool, device=flat.device)
        near = (alike[:, None] == alike) & ~itself
        logits = (flat @ flat.T / self.temperature).masked_fill(itself, -torch.inf)
        logs = logits - logits.logsumexp(dim=1, keepdim=True)
        losses = -torch.where(near, logs, 0.0).sum(dim=1) / near.sum(dim=1)
        return (losses * weights.repeat(2).to(losses.dtype)).sum() / 2


def _precise(states):
    return states if states.dtype == torch.float64 else states.float()
