"""What varies from one kind of work to the next: what engine and tasks both look down at."""

from typing import Any, Protocol, Self

import numpy as np
import torch

__all__ = ["Task"]


class Task(Protocol):
    """One kind of work: what the targets are, and what the outputs mean.

    A task knows targets and outputs; never devices, loops or an estimator's parameters. What is
    given here is what most of them share.
    """

    auto_class: str
    """Name of the transformers class that opens the model: "AutoModelForSequenceClassification"."""

    averages_tokens: bool = False
    """Whether outputs are means over tokens. Windows of a row then count by their lengths, and a
    word is the mean of its pieces; else windows count alike, and a word is its first piece."""

    keeps_head: bool = False
    """Whether the head that a model comes with is of this task: it is not started anew."""

    adds_up: bool = True
    """Whether a batch's loss is a sum over its rows; else each is compared with all others."""

    fewest_epochs: int = 3
    """Passes over the rows that ``max_epochs="auto"`` makes at the least."""

    def fit(self, y: np.ndarray) -> Self:
        """Learn from all labels what must be known before the model is made."""

    def config(self) -> dict[str, Any]:
        """What ``from_pretrained`` needs to make the head: ``num_labels`` and the like."""

    def encode(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        """Targets, one a row, in a form that can be collated."""

    def strata(self, y: np.ndarray) -> np.ndarray | None:
        """Groups of rows that keep their share when validation rows are chosen; None: at random."""

    def groups(self, targets: np.ndarray) -> np.ndarray | None:
        """Groups of rows that should meet in a batch, from encoded targets; None: any may."""
        return None

    def collate(self, targets: np.ndarray) -> torch.Tensor:
        """Targets of some rows as a tensor, -100 where there is nothing to learn."""

    def forward(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Run the model and pick what the task needs of its outputs."""

    def loss(
        self, outputs: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Weighted loss of a batch: the sum over rows, divided by the number of rows."""

    def initial_head(
        self, features: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Weight and bias for the output layer from what the frozen model sees; None: at random."""

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Predictions from outputs, one a row."""
