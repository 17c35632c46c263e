"""The one record that crosses every border: tokenised texts, flat and unpadded."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Examples"]

# Padded widths are multiples of this: few distinct shapes, and aligned rows for the kernels.
_STEP = 8


@dataclass(frozen=True)
class Examples:
    """Token ids of many texts in one flat array.

    A list of lists costs some 60 bytes a token, this costs 4; and nothing is padded before
    a batch is made.

    Parameters
    ----------
    ids : ndarray of shape (n_tokens,), int32
        Token ids of all examples, one after the other, special tokens included.
    offsets : ndarray of shape (n_examples + 1,), int64
        Example ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
    longest : int
        What the examples were cut to, and no padding may go beyond: positions end there.

    Examples
    --------
    >>> examples = Examples.from_lists([[101, 7592, 102], [101, 102]], longest=512)
    >>> len(examples), examples[0], examples.lengths
    (2, array([ 101, 7592,  102], dtype=int32), array([3, 2]))
    """

    ids: np.ndarray
    offsets: np.ndarray
    longest: int

    @classmethod
    def from_lists(cls, lists, longest):
        """Lay lists of token ids end to end."""
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = np.fromiter((i for one in lists for i in one), dtype=np.int32, count=offsets[-1])
        return cls(ids, offsets, longest)

    @classmethod
    def concatenate(cls, parts):
        """Join several records into one, in order."""
        lengths = np.concatenate([part.lengths for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(np.concatenate([part.ids for part in parts]), offsets, parts[0].longest)

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, row):
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self):
        """Tokens in each example, special ones included: ndarray of shape (n_examples,)."""
        return np.diff(self.offsets)

    @property
    def widths(self):
        """What each example is padded to: its length rounded up, which depends on it alone."""
        rounded = -(-np.maximum(self.lengths, 1) // _STEP) * _STEP
        return np.minimum(rounded, self.longest)

    def take(self, rows):
        """The examples at these positions, as a record of their own."""
        return Examples.from_lists([self[row] for row in rows], self.longest)
