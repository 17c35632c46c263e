"""The last layers of a model: where they are, their precision, and outputs at some places only."""

import threading
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

__all__ = ["FullPrecisionLinear", "SteadyLinear", "only_at", "output_layer", "pooled_layers"]

_ROWS = 16
_OUTPUTS = 8
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


class SteadyLinear(nn.Linear):
    """A linear layer in which a row's bits do not depend on its place among the rows.

    Of a few rows kernels on a CPU compute the first ones in another order than the rest. Tokens
    come in multiples of eight, but what is pooled of each text comes in any number.
    """

    def forward(self, input):
        """Compute ``input @ weight.T + bias``."""
        return self._of_rows(input) if input.ndim == 2 else super().forward(input)

    def _of_rows(self, chosen):
        """Compute some rows; without gradients in products of one shape.

        Kernels add up in an order that depends on the shape of the whole product: a row's bits
        must not depend on how many others were asked for.
        """
        if torch.is_grad_enabled() or chosen.device.type != "cpu":
            return functional.linear(chosen, self.weight, self.bias)
        padded = functional.pad(chosen, (0, 0, 0, -len(chosen) % _ROWS))
        parts = [self._product(part) for part in padded.split(_ROWS)]
        return torch.cat(parts)[: len(chosen)] if parts else padded @ self.weight.T

    def _product(self, input):
        """Compute the outputs, beside others of zero weight if they are few.

        Of one to three outputs kernels on a CPU add up in an order that depends on a row's place.
        """
        lacking = _OUTPUTS - self.out_features
        if lacking <= 0:
            return functional.linear(input, self.weight, self.bias)
        weight = functional.pad(self.weight, (0, 0, 0, lacking))
        bias = None if self.bias is None else functional.pad(self.bias, (0, lacking))
        return functional.linear(input, weight, bias)[..., : self.out_features]


class FullPrecisionLinear(SteadyLinear):
    """A linear layer that computes in its weights' own precision, also under autocast.

    In bfloat16 the last layer gave 952 distinct values for 1,821 rows: ties, for every metric
    that ranks.
    """

    def forward(self, input):
        """Compute ``input @ weight.T + bias``, at the places that were asked for."""
        wanted = getattr(_asked, "places", None)
        with torch.autocast(input.device.type, enabled=False):
            if wanted is not None and input.ndim > 2 and wanted.shape == input.shape[:2]:
                input = input[wanted]
            rows = input.to(self.weight.dtype).flatten(0, -2)
            return self._of_rows(rows).unflatten(0, input.shape[:-1])


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


def pooled_layers(model):
    """The linear layers that may be given one row a text: those of poolers and of heads."""
    tokens = {m for n, m in model.base_model.named_modules() if "pooler" not in n}
    return [m for m in model.modules() if type(m) is nn.Linear and m not in tokens]
