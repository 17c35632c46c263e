"""Layers that stay as they are."""

from torch import nn

__all__ = ["freeze_layers"]


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
    frozen = [encoder] if freeze == "backbone" else _lowest(encoder, freeze)
    for module in frozen:
        module.requires_grad_(False)
    return frozen


def _lowest(encoder, n):
    config = encoder.config
    layers = next(
        (
            (name, module)
            for name, module in encoder.named_modules()
            if isinstance(module, nn.ModuleList) and len(module) == config.num_hidden_layers
        ),
        None,
    )
    if layers is None or getattr(config, "num_hidden_groups", None) is not None:
        raise ValueError(
            f"freeze={n} needs a model whose layers have weights of their own, but "
            f"{config.model_type!r} shares them. Use freeze='backbone' or freeze=None."
        )
    name, stack = layers
    if n > len(stack):
        raise ValueError(
            f"freeze must be at most the model's {len(stack)} layers, but freeze={n} came. "
            "Use freeze='backbone' to train the head alone."
        )
    below = []
    for path, module in encoder.named_modules():
        if path == name:
            break
        holds_stack = path == "" or name.startswith(path + ".")
        inside_chosen = any(path.startswith(chosen + ".") for chosen, _ in below)
        if not holds_stack and not inside_chosen:
            below.append((path, module))
    return [module for _, module in below] + list(stack[:n])
