"""One class for each word."""

import reprlib
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.utils.multiclass import check_classification_targets
from torch.nn import functional

from ..data.examples import Ragged
from ..data.targets import as_labels
from ..data.task import Task
from ..schemes import LENIENT, PLAIN, SCHEMES, SpanTags, find_spans, recognise, transitions
from .classification import head_settings

__all__ = ["Tagging"]

_FORBIDDEN = -1e9  # added to a log-probability; finite, so that there is always a best sequence
_CELLS = 2_000_000  # scores of pairs of tags that are compared at once


@dataclass(frozen=True)
class Tagging(Task):
    """A tag for every word of every row.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The tags, sorted.
    scheme : str
        A name of SCHEMES, "lenient" or "plain".
    constrained : bool, default=True
        Whether predictions follow the scheme to the letter.
    """

    classes: np.ndarray
    scheme: str
    constrained: bool = True

    auto_class = "AutoModelForTokenClassification"

    @classmethod
    def fit(cls, y, scheme="auto", constrained=True):
        """Learn the tags and their scheme from all rows: an object array of lists."""
        flat = [tag for row in y for tag in row]
        if not flat:
            raise ValueError(
                "y must hold some tags, but all of its rows are empty. Pass rows with tokens."
            )
        flat = as_labels(flat, len(flat))
        check_classification_targets(flat)
        classes, codes = np.unique(flat, return_inverse=True)
        tags = SpanTags.of(classes.tolist())
        if scheme == "auto":
            offsets = np.concatenate([[0], np.cumsum([len(row) for row in y])])
            scheme = recognise(tags, codes, offsets) or PLAIN
        elif scheme != PLAIN:
            known = "BIESMLU" if scheme == LENIENT else SCHEMES[scheme][0]
            if tags is None or not set(tags.letters) <= set(known):
                raise ValueError(
                    f"With scheme={scheme!r} tags must be 'O' or start with one of {list(known)} "
                    f"and '-', but y holds {reprlib.repr(classes.tolist())}. Use scheme='auto', "
                    "or 'plain'."
                )
        return cls(classes, scheme, constrained)

    def config(self):
        """Settings of the head, with the tags' names for other tools."""
        settings = head_settings(self.classes, None)
        del settings["problem_type"]
        return settings

    def encode(self, y, name="y"):
        """Each tag's position in ``classes``, all rows in one; unknown tags are refused."""
        places = {tag: code for code, tag in enumerate(self.classes.tolist())}
        flat = list(chain.from_iterable(y))
        codes = np.fromiter((places.get(tag, -1) for tag in flat), np.int64, count=len(flat))
        if (codes < 0).any():
            place = int((codes < 0).argmax())
            row = int(np.searchsorted(np.cumsum([len(r) for r in y]), place, side="right"))
            raise ValueError(
                f"{name} must hold tags that the tagger knows, but row {row} holds "
                f"{flat[place]!r}. It knows {reprlib.repr(self.classes.tolist())}. Drop such rows, "
                "or fit anew on all tags."
            )
        return codes

    def strata(self, y):
        """Validation rows are chosen at random: a row has many tags."""
        return None

    def collate(self, targets):
        """Codes as a tensor, -100 where no word starts."""
        return torch.from_numpy(targets)

    def forward(self, model, inputs):
        """Logits of shape (n_rows, width, n_classes)."""
        return model(**inputs).logits

    def loss(self, outputs, labels, weights):
        """Cross-entropy of the words, each times its weight, divided by the number of rows.

        Weights add up to the number of rows over a data set, so that this is the mean over words.
        """
        losses = functional.cross_entropy(
            outputs.reshape(-1, outputs.shape[-1]), labels.reshape(-1), reduction="none"
        )
        return (losses * weights.reshape(-1).to(losses.dtype)).sum() / len(labels)

    def initial_head(self, features, targets, weights):
        """The head starts at random."""
        return None

    def decode(self, outputs):
        """The tags of each row: an object array of lists."""
        return self._by_row(self.classes[self.best(outputs)].tolist(), outputs.offsets)

    def best(self, outputs):
        """The best sequence's codes, all rows in one: ndarray of shape (n_words,)."""
        codes = outputs.values.argmax(axis=1)
        if self.scheme in (PLAIN, LENIENT) or not self.constrained or not len(codes):
            return codes
        rules = transitions(SpanTags.of(self.classes.tolist()), self.scheme)
        odd = _rows_against(rules, codes, outputs.offsets)
        for rows in _in_parts(odd, outputs.offsets, len(self.classes)):
            _viterbi(outputs, rows, rules, codes)
        return codes

    def spans(self, codes, offsets):
        """Starts, stops and labels of what the codes mark; of plain tags every word is one."""
        if self.scheme == PLAIN:
            words = np.arange(len(codes))
            return words, words + 1, self.classes[codes].tolist()
        tags = SpanTags.of(self.classes.tolist())
        starts, stops, types = find_spans(tags, codes, offsets)
        return starts, stops, [tags.names[kind] for kind in types]

    def probabilities(self, outputs):
        """Probability of each tag, word by word: Ragged."""
        return Ragged(softmax(outputs.values, axis=1), outputs.offsets)

    @staticmethod
    def _by_row(values, offsets):
        rows = np.empty(len(offsets) - 1, dtype=object)
        bounds = offsets.tolist()
        for row, (start, stop) in enumerate(pairwise(bounds)):
            rows[row] = values[start:stop]
        return rows


def _rows_against(rules, codes, offsets):
    """Rows whose tags break the rules."""
    allowed, first, last = rules
    wrong = np.zeros(len(codes), dtype=bool)
    wrong[1:] = ~allowed[codes[:-1], codes[1:]]
    filled = offsets[1:] > offsets[:-1]
    heads, tails = offsets[:-1][filled], offsets[1:][filled] - 1
    wrong[heads] = ~first[codes[heads]]
    wrong[tails] |= ~last[codes[tails]]
    return np.unique(np.searchsorted(offsets, np.flatnonzero(wrong), side="right") - 1)


def _in_parts(rows, offsets, n_classes):
    """The rows, longest first, in parts that fit in memory."""
    rows = rows[np.argsort(offsets[rows] - offsets[rows + 1], kind="stable")]
    size = max(1, _CELLS // n_classes**2)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _viterbi(outputs, rows, rules, codes):
    """Write the best sequences that follow the rules into ``codes``, of all rows at once.

    The first words of all rows are looked at together, then their second words, and so on
    (Viterbi, 1967, doi:10.1109/TIT.1967.1054010).
    """
    allowed, first, last = (np.where(rule, 0.0, _FORBIDDEN) for rule in rules)
    starts = outputs.offsets[rows]
    lengths = outputs.offsets[rows + 1] - starts
    scores = log_softmax(outputs.values[starts], axis=1) + first
    came_from = []
    for t in range(1, lengths[0]):
        n = int(np.searchsorted(-lengths, -t))  # rows, longest first, that have a word t
        through = scores[:n, :, None] + allowed
        came_from.append(through.argmax(axis=1))
        scores[:n] = through.max(axis=1) + log_softmax(outputs.values[starts[:n] + t], axis=1)
    best = (scores + last).argmax(axis=1)
    for t in range(lengths[0] - 1, -1, -1):
        n = int(np.searchsorted(-lengths, -t))
        codes[starts[:n] + t] = best[:n]
        if t:
            best[:n] = came_from[t - 1][np.arange(n), best[:n]]
