"""Tensors in files that are whole or not there, and that are known to be as they were written."""

import hashlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

__all__ = ["add_tensors", "make_folder", "read_tensors", "write_tensors"]


def make_folder(path, parameter, given):
    """Make a folder, and those above it, that a user has named.

    Parameters
    ----------
    path : Path
    parameter : str
        The name of the parameter that named it.
    given : path
        What the parameter says.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{parameter} must be a folder that can be written to, but {str(given)!r} is not: "
            f"{error}. Pass another folder, or None."
        ) from error


def write_tensors(path, tensors, told="", *, unfinished, lasting):
    """Write a file under another name first, then rename it: nobody ever meets half of one.

    Parameters
    ----------
    path : Path
    tensors : dict of str to Tensor
        On the CPU.
    told : str, default=""
        What else is kept.
    unfinished : Path
        The other name, in the same folder.
    lasting : bool
        Whether the file must outlive a loss of power.

    Raises
    ------
    OSError
        If it could not be written; then ``unfinished`` is gone.
    """
    try:
        save_file(tensors, unfinished, {"told": told, "sha256": _hash(tensors, told)})
        if lasting:
            with open(unfinished, "rb") as file:
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:
        Path(unfinished).unlink(missing_ok=True)
        raise OSError(str(error)) from error


def read_tensors(path, *, is_known=False):
    """Read what ``write_tensors`` wrote.

    Parameters
    ----------
    path : Path
    is_known : bool, default=False
        Whether the file was read before, so that its hash need not be made again.

    Returns
    -------
    tensors : dict of str to Tensor
    told : str

    Raises
    ------
    ValueError
        If the file is not as it was written.
    FileNotFoundError
    """
    try:
        with safe_open(path, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            about = opened.metadata() or {}
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    told = about.get("told", "")
    if not is_known and about.get("sha256") != _hash(tensors, told):
        raise ValueError("its hash is another")
    return tensors, told


def add_tensors(found, tensors):
    """Add tensors by name, with their types and shapes, to a hash."""
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        found.update(flat.view(torch.uint8).numpy())
    return found


def _hash(tensors, told):
    return add_tensors(hashlib.sha256(told.encode()), tensors).hexdigest()
