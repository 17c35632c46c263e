"""Hidden words, and whether one sentence follows another: BERT's own two objectives."""

from dataclasses import dataclass

from torch.nn import functional

from ..data.task import Task
from ..output_layer import only_at

__all__ = ["MaskedLanguage", "mean_loss"]


@dataclass(frozen=True)
class MaskedLanguage(Task):
    """Predict hidden tokens, and perhaps whether sentences are neighbours.

    Parameters
    ----------
    next_sentence : bool
    """

    next_sentence: bool = False

    keeps_head = True

    @property
    def auto_class(self):
        """With the second objective, the class that has both heads."""
        return "AutoModelForPreTraining" if self.next_sentence else "AutoModelForMaskedLM"

    def config(self):
        """Nothing: the head is the model's own."""
        return {}

    def encode(self, y, name="y"):
        """The texts are the targets."""
        return y

    def strata(self, y):
        """Validation rows are chosen at random."""
        return None

    def forward(self, model, inputs):
        """Logits of the hidden tokens alone, and with pairs those of being apart.

        Parameters
        ----------
        model : PreTrainedModel
        inputs : dict of Tensor
            ``hidden`` of shape (n_rows, width) says which outputs are wanted.

        Returns
        -------
        dict of Tensor
            ``words`` of shape (n_hidden, vocab_size); ``next`` of shape (n_rows, 2).
        """
        rest = {name: values for name, values in inputs.items() if name != "hidden"}
        with only_at(inputs["hidden"]):
            outputs = model(**rest)
        words = getattr(outputs, "logits", None)
        found = {} if words is not None else {"next": outputs.seq_relationship_logits}
        words = outputs.prediction_logits if words is None else words
        if words.ndim == 3:  # MobileBERT's head multiplies by the last layer's weights itself
            words = words[inputs["hidden"]]
        return {"words": words, **found}

    def loss(self, outputs, labels, weights):
        """Cross-entropy of the hidden tokens, and that of the pairs, each weighted mean added."""
        return sum(mean_loss(outputs[name], labels[name], weights[name]) for name in labels)


def mean_loss(logits, labels, weights):
    """Cross-entropy of tokens, each times its weight, divided by their number."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return (losses * weights.to(losses.dtype)).sum() / max(1, len(losses))
