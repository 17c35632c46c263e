"""A model in two parts: frozen layers below, whose outputs can be kept, and all that is above."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from .device import autocast
from .freezing import layer_stack, lowest_modules

__all__ = ["Split", "split"]


_found_good = set()  # hashes of the kinds of models that were split without changing a bit


@dataclass(frozen=True)
class Split:
    """A model in two parts that share its weights.

    Parameters
    ----------
    upper : PreTrainedModel
        The model with stand-ins for its frozen part: it takes "states" beside its inputs.
    lower : callable
        Of inputs: what the upper part needs of them, a dict of tensors (n_rows, ...).
    parts : list of Module
        The frozen ones: their weights decide what ``lower`` gives.
    name : str
        Tells this part from others of the same model.
    task : Task
        What makes outputs of the upper part's.
    """

    upper: Any
    lower: Any
    parts: list
    name: str
    task: Any


def split(model, task, freeze, inputs, precision):
    """Split a model above its frozen layers, if that changes nothing.

    Families differ in what their layers take and give. So the two parts are tried on some inputs,
    and taken only if they give what the whole model gives, to the bit. That depends on the kind of
    model, not on its weights: each kind is tried once in a process, but above single layers, which
    are asked for what they hand on.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode, on its device.
    task : Task
    freeze : int, "backbone", "all" or None
    inputs : dict of Tensor
        Of at least one row, on the model's device.
    precision : str

    Returns
    -------
    Split or None
    """
    if freeze is None or freeze == 0:
        return None
    if freeze == "all":
        return Split(model, partial(_outputs, task, model), [model], repr(task), _Given(task))
    if freeze == "backbone" and model.base_model is model:
        return None
    kind = type(model), model.config.to_json_string(), repr(task), freeze, precision, model.device
    try:
        if freeze == "backbone":
            made = _above_encoder(model, task, inputs)
        else:
            made = _above_layers(model, task, freeze)
        if freeze == "backbone" and hash(kind) in _found_good:
            return made
        with torch.inference_mode(), autocast(precision, model.device):
            whole = task.forward(model, inputs)
            parts = task.forward(made.upper, {**inputs, "states": made.lower(inputs)})
    except (RuntimeError, TypeError, AttributeError, IndexError, KeyError, ValueError):
        return None
    if not torch.equal(whole, parts):
        return None
    if freeze == "backbone":
        _found_good.add(hash(kind))
    return made


@dataclass(frozen=True)
class _Given:
    """A task whose outputs are known."""

    task: Any

    averages_tokens = property(lambda self: self.task.averages_tokens)

    def forward(self, model, inputs):
        """The outputs."""
        return inputs["states"]["outputs"]


def _outputs(task, model, inputs):
    return {"outputs": task.forward(model, inputs)}


class _ReachedError(Exception):
    """Thrown by the last frozen layer with what it gives: nothing above needs to run."""


class _Last(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, *args, **kwargs):
        raise _ReachedError(self.layer(*args, **kwargs))


class _StandIn(nn.Module):
    """Gives what was kept, in the place of a module that would compute it."""

    def __init__(self, original, held):
        super().__init__()
        self.__dict__["_original"] = original  # not a child: its weights are none of the view's
        self.__dict__["_held"] = held

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_original"], name)

    def forward(self, *args, **kwargs):
        return self._held["give"](self._held, kwargs)


def _above_layers(model, task, n):
    """Split above the n lowest layers."""
    path, stack = layer_stack(model, n)
    path = ".".join(filter(None, [_prefix(model), path]))
    below, container = _view(model, path)
    layers = list(stack)
    container._modules.clear()
    for place, layer in enumerate([*layers[: n - 1], _Last(layers[n - 1])]):
        container._modules[str(place)] = layer
    held = {}

    def lower(inputs):
        try:
            below.base_model(**inputs)
        except _ReachedError as reached:
            output = reached.args[0]
        states, *others = (output,) if isinstance(output, torch.Tensor) else output
        if any(other is not None for other in others):
            raise TypeError("Layers of this family hand on more than their states.")
        held["others"] = None if isinstance(output, torch.Tensor) else others
        return {"tokens": states}

    # Not a closure over what is held: that would be a cycle of references.
    def give(held, kwargs):
        tokens, others = held["states"]["tokens"], held["others"]
        return tokens if others is None else (tokens, *others)

    held["give"] = give
    upper, container = _view(model, path)
    for place in range(n):
        container._modules[str(place)] = _StandIn(layers[place], held)
    _take_states(upper, held)
    return Split(upper, lower, lowest_modules(model, n), f"layers below {n}", task)


def _above_encoder(model, task, inputs):
    """Split above the whole encoder, keeping of its outputs what the head reads."""
    encoder = model.base_model
    with torch.no_grad():
        outputs = encoder(**inputs)
    kind, fields = type(outputs), list(outputs.keys())
    held = {}

    def give(held, kwargs):
        n_rows, width = kwargs["attention_mask"].shape
        states, found = held["states"], {}
        for name in fields:
            if name in states:
                found[name] = states[name]
            elif f"first of {name}" in states:
                first = states[f"first of {name}"]
                found[name] = nn.functional.pad(first[:, None], (0, 0, 0, width - 1))
            else:  # not read
                like = outputs[name]
                shape = (n_rows, width)[: like.ndim - 1] + like.shape[-1:]
                found[name] = like.new_zeros(1).expand(shape)
        return kind(**found)

    held["give"] = give
    upper, holder = _view(model, "")
    holder._modules[_prefix(model)] = _StandIn(encoder, held)
    _take_states(upper, held)
    read = _what_is_read(upper, task, inputs, outputs)

    def lower(inputs):
        outputs = encoder(**inputs)
        return {
            name: outputs[field][:, 0] if name != field else outputs[field]
            for name, field in read.items()
        }

    return Split(upper, lower, [encoder], f"encoder, {', '.join(sorted(read))}", task)


def _what_is_read(upper, task, inputs, outputs):
    """Which of an encoder's outputs a head reads, as their gradients tell: names and fields."""
    leaves = {name: t.detach().clone().requires_grad_() for name, t in outputs.items()}
    with torch.enable_grad():
        logits = task.forward(upper, {**inputs, "states": leaves})
        # Not their sum, whose gradient a layer norm would leave at zero.
        mixed = logits.double().flatten() * torch.arange(1, logits.numel() + 1).to(logits.device)
        found = torch.autograd.grad(mixed.sum(), list(leaves.values()), allow_unused=True)
    is_one = inputs["attention_mask"].sum() < 2  # of a single token the first is also the mean
    read = {}
    for name, gradient in zip(leaves, found):
        if gradient is None:
            continue
        beyond = gradient.ndim == 3 and (is_one or gradient[:, 1:].any())
        read[name if gradient.ndim != 3 or beyond else f"first of {name}"] = name
    return read


def _prefix(model):
    """Where a model's encoder is in it."""
    return "" if model.base_model is model else model.base_model_prefix


def _view(model, path):
    """A copy of the modules on the way to one, with all else shared: the top, and the last."""
    top = module = _copied(model)
    for name in filter(None, path.split(".")):
        module._modules[name] = _copied(module._modules[name])
        module = module._modules[name]
    return top, module


def _copied(module):
    new = copy.copy(module)
    for name, value in vars(module).items():
        if name == "_modules" or "hooks" in name:
            vars(new)[name] = value.copy()
    return new


def _take_states(upper, held):
    """Let a model take "states" beside its inputs."""

    def take(module, args, kwargs):
        held["states"] = kwargs.pop("states")
        return args, kwargs

    upper.register_forward_pre_hook(take, with_kwargs=True)
