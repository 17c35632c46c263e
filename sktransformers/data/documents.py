"""Documents: texts as lists of sentences, and the pairs that are learnt from them."""

from dataclasses import dataclass

import numpy as np

from .inputs import as_texts, as_token_lists, holds_texts
from .texts import Texts

__all__ = ["Documents", "as_texts_or_documents", "sentence_pairs"]


@dataclass(frozen=True)
class Documents:
    """Rows of sentences.

    Parameters
    ----------
    rows : list of list of str
    """

    rows: list

    are_pairs = False
    second = None

    def __len__(self):
        return len(self.rows)

    @property
    def first(self):
        """The documents as texts."""
        return [" ".join(row) for row in self.rows]

    def must_be_pairs(self, wanted, name):
        """Do nothing: documents come in one kind."""

    def as_list(self):
        """The rows, as a user would write them."""
        return self.rows

    def where(self, mask):
        """The rows for which a mask is true."""
        return Documents([row for row, kept in zip(self.rows, mask, strict=True) if kept])


def as_texts_or_documents(X, name="X"):
    """Read texts, or lists of sentences, told apart by the first row."""
    if holds_texts(X):
        return as_texts(X, name)
    return Documents(as_token_lists(X, name).rows)


def sentence_pairs(documents, rng):
    """Pairs of sentences, half of them neighbours and half from two documents.

    Parameters
    ----------
    documents : list of list of str
    rng : Generator

    Returns
    -------
    pairs : Texts
    is_apart : ndarray of shape (n_pairs,), int
        0 for neighbours, 1 for others: as the heads of transformers count.
    rows : ndarray of shape (n_pairs,), int
        The document of each first sentence.
    """
    filled = [row for row, document in enumerate(documents) if any(document)]
    if len(filled) < 2 or not any(len(document) > 1 for document in documents):
        raise ValueError(
            "next_sentence=True needs at least two documents with sentences, one of them with two "
            f"or more, but X holds {len(filled)} with sentences. Pass lists of sentences, or set "
            "next_sentence=False."
        )
    neighbours = [
        (row, place) for row, document in enumerate(documents) for place in range(len(document) - 1)
    ]
    alone = [(row, 0) for row, document in enumerate(documents) if len(document) == 1]
    # Sentences that have no neighbour can only be paired with others': they are the first of those.
    n_apart = max(0, (len(neighbours) + len(alone)) // 2 - len(alone))
    torn = rng.permutation(len(neighbours))[:n_apart]
    pairs = [(*pair, 0) for pair in neighbours]
    for i in torn:
        pairs[i] = (*neighbours[i], 1)
    pairs += [(*pair, 1) for pair in alone]
    sizes = np.array([len(document) for document in documents])
    first, second = [], []
    for row, place, apart in pairs:
        first.append(documents[row][place])
        if not apart:
            second.append(documents[row][place + 1])
            continue
        other = row
        while other == row:
            other = filled[rng.integers(len(filled))]
        second.append(documents[other][rng.integers(sizes[other])])
    is_apart = np.array([apart for *_, apart in pairs], dtype=np.int64)
    return Texts(first, second), is_apart, np.array([row for row, *_ in pairs])
