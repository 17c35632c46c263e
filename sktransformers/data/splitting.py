"""Running text as words with their places in it."""

from functools import cache

__all__ = ["split_words"]


def split_words(text):
    """Find the words of a text.

    It is split at white space, and punctuation, symbols and Chinese characters are words of their
    own, each with the combining marks behind it; as BERT does it (Devlin et al., 2018,
    arXiv:1810.04805), but that nothing is dropped or changed.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of (int, int)
        Start and end of each word, in characters.

    Examples
    --------
    >>> text = "It's 5°C in 北京."
    >>> [text[start:stop] for start, stop in split_words(text)]
    ['It', "'", 's', '5', '°', 'C', 'in', '北', '京', '.']
    """
    return [match.span() for match in _word().finditer(text)]


@cache
def _word():
    import regex  # the only one that knows Unicode's categories and scripts

    alone = r"\p{P}\p{S}\p{Han}"
    return regex.compile(rf"[{alone}]\p{{M}}*|[^\s{alone}]+")
