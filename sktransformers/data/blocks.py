"""Blocks of running text for causal language models: nothing is cut, and no text sees another.

Short texts share a block. Each of its tokens sees only those of its own text before it (a mask of
pairs says so), and positions count anew from each text's start: what a text gives is the same as in
a block of its own. Long texts become consecutive blocks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from .batching import pad
from .examples import Examples

__all__ = ["BlockData", "Blocks", "shared_size"]

_SHARED = 256  # tokens of a block that short texts share: longer ones cost more attention


def shared_size(longest):
    """Tokens in a block that short texts share."""
    return min(longest, _SHARED)


@dataclass(frozen=True)
class Blocks:
    """Blocks, and which of their tokens are to be predicted.

    Parameters
    ----------
    examples : Examples
    parts : ndarray of shape (n_tokens,), int32
        Which text of its block each token is of, from 0.
    is_target : ndarray of shape (n_tokens,), bool
        Which tokens are predicted from those before them.
    rows : ndarray of shape (n_tokens,), int64
        The row that each token is of.
    """

    examples: Examples
    parts: np.ndarray
    is_target: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, texts, longest, *, overlap, share=False):
        """Lay texts out in blocks.

        Parameters
        ----------
        texts : list of (list of int, int)
            Token ids of each row, and the first of them that is predicted; at least 1.
        longest : int
            Tokens in a block, at most.
        overlap : bool
            Whether the parts of long texts see half a block of context.
        share : bool
            Whether short texts share blocks.
        """
        size = shared_size(longest)
        blocks, open_block, filled = [], [], 0
        for row, (ids, first) in enumerate(texts):
            if not share or len(ids) > size:
                parts = _pieces(row, ids, first, longest, overlap=overlap)
                blocks += [[part] for part in parts]
                continue
            if filled + len(ids) > size:
                blocks.append(open_block)
                open_block, filled = [], 0
            open_block.append((row, ids, first))
            filled += len(ids)
        if open_block:
            blocks.append(open_block)
        lists = [[i for _, ids, _ in block for i in ids] for block in blocks]
        parts = [p for block in blocks for p, (_, ids, _) in enumerate(block) for _ in ids]
        rows = [row for block in blocks for row, ids, _ in block for _ in ids]
        targets = [
            place >= first
            for block in blocks
            for _, ids, first in block
            for place in range(len(ids))
        ]
        return cls(
            Examples.from_lists(lists, longest),
            np.array(parts, dtype=np.int32),
            np.array(targets, dtype=bool),
            np.array(rows, dtype=np.int64),
        )

    def batch(self, blocks, pad_id):
        """Inputs for some blocks, the tokens to predict, and their rows.

        Returns
        -------
        inputs : dict of Tensor
            With ``hidden`` (places whose next token is predicted), ``position_ids`` and, where
            texts share a block, ``pairs``: which token sees which, of shape (n, 1, width, width).
        labels : ndarray of shape (n_targets,), int
        rows : ndarray of shape (n_targets,), int
        """
        blocks = np.asarray(blocks)
        inputs = pad(self.examples, blocks, pad_id)
        ids, inside = inputs["input_ids"].numpy(), inputs["attention_mask"].numpy() > 0
        places = np.concatenate(
            [np.arange(self.examples.offsets[b], self.examples.offsets[b + 1]) for b in blocks]
        )

        def laid_out(values, fill):
            found = np.full(ids.shape, fill, dtype=values.dtype)
            found[inside] = values[places]
            return found

        parts, rows = laid_out(self.parts, -1), laid_out(self.rows, -1)
        predicted = laid_out(self.is_target, False)
        predicted[:, 1:] &= parts[:, 1:] == parts[:, :-1]
        predicted[:, 0] = False
        starts = np.ones(ids.shape, dtype=bool)
        starts[:, 1:] = parts[:, 1:] != parts[:, :-1]
        index = np.arange(ids.shape[1])
        start = np.maximum.accumulate(np.where(starts, index, 0), axis=1)
        inputs["position_ids"] = torch.from_numpy(index - start)
        hidden = np.concatenate([predicted[:, 1:], np.zeros((len(ids), 1), bool)], axis=1)
        inputs["hidden"] = torch.from_numpy(hidden)
        if parts.max() > 0:
            sees = (parts[:, :, None] == parts[:, None, :]) & (index[:, None] >= index)
            inputs["pairs"] = torch.from_numpy(sees[:, None])
        return inputs, ids[predicted], rows[predicted]


def _pieces(row, ids, first, longest, *, overlap):
    """Consecutive parts of a long text; or parts that see half a block of context each."""
    pieces, start, stop, done = [], 0, min(longest, len(ids)), first
    while True:
        pieces.append((row, ids[start:stop], max(1, done - start)))
        if stop == len(ids):
            return pieces
        start, done = stop, max(first, stop)
        stop = min(len(ids), stop + (max(1, longest // 2) if overlap else longest))
        start = max(0, stop - longest) if overlap else start


class BlockData(Dataset):
    """Training data of blocks.

    Parameters
    ----------
    blocks : Blocks
    weights : ndarray of shape (n_rows,) or None
        Of the rows; None is one for each.
    pad_id : int
    """

    has_row_outputs = False
    targets = None  # they are the blocks' own tokens

    def __init__(self, blocks, weights, pad_id):
        self.blocks = blocks
        self.examples = blocks.examples
        self.weights = weights
        self.pad_id = pad_id

    def start_again(self):
        """Do nothing: a block is the same each time."""

    def all_that_counts(self):
        """Arrays that decide what is learnt."""
        weights = () if self.weights is None else self.weights
        return self.examples.ids, self.examples.offsets, self.blocks.is_target, weights

    def state(self):
        """Nothing changes as blocks are drawn."""

    def go_on(self, state):
        """Do nothing: a block is the same each time."""

    def __len__(self):
        return len(self.examples)

    def __getitems__(self, rows):
        inputs, labels, of = self.blocks.batch(rows, self.pad_id)
        weights = np.ones(len(of)) if self.weights is None else self.weights[of]
        return inputs, {"words": torch.from_numpy(labels)}, {"words": torch.from_numpy(weights)}
