"""Texts become token ids: once per fit, without padding, and cut by us alone.

A tokenizer shared by threads, one of which changes its padding or truncation, returns wrong
shapes in silence. So it is never asked for either.
"""

from dataclasses import dataclass

from ..exceptions import TruncationWarning, warn_caller
from .examples import Examples

__all__ = ["Frame", "tokenise", "tokenise_all"]

# Texts handed to the tokenizer at once: enough for its own threads, little beside the result.
_CHUNK = 1024

# Pieces by which a shortened text must overshoot what is kept. Where a text is cut inside a
# word, only that word's pieces change: at most 100 of them in WordPiece (longer words are one
# unknown piece), and fewer in the other schemes.
_MARGIN = 256


@dataclass(frozen=True)
class Frame:
    """Special token ids before, between and after the texts of an example.

    Parameters
    ----------
    before, between, after : list of int
        ``between`` is empty for single texts.
    """

    before: list
    between: list
    after: list

    @classmethod
    def of(cls, tokenizer, *, pairs=False):
        """Find a tokenizer's frame by asking it.

        Fast and slow tokenizers, with and without a template, have no other way in common.
        """
        texts = ("a", "a") if pairs else ("a",)
        found = tokenizer(*texts, return_special_tokens_mask=True, truncation=False, padding=False)
        ids, special = found["input_ids"], found["special_tokens_mask"]
        start = special.index(0)
        stop = len(special) - special[::-1].index(0)
        n = special[start:stop].count(0) // len(texts)
        between = ids[start + n : stop - n] if pairs else []
        return cls(ids[:start], between, ids[stop:])

    def __len__(self):
        return len(self.before) + len(self.between) + len(self.after)


def tokenise_all(tokenizer, sets, max_length, stride=None):
    """Turn some sets of texts into examples; what is cut is told in one warning.

    Parameters are those of ``tokenise``, but for ``sets``: a list of Texts.
    """
    results = [tokenise(tokenizer, texts, max_length, stride) for texts in sets]
    n_cut, n_rows = sum(n for _, n in results), sum(map(len, sets))
    if n_cut:
        warn_caller(
            f"{n_cut} of {n_rows} texts ({n_cut / n_rows:.1%}) are longer than "
            f"max_length={max_length} tokens: their ends were not read. Set stride to read them "
            "whole, or raise max_length if it is below what the model can take.",
            TruncationWarning,
        )
    return [examples for examples, _ in results]


def tokenise(tokenizer, texts, max_length, stride=None):
    """Turn texts into examples of at most ``max_length`` tokens.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    texts : Texts
    max_length : int
        Special tokens included.
    stride : int or None
        None cuts what is longer; of a pair the longer text first. A number reads longer texts as
        windows that overlap by so many tokens; of a pair the second text only, beside a first
        one that is cut to half of the room.

    Returns
    -------
    examples : Examples
    n_cut : int
        How many rows lost tokens.
    """
    frame = Frame.of(tokenizer, pairs=texts.are_pairs)
    room = max_length - len(frame)
    least = 2 if texts.are_pairs else 1
    if room < least:
        raise ValueError(
            f"max_length must leave room beside the {len(frame)} special tokens, but "
            f"max_length={max_length}. Use {len(frame) + least} or more."
        )
    if stride is not None and stride >= room // least:
        raise ValueError(
            f"stride must be smaller than what a window holds, which is {room // least} tokens "
            f"here, but stride={stride}. Use a smaller stride or a larger max_length."
        )
    parts, n_cut = [], 0
    for start in range(0, len(texts), _CHUNK):
        part, n = _examples(tokenizer, texts.part(start, start + _CHUNK), frame, room, stride)
        parts.append(part)
        n_cut += n
    return Examples.concatenate(parts), n_cut


def _examples(tokenizer, texts, frame, room, stride):
    """Examples of some texts, and how many rows lost tokens."""
    needed = room if stride is None else None
    first = _pieces(tokenizer, texts.first, needed)
    second = _pieces(tokenizer, texts.second, needed) if texts.are_pairs else [None] * len(first)
    lists, rows, starts, n_cut = [], [], [], 0
    for row, (one, other) in enumerate(zip(first, second)):
        if other is None:
            start, body = frame.before, one
        else:
            n = _share(len(one), len(other), room, stride)
            start, body = frame.before + one[:n] + frame.between, other
        left = room + len(frame) - len(start) - len(frame.after)
        windows = [body[:left]] if stride is None else _windows(body, left, stride)
        cut_first = other is not None and n < len(one)
        n_cut += cut_first or (stride is None and len(body) > left)
        lists += [start + window + frame.after for window in windows]
        rows += [row] * len(windows)
        starts += [len(start)] * len(windows)
    typed = texts.are_pairs and "token_type_ids" in tokenizer.model_input_names
    examples = Examples.from_lists(
        lists,
        room + len(frame),
        rows=None if stride is None else rows,
        second=starts if typed else None,
    )
    return examples, n_cut


def _share(n_first, n_second, room, stride):
    """Tokens that are kept of a pair's first text."""
    half = room // 2
    if stride is not None:
        return min(n_first, half)
    if n_first + n_second <= room or n_first <= half:
        return n_first
    return max(room - n_second, room - half)


def _windows(ids, size, stride):
    """Overlapping parts of a text, the last one reaching its end; one if it is short."""
    last = max(0, len(ids) - size)
    starts = [*range(0, last, size - stride), last]
    return [ids[start : start + size] for start in starts]


def _pieces(tokenizer, texts, needed):
    """Piece ids of each text; of a very long one, more than the number needed and not all."""
    if needed is None:
        return _encode(tokenizer, texts)
    short = max(16 * needed, 8 * (needed + _MARGIN))
    heads = [text if len(text) <= short else text[: _cut(text, short)] for text in texts]
    ids = _encode(tokenizer, heads)
    for row, text in enumerate(texts):
        size = short
        while len(heads[row]) < len(text) and len(ids[row]) < needed + _MARGIN:
            size *= 4
            heads[row] = text if len(text) <= size else text[: _cut(text, size)]
            ids[row] = _encode(tokenizer, [heads[row]])[0]
    return ids


def _cut(text, size):
    """A place to cut at or shortly before ``size``: at white space, if some is near."""
    near = max(text.rfind(" ", size - 1000, size), text.rfind("\n", size - 1000, size))
    return near if near > 0 else size


def _encode(tokenizer, texts):
    return tokenizer(
        texts,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
