"""What a generator reads: texts, or messages of a conversation, with or without completions."""

from dataclasses import dataclass

from .inputs import as_texts, holds_texts, only_column

__all__ = ["Prompts", "as_prompts"]


@dataclass(frozen=True)
class Prompts:
    """Rows that a generator goes on from, or learns.

    Parameters
    ----------
    rows : list of str, or of lists of dict
        Texts, or messages with "role" and "content".
    completions : list of str or None
        What should follow each row.
    """

    rows: list
    completions: list | None = None

    are_pairs = False

    def __len__(self):
        return len(self.rows)

    @property
    def are_messages(self):
        """Whether rows are conversations."""
        return not isinstance(self.rows[0], str)

    @property
    def first(self):
        """All that is text in the rows, for what learns a vocabulary."""
        if self.are_messages:
            return [message["content"] for row in self.rows for message in row]
        return self.rows

    @property
    def second(self):
        """The completions, for what learns a vocabulary."""
        return self.completions

    def as_list(self):
        """The rows, as a user would write them."""
        return self.rows

    def followed_by(self, completions):
        """The same rows, with what should follow them: an array of texts, or None."""
        return Prompts(self.rows, None if completions is None else completions.tolist())

    def where(self, mask):
        """The rows for which a mask is true."""
        rows = [row for row, kept in zip(self.rows, mask, strict=True) if kept]
        if self.completions is None:
            return Prompts(rows)
        return Prompts(rows, [c for c, kept in zip(self.completions, mask, strict=True) if kept])


def as_prompts(X, name="X"):
    """Read texts, or lists of messages, told apart by the first row."""
    if holds_texts(X):
        return Prompts(as_texts(X, name).first)
    rows = only_column(X, name)
    for number, row in enumerate(rows):
        fits = isinstance(row, (list, tuple)) and row and all(_is_message(m) for m in row)
        if not fits:
            raise ValueError(
                f"{name} must hold texts, or lists of messages such as "
                "{'role': 'user', 'content': 'Hello'}, but row "
                f"{number} is {row!r}. Pass rows of one kind."
            )
    if not rows:
        raise ValueError(f"{name} must hold at least one text, but it has 0 rows.")
    return Prompts([[dict(message) for message in row] for row in rows])


def _is_message(message):
    return isinstance(message, dict) and all(
        isinstance(message.get(key), str) for key in ("role", "content")
    )
