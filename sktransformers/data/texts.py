"""What the estimators read: texts, or pairs of texts."""

from dataclasses import dataclass, field, replace

import numpy as np

__all__ = ["Texts", "must_be_pairs"]


@dataclass(frozen=True)
class Texts:
    """Texts of many rows, one or two a row.

    Parameters
    ----------
    first : list of str
    second : list of str or None
        The other texts of pairs.
    prompt : str, default=""
        What is read before each of the first texts.
    """

    first: list
    second: list | None = None
    prompt: str = field(default="", repr=False)

    def __len__(self):
        return len(self.first)

    @property
    def are_pairs(self):
        """Whether each row has two texts."""
        return self.second is not None

    @property
    def read(self):
        """The first texts as they are read."""
        return [self.prompt + text for text in self.first] if self.prompt else self.first

    def as_list(self):
        """The texts, or tuples of two, as a user would write them."""
        return self.first if self.second is None else list(zip(self.first, self.second))

    def where(self, mask):
        """The rows for which a mask is true."""
        columns = [self.first] if self.second is None else [self.first, self.second]
        kept = ([text for text, keep in zip(c, mask, strict=True) if keep] for c in columns)
        return replace(self, **dict(zip(("first", "second"), kept)))

    def distinct(self):
        """Rows that differ, and for each row the place of its like among them."""
        known = {}
        places = [known.setdefault(row, len(known)) for row in self.as_list()]
        columns = [list(known)] if self.second is None else map(list, zip(*known))
        return replace(self, **dict(zip(("first", "second"), columns))), np.array(places)

    def part(self, start, stop):
        """The rows from start to stop."""
        second = self.second and self.second[start:stop]
        return replace(self, first=self.first[start:stop], second=second)


def must_be_pairs(texts, wanted, name):
    """Refuse single texts where pairs were learnt from, and the reverse.

    Parameters
    ----------
    texts : Texts, or rows of another kind
    wanted : bool
    name : str
        How messages call them.
    """
    if texts.are_pairs != wanted:
        kinds = {True: "pairs of texts", False: "single texts"}
        raise ValueError(
            f"{name} must hold {kinds[wanted]}, as X did in fit, but it holds "
            f"{kinds[not wanted]}. Pass rows like those of fit."
        )
