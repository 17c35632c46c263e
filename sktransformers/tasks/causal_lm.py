"""The next token: what a decoder learns."""

import inspect
from dataclasses import dataclass

import torch

from ..data.task import Task
from ..output_layer import only_at
from .masked_lm import mean_loss

__all__ = ["CausalLanguage"]

_UNSEEN = -1e30


@dataclass(frozen=True)
class CausalLanguage(Task):
    """Predict each token from those before it."""

    auto_class = "AutoModelForCausalLM"
    keeps_head = True

    def config(self):
        """Nothing: the head is the model's own."""
        return {}

    def strata(self, y):
        """Validation rows are chosen at random."""
        return None

    def forward(self, model, inputs):
        """Logits of the tokens that are predicted alone: ``words``, (n_targets, vocab_size)."""
        mask = inputs.get("pairs", inputs["attention_mask"])
        if "pairs" in inputs and getattr(model.config, "_attn_implementation", "") != "sdpa":
            # Others add the mask to their scores: what is not seen must become very small.
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, _UNSEEN)
        given = {"input_ids": inputs["input_ids"], "attention_mask": mask}
        if "position_ids" in inspect.signature(model.forward).parameters:
            given["position_ids"] = inputs["position_ids"]
        elif "pairs" in inputs:
            raise ValueError(
                f"model must take positions, for short texts share blocks, but "
                f"{type(model).__name__} does not. Use a model of another family."
            )
        with only_at(inputs["hidden"]):
            return {"words": model(**given, use_cache=False).logits}

    def loss(self, outputs, labels, weights):
        """Cross-entropy of the tokens, each times its row's weight, averaged."""
        return mean_loss(outputs["words"], labels["words"], weights["words"])
