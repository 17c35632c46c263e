"""Any number of labels for each text."""

import reprlib
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit, log_expit
from torch.nn import functional

from ..data.task import Task
from .classification import head_settings
from .probing import probed_head

__all__ = ["MultiLabel"]


@dataclass(frozen=True)
class MultiLabel(Task):
    """Multi-label classification: each label is there or not, whatever the others are.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The names of the indicator matrix's columns.
    """

    classes: np.ndarray

    auto_class = "AutoModelForSequenceClassification"

    @classmethod
    def fit(cls, y):
        """Learn the classes from an indicator frame."""
        return cls(y.columns.to_numpy())

    def config(self):
        """Settings of the head, with the labels' names for other tools."""
        return head_settings(self.classes, "multi_label_classification")

    def encode(self, y, name="y"):
        """The indicator matrix; other columns than those of fit are refused."""
        if y.ndim == 1:
            raise ValueError(
                f"{name} must be an indicator matrix, as y was in fit, but one label a row came. "
                f"Pass 0 and 1 in the columns {reprlib.repr(self.classes.tolist())}."
            )
        if not np.array_equal(y.columns.to_numpy(), self.classes):
            raise ValueError(
                f"{name} must have the columns {self.classes.tolist()}, as in fit, but it has "
                f"{y.columns.tolist()}. Pass the same columns in the same order."
            )
        return y.to_numpy(dtype=np.float32, copy=True)

    def strata(self, y):
        """Validation rows are chosen at random."""
        return None

    def collate(self, targets):
        """Indicators as a tensor."""
        return torch.from_numpy(targets)

    def forward(self, model, inputs):
        """Logits of shape (n_rows, n_classes)."""
        return model(**inputs).logits

    def loss(self, outputs, labels, weights):
        """Binary cross-entropy, weighted, averaged over classes and rows."""
        losses = functional.binary_cross_entropy_with_logits(
            outputs, labels.to(outputs.dtype), reduction="none"
        )
        weights = weights.to(losses.dtype)
        return (losses * (weights if weights.ndim == 2 else weights[:, None])).mean()

    def initial_head(self, features, targets, weights):
        """A probe for each class; where it has no skill, the class's log-odds alone."""
        shares = np.average(targets, axis=0, weights=weights)
        least = 0.5 / len(targets)
        shares = shares.clip(least, 1 - least)
        weight = np.zeros((len(self.classes), features.shape[1]))
        bias = np.log(shares / (1 - shares))
        for code in range(len(self.classes)):
            probe = probed_head(features, targets[:, code].astype(int), weights, n_classes=2)
            if probe is not None:
                weight[code] = probe[0][1] - probe[0][0]
                bias[code] = probe[1][1] - probe[1][0]
        return weight, bias

    def decode(self, outputs):
        """1 where a label is more probable than not, of shape (n_rows, n_classes)."""
        return (outputs > 0).astype(np.int64)

    def probabilities(self, outputs):
        """Probability of each label, each for itself."""
        return expit(outputs)

    def log_probabilities(self, outputs):
        """Natural logarithm of each label's probability."""
        return log_expit(outputs)

    def decisions(self, outputs):
        """Logits: above 0 the label is there."""
        return outputs
