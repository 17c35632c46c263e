"""One number, or several, for each text."""

from dataclasses import dataclass

import numpy as np
import torch

from ..data.task import Task

__all__ = ["Regression"]


@dataclass(frozen=True)
class Regression(Task):
    """Regression on standardised targets, given back in the caller's units.

    Parameters
    ----------
    mean, scale : ndarray of shape () or (n_outputs,)
        Weighted mean and standard deviation of the targets; without dimensions where the targets
        have one only.
    """

    mean: np.ndarray
    scale: np.ndarray

    auto_class = "AutoModelForSequenceClassification"

    @classmethod
    def fit(cls, y, weights=None):
        """Learn the targets' mean and scale; of constant targets the scale is 1."""
        if weights is not None:
            y, weights = y[weights > 0], weights[weights > 0]
        # In units near the largest target, whose squares have room; powers of 2 change no bit.
        unit = np.ldexp(1.0, np.frexp(np.abs(y).max(axis=0))[1])
        y = y / unit
        spread = np.ptp(y, axis=0)
        mean = np.where(spread == 0, y[0], np.average(y, axis=0, weights=weights))
        scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))
        # What the mean's rounding alone may leave, as in scikit-learn's StandardScaler.
        rounding = len(y) * np.finfo(y.dtype).eps * np.abs(mean)
        constant = (scale <= rounding) | (scale * unit < np.finfo(y.dtype).tiny)
        scale = np.where(constant, np.maximum(spread * unit, 1.0), scale * unit)
        return cls(np.asarray(mean * unit), scale)

    def config(self):
        """Settings of the head."""
        return {"num_labels": self.mean.size, "problem_type": "regression"}

    def encode(self, y, name="y"):
        """Standardised targets of shape (n_rows, n_outputs)."""
        self.must_fit(y, name)
        standard = (y - self.mean) / self.scale
        return standard.reshape(len(y), -1)

    def must_fit(self, y, name="y"):
        """Refuse targets of another shape than those that mean and scale were learnt from."""
        if y.shape[1:] != self.mean.shape:
            raise ValueError(
                f"{name} must have {_shape(self.mean.shape)}, as y had in fit, but it has "
                f"{_shape(y.shape[1:])}. Pass numbers of that shape, or fit anew on others."
            )

    def strata(self, y):
        """Validation rows are chosen at random."""
        return None

    def collate(self, targets):
        """Standardised targets as a tensor."""
        return torch.from_numpy(targets)

    def forward(self, model, inputs):
        """Standardised predictions of shape (n_rows, n_outputs)."""
        return model(**inputs).logits

    def loss(self, outputs, labels, weights):
        """Squared error, averaged over outputs, each row times its weight, over rows."""
        errors = (outputs - labels.to(outputs.dtype)).square().mean(dim=1)
        return (errors * weights.to(errors.dtype)).sum() / len(errors)

    def initial_head(self, features, targets, weights):
        """None: behind a probe's large weights squared errors are unstable."""
        return None

    def decode(self, outputs):
        """Predictions in the caller's units, of the targets' shape."""
        return outputs.reshape(-1, *self.mean.shape) * self.scale + self.mean


def _shape(of_row):
    if not of_row:
        return "one dimension, with a number a row"
    (n,) = of_row
    return f"two dimensions, with {n} column{'' if n == 1 else 's'}"
