"""Texts become token ids: once per fit, without padding, and cut by us alone."""

import numpy as np

from ..exceptions import TruncationWarning, warn_caller
from .examples import Examples
from .pieces import CHUNK, Frame, pieces
from .words import TokenLists, tokenise_words

__all__ = ["tell_of_cuts", "tokenise", "tokenise_all"]


def tokenise_all(tokenizer, sets, max_length, stride=None):
    """Turn some sets of texts, or of token lists, into examples; what is cut is told once.

    Parameters are those of ``tokenise``, but for ``sets``: a list of Texts or of TokenLists.
    """
    results = [tokenise(tokenizer, texts, max_length, stride) for texts in sets]
    tell_of_cuts(np.concatenate([cut for _, cut in results]), sets[0], max_length)
    return [examples for examples, _ in results]


def tell_of_cuts(cut, texts, max_length):
    """Warn of texts whose ends were not read.

    Parameters
    ----------
    cut : ndarray of shape (n_rows,), bool
    texts : Texts or TokenLists
        Some of them, to tell their kind.
    max_length : int
    """
    if not cut.any():
        return
    share = f"{cut.sum()} of {len(cut)} texts ({cut.mean():.1%})"
    what = (
        f"{share} hold tokens that fill half of max_length={max_length} alone: the ends of these "
        "tokens were not read. Split such tokens, or drop them."
        if isinstance(texts, TokenLists)
        else f"{share} are longer than max_length={max_length} tokens: their ends were not read. "
        "Set stride to read them whole, or raise max_length if it is below what the model can take."
    )
    warn_caller(what, TruncationWarning)


def tokenise(tokenizer, texts, max_length, stride=None):
    """Turn texts, or token lists, into examples of at most ``max_length`` tokens.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    texts : Texts or TokenLists
    max_length : int
        Special tokens included.
    stride : int or None
        None cuts what is longer; of a pair the longer text first. A number reads longer texts as
        windows that overlap by so many tokens; of a pair the second text only, beside a first
        one that is cut to half of the room.

    Returns
    -------
    examples : Examples
    cut : ndarray of shape (n_rows,), bool
        Which rows lost tokens.
    """
    if isinstance(texts, TokenLists):
        return tokenise_words(tokenizer, texts, max_length, stride)
    frame = Frame.of(tokenizer, pairs=texts.are_pairs)
    least = 2 if texts.are_pairs else 1
    room = frame.room(max_length, least=least)
    if stride is not None and stride >= room // least:
        raise ValueError(
            f"stride must be smaller than what a window holds, which is {room // least} tokens "
            f"here, but stride={stride}. Use a smaller stride or a larger max_length."
        )
    parts, cut = [], []
    for start in range(0, len(texts), CHUNK):
        some = texts.part(start, start + CHUNK)
        part, of_part = _examples(tokenizer, some, frame, room, stride)
        parts.append(part)
        cut += of_part
    return Examples.concatenate(parts), np.array(cut)


def _examples(tokenizer, texts, frame, room, stride):
    """Examples of some texts, and which rows lost tokens."""
    needed = room if stride is None else None
    first = pieces(tokenizer, texts.read, needed)
    second = pieces(tokenizer, texts.second, needed) if texts.are_pairs else [None] * len(first)
    unknown = [tokenizer.pad_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id]
    lists, rows, starts, cut = [], [], [], []
    for row, (one, other) in enumerate(zip(first, second)):
        if other is None:
            start, body = frame.before, one
        else:
            n = _share(len(one), len(other), room, stride)
            start, body = frame.before + one[:n] + frame.between, other
        left = room + len(frame) - len(start) - len(frame.after)
        windows = [body[:left]] if stride is None else _windows(body, left, stride)
        cut_first = other is not None and n < len(one)
        cut.append(cut_first or (stride is None and len(body) > left))
        lists += [start + window + frame.after or unknown for window in windows]
        rows += [row] * len(windows)
        starts += [len(start)] * len(windows)
    typed = texts.are_pairs and "token_type_ids" in tokenizer.model_input_names
    examples = Examples.from_lists(
        lists,
        room + len(frame),
        rows=None if stride is None else rows,
        second=starts if typed else None,
    )
    return examples, cut


def _share(n_first, n_second, room, stride):
    """Tokens that are kept of a pair's first text."""
    half = room // 2
    if stride is not None:
        return min(n_first, half)
    if n_first + n_second <= room or n_first <= half:
        return n_first
    return max(room - n_second, room - half)


def _windows(ids, size, stride):
    """Overlapping parts of a text, the last one reaching its end; one if it is short.

    Without overlap they are blocks, so that each token is in one, and the last may be short.
    """
    if stride == 0:
        return [ids[start : start + size] for start in range(0, max(1, len(ids)), size)]
    last = max(0, len(ids) - size)
    starts = [*range(0, last, size - stride), last]
    return [ids[start : start + size] for start in starts]
