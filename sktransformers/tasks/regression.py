"""One number, or several, for each text."""

from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Regression"]


@dataclass(frozen=True)
class Regression:
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
    averages_tokens = False
    keeps_head = False

    @classmethod
    def fit(cls, y, weights=None):
        """Learn the targets' mean and scale; of constant targets the scale is 1."""
        mean = np.average(y, axis=0, weights=weights)
        scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))
        return cls(np.asarray(mean), np.where(scale > 0, scale, 1.0))

    def config(self):
        """Settings of the head."""
        return {"num_labels": self.mean.size, "problem_type": "regression"}

    def encode(self, y, name="y"):
        """Standardised targets of shape (n_rows, n_outputs)."""
        standard = (y - self.mean) / self.scale
        return standard.reshape(len(y), -1)

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
