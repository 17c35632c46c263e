"""Documents: texts as lists of sentences, and the pairs that are learnt from them."""

import numpy as np

from .inputs import as_texts, as_token_lists, holds_texts
from .texts import Texts
from .words import TokenLists

__all__ = ["Documents", "as_texts_or_documents", "sentence_pairs"]


class Documents(TokenLists):
    """Rows of sentences.

    Parameters
    ----------
    rows : list of list of str
    """


def as_texts_or_documents(X, name="X"):
    """Read texts, or lists of sentences, told apart by the first row."""
    if holds_texts(X):
        return as_texts(X, name)
    return Documents(as_token_lists(X, name).rows)


def sentence_pairs(documents, rng, name="X"):
    """Pairs of sentences, half of them neighbours and half from two documents.

    Sentences that would else be read in no pair are the second ones of those from two documents.
    Only where most documents have one sentence are there more of these.

    Parameters
    ----------
    documents : Documents
    rng : Generator
    name : str, default="X"
        How messages call the documents.

    Returns
    -------
    pairs : Texts
    is_apart : ndarray of shape (n_pairs,), int
        0 for neighbours, 1 for others: as the heads of transformers count.
    rows : ndarray of shape (n_pairs,), int
        The document of each first sentence.
    """
    if not isinstance(documents, Documents):
        raise ValueError(
            f"next_sentence=True needs documents, but {name} holds texts. Pass lists of sentences, "
            "or set next_sentence=False."
        )
    documents = documents.rows
    filled = [row for row, document in enumerate(documents) if any(document)]
    if len(filled) < 2 or not any(len(document) > 1 for document in documents):
        raise ValueError(
            "next_sentence=True needs at least two documents with sentences, one of them with two "
            f"or more, but {name} holds {len(filled)} with sentences. Pass more documents, or set "
            "next_sentence=False."
        )
    neighbours = [
        (row, place) for row, document in enumerate(documents) for place in range(len(document) - 1)
    ]
    is_torn = np.zeros(len(neighbours), dtype=bool)
    is_torn[rng.permutation(len(neighbours))[: len(neighbours) // 2]] = True
    unread = [(row, 0) for row, document in enumerate(documents) if len(document) == 1]
    unread += [
        (row, place + 1)
        for (row, place), torn in zip(neighbours, is_torn)
        if torn and place + 2 == len(documents[row])
    ]
    unread = [unread[i] for i in rng.permutation(len(unread))]

    def another(row):
        """A sentence of another document, first of all one that is in no pair yet."""
        for i in range(len(unread) - 1, max(-1, len(unread) - 9), -1):
            if unread[i][0] != row:
                return unread.pop(i)
        other = row
        while other == row:
            other = filled[rng.integers(len(filled))]
        return other, int(rng.integers(len(documents[other])))

    pairs = [
        ((row, place), another(row) if torn else (row, place + 1), int(torn))
        for (row, place), torn in zip(neighbours, is_torn)
    ]
    while unread:
        one = unread.pop()
        pairs.append((one, another(one[0]), 1))
    first, second = (
        [documents[row][place] for row, place in side] for side in list(zip(*pairs))[:2]
    )
    is_apart = np.array([apart for *_, apart in pairs], dtype=np.int64)
    return Texts(first, second), is_apart, np.array([row for (row, _), *_ in pairs])
