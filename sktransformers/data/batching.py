"""Batches: which rows go together, and the one place that pads."""

from itertools import islice

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

__all__ = [
    "LengthBatches",
    "TrainingData",
    "batches",
    "batches_by_length",
    "batches_of_one_shape",
    "pad",
]

# Padded tokens in a batch of inference. On a CPU a batch need not be large to be fast, and what
# does not fill one costs as much as a full one; a GPU is idle below some thousands.
_TOKENS = {"cpu": 768}
_MOST_TOKENS = 16384


def pad(examples, rows, pad_id):
    """Lay examples side by side.

    Parameters
    ----------
    examples : Examples
    rows : sequence of int
        The positions to take.
    pad_id : int
        What fills the right of shorter rows.

    Returns
    -------
    dict
        ``input_ids``, ``attention_mask`` and, for pairs, ``token_type_ids``: int64 tensors of shape
        (n_rows, width), the width being that of the longest row. ``states``, where the examples
        have some: a dict of tensors of shape (n_rows, width, n_features) or (n_rows, n_features).
    """
    width = examples.widths[rows].max()
    inside = np.arange(width) < examples.lengths[rows][:, None]
    ids = np.full(inside.shape, pad_id, dtype=np.int64)
    ids[inside] = np.concatenate([examples[row] for row in rows])
    batch = {"input_ids": ids, "attention_mask": inside.astype(np.int64)}
    if examples.second is not None:
        in_second = np.arange(width) >= examples.second[rows][:, None]
        batch["token_type_ids"] = (inside & in_second).astype(np.int64)
    batch = {name: torch.from_numpy(values) for name, values in batch.items()}
    if examples.states is not None:
        batch["states"] = examples.states.pad(rows, int(width))
    return batch


def batches_of_one_shape(widths, tokens):
    """Batches for inference, such that a row's result does not depend on its neighbours.

    Kernels add up in an order that depends on the shape of the whole product. So rows are batched
    by one padded width, which depends on the row alone, and all batches of a width have the same
    number of rows: a last one that is not full repeats its last row.

    Parameters
    ----------
    widths : ndarray of shape (n_examples,)
    tokens : int
        Padded tokens in a batch, about.

    Yields
    ------
    rows : ndarray of shape (batch_size,), int
        Positions of examples, the longest first, so that what is too large for the memory
        fails at once.
    n_own : int
        How many of the rows are not repeats.
    """
    for width in sorted(set(widths.tolist()), reverse=True):
        rows = np.flatnonzero(widths == width)
        size = max(1, tokens // width)
        size -= size % 8 if size > 8 else 0  # shapes for which a single row often has the same bits
        for start in range(0, len(rows), size):
            own = rows[start : start + size]
            yield own[np.minimum(np.arange(size), len(own) - 1)], len(own)


def batches(examples, device):
    """Yield the positions of examples batch by batch, and how many of them are not repeats.

    Parameters
    ----------
    examples : Examples
    device : torch.device
    """
    tokens = _TOKENS.get(device.type, _MOST_TOKENS)
    for rows, n_own in batches_of_one_shape(examples.widths, tokens):
        yield (rows if device.type == "cpu" else rows[:n_own]), n_own  # elsewhere bits differ


def batches_by_length(examples, device):
    """As ``batches``, for rows that are all looked at together: with none repeated, and larger.

    A row's last bits depend on which other rows there are.

    Parameters
    ----------
    examples : Examples
    device : torch.device
    """
    most = 4 * _TOKENS.get(device.type, _MOST_TOKENS)
    order, start = np.argsort(-examples.widths, kind="stable"), 0
    while start < len(order):
        rows = order[start : start + max(1, most // int(examples.widths[order[start]]))]
        yield rows, len(rows)
        start += len(rows)


class LengthBatches(Sampler):
    """Shuffled training batches of rows of like length.

    Every epoch shuffles the rows, sorts pools of many batches by length and shuffles the
    batches. Little is padded, and which rows meet still changes with each epoch.

    Parameters
    ----------
    lengths : ndarray of shape (n_examples,)
    batch_size : int
    seed : int
        Of the generator that is kept over the epochs.
    groups : ndarray of shape (n_examples,), int, or None
        Rows of a group come in pairs, so that most batches hold several of each group in them.
    pool : int, default=16
        Batches that are sorted together; with 1 they hold rows of any length.
    """

    def __init__(self, lengths, batch_size, seed, groups=None, pool=16):
        self.lengths = lengths
        self.batch_size = batch_size
        self.rng = np.random.default_rng(seed)
        self.groups = groups
        self.pool = pool
        self.skip = 0  # batches of the next epoch that are done already

    def __len__(self):
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self):
        done, self.skip = self.skip, 0
        return islice(self._batches(), done, None)

    def _batches(self):
        order = self.rng.permutation(len(self.lengths))
        if self.groups is not None:
            yield from self._in_pairs(order)
            return
        batches = []
        for start in range(0, len(order), self.pool * self.batch_size):
            pool = order[start : start + self.pool * self.batch_size]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        for i in self.rng.permutation(len(batches)):
            yield batches[i].tolist()

    def _in_pairs(self, order):
        """Batches of pairs from one group each, and of single rows that have no partner."""
        order = order[np.argsort(self.groups[order], kind="stable")]
        same = self.groups[order[1:]] == self.groups[order[:-1]]
        units, place = [], 0
        while place < len(order):
            step = 2 if place < len(same) and same[place] else 1
            units.append(order[place : place + step])
            place += step
        order = np.concatenate([units[i] for i in self.rng.permutation(len(units))])
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size].tolist()


class TrainingData(Dataset):
    """What the training loop draws its batches from.

    Parameters
    ----------
    examples : Examples
    targets : ndarray of shape (n_rows, ...) or (n_words,)
        As ``task.encode`` gives them, one a row, or of token lists one a word.
    weights : ndarray of shape (n_rows,), (n_rows, n_outputs) or (n_words,), or None
        Weights of the rows, of their outputs, or of words; ``None`` is one for each. A window
        weighs 1 / number of windows.
    pad_id : int
    collate : callable
        ``task.collate``: targets of some examples to a tensor. Of token lists it gets an array of
        shape (n_examples, width), -100 where no word starts.

    Attributes
    ----------
    row_targets, row_weights : ndarray
        As they were given.
    targets, weights : ndarray of shape (n_examples, ...) or (n_words,)
        The same of each example. The weights add up to the number of examples, so that losses
        do not depend on how weights are scaled.
    """

    has_row_outputs = True  # whether a row's outputs and targets can be compared as they are

    def __init__(self, examples, targets, weights, pad_id, collate):
        self.examples = examples
        self.row_targets = targets
        self.row_weights = np.ones(len(targets)) if weights is None else weights
        self.pad_id = pad_id
        self.collate = collate
        if examples.words is not None:
            self.targets = targets
            self.weights = self.row_weights * (len(examples) / max(1.0, self.row_weights.sum()))
            return
        self.targets = examples.per_example(targets)
        self.weights = examples.per_example(self.row_weights)
        if examples.rows is not None:
            shares = examples.per_example(1 / examples.windows)
            self.weights = self.weights * shares.reshape(-1, *[1] * (self.weights.ndim - 1))
            self.weights = self.weights / self.weights.mean()

    def __len__(self):
        return len(self.examples)

    def all_that_counts(self):
        """Arrays that decide what is learnt."""
        second = () if self.examples.second is None else self.examples.second
        return self.examples.ids, self.examples.offsets, second, self.targets, self.weights

    def state(self):
        """What changes as rows are drawn, in a form that JSON has; here nothing."""

    def go_on(self, state):
        """Draw rows as they would have come after a state."""

    def __getitems__(self, rows):
        rows = np.asarray(rows)
        inputs = pad(self.examples, rows, self.pad_id)
        if self.examples.words is None:
            targets, weights = self.targets[rows], self.weights[rows]
        else:
            targets, weights = self._per_token(rows, tuple(inputs["input_ids"].shape))
        return inputs, self.collate(targets), torch.from_numpy(weights)

    def _per_token(self, rows, shape):
        """Targets and weights of words, laid where their first pieces are."""
        words, which, positions = self.examples.words_in(rows)
        targets, weights = np.full(shape, -100), np.zeros(shape)
        targets[which, positions] = self.targets[words]
        weights[which, positions] = self.weights[words]
        return targets, weights
