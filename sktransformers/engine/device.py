"""Which device computes, and in which precision."""

import os
from contextlib import contextmanager, nullcontext

import torch

from ..data.nested import mapped
from ..output_layer import FullPrecisionLinear, SteadyLinear, output_layer, pooled_layers

__all__ = [
    "autocast",
    "choose_device",
    "choose_precision",
    "moved",
    "prepare",
    "weights_cast_once",
]

_LOW = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def _one_thread():
    torch.set_num_threads(1)


# In a forked child OpenMP's other threads are gone, and it would wait for them forever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread)


def choose_device(device):
    """Name the device to compute on.

    Parameters
    ----------
    device : str
        "auto" takes the first of cuda, xpu, mps and cpu that is there; else a name torch knows.

    Returns
    -------
    str
    """
    if device == "auto":
        for name in ("cuda", "xpu", "mps"):
            backend = getattr(torch, name, None)
            if backend is not None and backend.is_available():
                return name
        return "cpu"
    try:
        torch.zeros(1, device=torch.device(device)).item()  # "meta" would take anything
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"device must be 'auto' or one that torch can use here, but device={device!r} came "
            f"({reason[:120]}). Use device='auto' or device='cpu'."
        ) from error
    return device


def choose_precision(precision, device):
    """Name the number format of the encoder's products.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16", "float16", "float64"}
        "auto" is bfloat16 where the device computes with it natively, else float32.
    device : str

    Returns
    -------
    str
    """
    kind = torch.device(device).type
    if precision == "float64" and kind == "mps":
        raise ValueError(
            "precision must be one that the device has, but 'mps' has no float64. Use "
            "precision='float32', or device='cpu'."
        )
    if precision != "auto":
        return precision
    if kind == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    if kind == "cpu":
        return "bfloat16" if _cpu_has_bfloat16() else "float32"
    return "float32"


def _cpu_has_bfloat16():
    """Whether the CPU multiplies bfloat16 natively: elsewhere it is emulated, and slower."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def autocast(precision, device):
    """Run the encoder's products in this precision; the weights stay as they are."""
    kind = torch.device(device).type
    if precision in _LOW:
        return torch.autocast(kind, dtype=_LOW[precision])
    if torch.is_autocast_enabled(kind):  # by the caller
        return torch.autocast(kind, enabled=False)
    return nullcontext()


@contextmanager
def weights_cast_once():
    """Let the ``autocast`` blocks inside share one copy of the weights, which must not change.

    Else each block casts them anew, with small batches a seventh of the time. Weights that could
    learn are shared, under ``no_grad``; in inference mode torch shares none.
    """
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()  # also within a caller's autocast


def moved(values, device):
    """Tensors on a device.

    To a GPU they go from pinned memory, by copies that do not wait for the work queued there.

    Parameters
    ----------
    values : Tensor, or tuple or dict of such
    device : str or torch.device
    """
    is_cuda = torch.device(device).type == "cuda"

    def move(tensor):
        if is_cuda and tensor.device.type == "cpu":
            return tensor.pin_memory().to(device, non_blocking=True)
        return tensor.to(device)

    return mapped(move, values)


def prepare(model, precision, device):
    """Put a model onto a device in the precision that its weights are kept in."""
    layer = output_layer(model)
    if layer is not None:
        # Another class for the same weights: names and state of the model stay the same.
        layer.__class__ = FullPrecisionLinear
    for name, other in model.named_modules():
        if name.endswith("seq_relationship"):
            other.__class__ = FullPrecisionLinear
    for other in pooled_layers(model):
        other.__class__ = SteadyLinear
    return model.to(device=device, dtype=torch.float64 if precision == "float64" else torch.float32)
