"""Layers that stay as they are."""

from torch import nn

__all__ = ["freeze_layers", "layer_stack", "lowest_modules"]


def freeze_layers(model, freeze):
    """Take the lowest layers out of training.

    Parameters
    ----------
    model : PreTrainedModel
        Its parameters' ``requires_grad`` is set, for the frozen ones and for the others.
    freeze : int, "backbone" or None
        The number of layers above the embeddings, which go with them; or all but the head.

    Returns
    -------
    list of Module
        The frozen modules. They must run in eval mode: with dropout, what does not learn would
        still give other activations on each call.
    """
    model.requires_grad_(True)
    if freeze is None:
        return []
    encoder = model.base_model
    frozen = [encoder] if freeze == "backbone" else lowest_modules(model, freeze)
    for module in frozen:
        module.requires_grad_(False)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            f"freeze={freeze!r} leaves nothing to train: the output layer of "
            f"{type(model).__name__} shares its weights with the embeddings. Use a number of "
            "layers instead."
        )
    return frozen


def layer_stack(model, n):
    """Find the list of a model's layers, of which the n lowest are frozen: its path and itself."""
    encoder = model.base_model
    stacks = [
        (name, module)
        for name, module in encoder.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == encoder.config.num_hidden_layers
    ]
    if len(stacks) != 1 or getattr(encoder.config, "num_hidden_groups", None) is not None:
        raise ValueError(
            f"freeze={n} needs a model with one list of layers that have weights of their own, but "
            f"{encoder.config.model_type!r} shares or scatters them. Use freeze='backbone' or "
            "freeze=None."
        )
    ((path, stack),) = stacks
    if n > len(stack):
        raise ValueError(
            f"freeze must be at most the model's {len(stack)} layers, but freeze={n} came. "
            "Use freeze='backbone' to train the head alone."
        )
    if n == len(stack) and encoder is model:
        raise ValueError(
            f"freeze={n} leaves nothing to train: the model has {len(stack)} layers and no head. "
            "Use a smaller number."
        )
    return path, stack


def lowest_modules(model, n):
    """The embeddings and the n lowest layers of a model's encoder."""
    encoder = model.base_model
    path, stack = layer_stack(model, n)
    above = {id(m) for layer in stack[n:] for m in layer.modules()}
    return list(stack[:n]) + [
        module
        for name, module in encoder.named_modules()
        if id(module) not in above and not path.startswith(name) and _feeds(encoder, name, path)
    ]


def _feeds(encoder, name, stack):
    """Whether a module works before or beside the stack of layers, not after it.

    What is registered first runs first. Relative positions, and the norm of theirs that DeBERTa
    has beside its layers, are read by every layer.
    """
    names = [n for n, _ in encoder.named_modules()]
    if names.index(name) < names.index(stack):
        return True
    module = encoder.get_submodule(name)
    beside, _, _ = stack.rpartition(".")
    holder = encoder.get_submodule(beside)
    reads_positions = hasattr(holder, "rel_embeddings") and name == f"{beside}.LayerNorm"
    return isinstance(module, nn.Embedding) or reads_positions
