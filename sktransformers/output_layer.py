"""The last layer of a model: where it is, its precision, and outputs at some places only."""

import threading
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

__all__ = ["FullPrecisionLinear", "only_at", "output_layer"]

_ROWS = 16
_asked = threading.local()


@contextmanager
def only_at(places):
    """Compute the last layer's outputs at some places only, in this thread.

    Of 30,000 words' logits for every token, those of the hidden tokens are a seventh.

    Parameters
    ----------
    places : Tensor of shape (n_rows, width), bool
        The outputs become (n_places, n_outputs).
    """
    before = getattr(_asked, "places", None)
    _asked.places = places
    try:
        yield
    finally:
        _asked.places = before


class FullPrecisionLinear(nn.Linear):
    """A linear layer that computes in its weights' own precision, also under autocast.

    In bfloat16 the last layer gave 952 distinct values for 1,821 rows: ties, for every metric
    that ranks.
    """

    def forward(self, input):
        """Compute ``input @ weight.T + bias``, at the places that were asked for."""
        wanted = getattr(_asked, "places", None)
        with torch.autocast(input.device.type, enabled=False):
            if wanted is None or input.ndim < 3 or wanted.shape != input.shape[:2]:
                return functional.linear(input.to(self.weight.dtype), self.weight, self.bias)
            return self._at(input[wanted].to(self.weight.dtype))

    def _at(self, chosen):
        """Compute some rows; without gradients in products of one shape.

        Kernels add up in an order that depends on the shape of the whole product: a row's bits
        must not depend on how many others were asked for.
        """
        if torch.is_grad_enabled() or chosen.device.type != "cpu":
            return functional.linear(chosen, self.weight, self.bias)
        padded = functional.pad(chosen, (0, 0, 0, -len(chosen) % _ROWS))
        parts = [functional.linear(part, self.weight, self.bias) for part in padded.split(_ROWS)]
        return torch.cat(parts)[: len(chosen)] if parts else padded @ self.weight.T


def output_layer(model):
    """The linear layer that makes the outputs: the last one outside the encoder, if it has one."""
    if model.base_model is model:
        return None
    embeddings = model.get_output_embeddings()
    if embeddings is not None:
        return embeddings
    inside = set(model.base_model.modules())
    outside = [m for m in model.modules() if isinstance(m, nn.Linear) and m not in inside]
    if not outside:
        raise ValueError(
            f"model must end in a linear layer outside its encoder, but {type(model).__name__} has "
            "none. Use a model of another family."
        )
    return outside[-1]
