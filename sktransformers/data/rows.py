"""Texts with what belongs to them, before they are encoded."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from .texts import Texts

__all__ = ["Rows", "mean_of_tokens", "must_come_together"]


@dataclass(frozen=True)
class Rows:
    """Rows of a data set as a user gave them, read and checked.

    Parameters
    ----------
    texts : Texts or TokenLists
    y : ndarray of shape (n_rows, ...), an indicator as a DataFrame, or None
        Tags: an object array of lists.
    weights : ndarray of shape (n_rows,) or None
        With mean 1, so that equal weights of any size change no bit of a fit.
    """

    texts: Texts
    y: np.ndarray
    weights: np.ndarray | None

    @classmethod
    def weighted(cls, texts, y, sample_weight, name="sample_weight"):
        """Rows with a user's weights, refused where they are negative or all zero."""
        if sample_weight is None:
            return cls(texts, y, None)
        weights = _checked(sample_weight, len(texts), name)
        weights = weights / weights.max()  # sums of very large ones would overflow
        return cls(texts, y, weights / weights.mean())

    def __len__(self):
        return len(self.texts)

    def where(self, mask):
        """The rows for which a mask is true; their weights have mean 1 again."""
        weights = None if self.weights is None else self.weights[mask]
        if weights is not None and weights.any():
            weights = weights / weights.mean()
        return Rows(self.texts.where(mask), None if self.y is None else self.y[mask], weights)

    def that_count(self):
        """The rows of a weight above zero: the others are as if they were not there."""
        if self.weights is None or self.weights.all() or not self.weights.any():
            return self
        return self.where(self.weights > 0)

    def split(self, fraction, seed, strata=None):
        """Choose rows for validation.

        Parameters
        ----------
        fraction : float
            The share of rows to choose.
        seed : int
        strata : ndarray of shape (n_rows,), int, or None
            Groups that keep their share, such as classes. scikit-learn's stratified splitters
            raise when a class has one row, or when there are more classes than validation rows;
            here a class keeps at least one row for training, and one with a single row stays
            there.

        Returns
        -------
        train, valid : Rows
        """
        strata = np.zeros(len(self), dtype=int) if strata is None else strata
        chosen = _stratified(strata, fraction, np.random.RandomState(seed))
        if not chosen.any():
            raise ValueError(
                f"early_stopping needs validation rows, but of {len(self)} rows none can be spared "
                "(each class keeps one for training). Pass X_val and y_val, or set "
                "early_stopping=False."
            )
        return self.where(~chosen), self.where(chosen)


def _checked(sample_weight, n_rows, name):
    weights = _check_sample_weight(
        sample_weight, range(n_rows), dtype=np.float64, ensure_non_negative=True
    )
    if not weights.any():
        raise ValueError(
            f"{name} must hold at least one weight above zero, but all {n_rows} are zero. Drop it, "
            "or give some row a weight."
        )
    return weights


def mean_of_tokens(sums, counts, sample_weight):
    """Mean over all tokens of rows, from the rows' sums and counts: float."""
    weights = np.ones(len(sums))
    if sample_weight is not None:
        weights = _checked(sample_weight, len(sums), "sample_weight")
    total = weights @ counts
    return float(weights @ sums / total) if total else 0.0


def must_come_together(X_val, y_val, sample_weight_val, *, needs_y=True):
    """Refuse a part of the validation rows' arguments."""
    if not needs_y and y_val is None:
        y_val = X_val
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    lacking = [name for name in ("X_val", "y_val") if given[name] is None]
    came = [name for name, value in given.items() if value is not None]
    if lacking and came:
        raise ValueError(
            f"X_val and y_val must come together, but only {' and '.join(came)} came. Pass "
            f"{' and '.join(lacking)} too."
        )


def _stratified(strata, fraction, rng):
    """Where a row is for validation: ndarray of bool."""
    wanted_in_all = max(1, round(fraction * len(strata)))
    counts = np.bincount(strata)
    exact = counts * (wanted_in_all / len(strata))
    spare = np.maximum(counts - 1, 0)
    wanted = np.minimum(np.floor(exact).astype(int), spare)
    while wanted.sum() < min(wanted_in_all, spare.sum()):
        # The largest remainder first; ties are drawn, so that it is not always the same class.
        remainder = np.where(wanted < spare, exact - wanted, -np.inf)
        wanted[rng.choice(np.flatnonzero(remainder == remainder.max()))] += 1
    chosen = np.zeros(len(strata), dtype=bool)
    for stratum, number in enumerate(wanted):
        chosen[rng.permutation(np.flatnonzero(strata == stratum))[:number]] = True
    return chosen
