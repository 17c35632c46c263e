"""One class for each text."""

import reprlib
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from torch.nn import functional

from ..data.task import Task
from .probing import probed_head

__all__ = ["Classification", "head_settings"]


def head_settings(classes, problem_type):
    """What a transformers configuration says of a head that tells classes."""
    names = [str(label) for label in classes.tolist()]
    return {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: code for code, name in enumerate(names)},
        "problem_type": problem_type,
    }


@dataclass(frozen=True)
class Classification(Task):
    """Binary and multi-class classification of whole texts.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    """

    classes: np.ndarray

    auto_class = "AutoModelForSequenceClassification"

    @classmethod
    def fit(cls, y):
        """Learn the classes."""
        return cls(np.unique(y))

    def config(self):
        """Settings of the head, with the labels' names for other tools."""
        return head_settings(self.classes, "single_label_classification")

    def encode(self, y, name="y"):
        """Each label's position in ``classes``; unknown labels are refused."""
        if y.ndim == 2:
            raise ValueError(
                f"{name} must hold one label a row, as y did in fit, but an indicator matrix of "
                f"{y.shape[1]} columns came. Pass labels, or fit anew on an indicator matrix."
            )
        places = {label: code for code, label in enumerate(self.classes.tolist())}
        codes = np.array([places.get(label, -1) for label in y.tolist()], dtype=np.int64)
        if (codes < 0).any():
            row = int((codes < 0).argmax())
            raise ValueError(
                f"{name} must hold labels that the classifier knows, but row {row} holds "
                f"{y.tolist()[row]!r}. It knows {reprlib.repr(self.classes.tolist())}. Drop such "
                "rows, or fit anew on all labels."
            )
        return codes

    def strata(self, y):
        """Validation rows are chosen by class."""
        return self.encode(y)

    def collate(self, targets):
        """Class codes as a tensor."""
        return torch.from_numpy(targets)

    def forward(self, model, inputs):
        """Logits of shape (n_rows, n_classes)."""
        return model(**inputs).logits

    def loss(self, outputs, labels, weights):
        """Cross-entropy, each row times its weight, averaged over the rows."""
        losses = functional.cross_entropy(outputs, labels, reduction="none")
        return (losses * weights.to(losses.dtype)).sum() / len(losses)

    def initial_head(self, features, targets, weights):
        """A head that starts from a regression on what the pretrained encoder sees."""
        return probed_head(features, targets, weights, n_classes=len(self.classes))

    def decode(self, outputs):
        """The label with the largest logit."""
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs):
        """Probability of each class; they sum to 1."""
        return softmax(outputs, axis=1)

    def log_probabilities(self, outputs):
        """Natural logarithm of each class's probability."""
        return log_softmax(outputs, axis=1)

    def decisions(self, outputs):
        """Logits; of two classes their difference."""
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs
