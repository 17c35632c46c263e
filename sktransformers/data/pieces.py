"""The tokenizer's part: texts to piece ids, and the special tokens around them.

A tokenizer shared by threads, one of which changes its padding or truncation, returns wrong
shapes in silence. So it is never asked for either.
"""

from dataclasses import dataclass

__all__ = ["Frame", "pieces"]

# Texts handed to the tokenizer at once: enough for its own threads, little beside the result.
CHUNK = 1024

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
        ids, special = _framed(tokenizer, texts)
        start = special.index(0)
        stop = len(special) - special[::-1].index(0)
        n = special[start:stop].count(0) // len(texts)
        between = ids[start + n : stop - n] if pairs else []
        return cls(ids[:start], between, ids[stop:])

    def __len__(self):
        return len(self.before) + len(self.between) + len(self.after)

    def room(self, max_length, *, least):
        """Tokens that are left for texts; refused if fewer than at least needed."""
        room = max_length - len(self)
        if room < least:
            raise ValueError(
                f"max_length must leave room beside the {len(self)} special tokens, but "
                f"max_length={max_length}. Use {len(self) + least} or more."
            )
        return room


def pieces(tokenizer, texts, needed=None):
    """Piece ids of each text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    texts : list of str
    needed : int or None
        Of a very long text, more than so many ids and not all; None is all of them.

    Returns
    -------
    list of list of int
    """
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


def _framed(tokenizer, texts):
    """Ids of a text or a pair with its frame, and which of them are special."""
    if (backend := _plain_backend(tokenizer)) is not None:
        found = backend.encode(*texts)  # a tenth of a millisecond less, for one text
        return found.ids, found.special_tokens_mask
    found = tokenizer(*texts, return_special_tokens_mask=True, truncation=False, padding=False)
    return found["input_ids"], found["special_tokens_mask"]


def _encode(tokenizer, texts):
    if (backend := _plain_backend(tokenizer)) is not None:
        # Without finding where pieces stand in the text, a third faster.
        return [found.ids for found in backend.encode_batch_fast(texts, add_special_tokens=False)]
    return tokenizer(
        texts,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]


def _plain_backend(tokenizer):
    """A tokenizer's own part if it cuts, fills and splits as it would be told to here, else None.

    It does what it was told last: the caller may have asked for something else.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    as_wanted = backend.encode_special_tokens == getattr(tokenizer, "split_special_tokens", False)
    return backend if as_wanted and backend.truncation is None and backend.padding is None else None
