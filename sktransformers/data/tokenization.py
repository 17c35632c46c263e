"""Texts become token ids: once per fit, without padding, and cut by us alone.

A tokenizer shared by threads, one of which changes its padding or truncation, returns wrong
shapes in silence. So it is never asked for either.
"""

import re

from .examples import Examples

__all__ = ["special_frame", "tokenise"]

# Texts handed to the tokenizer at once: enough for its own threads, little beside the result.
_CHUNK = 1024

# Pieces by which a shortened text must overshoot what is kept. Where a text is cut inside a
# word, only that word's pieces change: at most 100 of them in WordPiece (longer words are one
# unknown piece), and fewer in the other schemes.
_MARGIN = 256

_SURROGATES = re.compile("[\ud800-\udfff]")


def special_frame(tokenizer):
    """Special token ids that stand before and after a single text.

    Found by asking the tokenizer, since fast and slow ones, with and without a template,
    have no other way in common.

    Returns
    -------
    before, after : list of int
    """
    encoded = tokenizer("a", return_special_tokens_mask=True, truncation=False, padding=False)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    start = special.index(0)
    stop = len(special) - special[::-1].index(0)
    return ids[:start], ids[stop:]


def tokenise(tokenizer, texts, max_length):
    """Turn texts into examples of at most ``max_length`` tokens.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    texts : list of str
    max_length : int
        Special tokens included.

    Returns
    -------
    examples : Examples
    n_cut : int
        How many texts were longer and lost their end.
    """
    before, after = special_frame(tokenizer)
    room = max_length - len(before) - len(after)
    if room < 1:
        raise ValueError(
            f"max_length must leave room for a token beside the {len(before) + len(after)} special "
            f"ones, but max_length={max_length}. Use {len(before) + len(after) + 1} or more."
        )
    parts, n_cut = [], 0
    for start in range(0, len(texts), _CHUNK):
        pieces = _pieces(tokenizer, texts[start : start + _CHUNK], room)
        n_cut += sum(len(ids) > room for ids in pieces)
        kept = [before + ids[:room] + after for ids in pieces]
        parts.append(Examples.from_lists(kept, max_length))
    return Examples.concatenate(parts), n_cut


def _pieces(tokenizer, texts, room):
    """Piece ids of each text; of a very long one, more than ``room`` of them and not all."""
    short = 16 * room
    heads = [text if len(text) <= short else text[: _cut(text, short)] for text in texts]
    ids = _encode(tokenizer, heads)
    for row, text in enumerate(texts):
        size = short
        while len(heads[row]) < len(text) and len(ids[row]) < room + _MARGIN:
            size *= 4
            heads[row] = text if len(text) <= size else text[: _cut(text, size)]
            ids[row] = _encode(tokenizer, [heads[row]])[0]
    return ids


def _cut(text, size):
    """A place to cut at or shortly before ``size``: at white space, if some is near."""
    near = max(text.rfind(" ", size - 1000, size), text.rfind("\n", size - 1000, size))
    return near if near > 0 else size


def _encode(tokenizer, texts):
    # Lone surrogates are no Unicode text: the tokenizers library refuses them.
    texts = [t if t.isascii() else _SURROGATES.sub("\ufffd", t) for t in texts]
    return tokenizer(
        texts,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
