"""Memory that a training step gives back is taken again by the next one."""

import ctypes
import os
import sys
import threading
from contextlib import contextmanager
from functools import cache

import torch

__all__ = ["memory_kept"]

# glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_LARGEST_THRESHOLD = 32 * 2**20
_SETTINGS = ("GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_")

_lock, _users = threading.Lock(), 0


def _forget():
    global _lock, _users
    _lock, _users = threading.Lock(), 0


if hasattr(os, "register_at_fork"):  # the fits that are counted are none of the child's
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def memory_kept(device="cpu"):
    """Let the C library keep freed memory in a block, for the whole process; then give it back.

    By itself glibc returns each large tensor to the system as soon as it is freed, and gets it
    anew, page by page and zeroed: an eighth of the time of a training step on a CPU. Other C
    libraries, and settings of one's own in the environment, are left as they are.

    Parameters
    ----------
    device : str or torch.device
        What computes: on others than a CPU nothing is done.
    """
    library = _glibc() if torch.device(device).type == "cpu" else None
    if library is None:
        yield
        return
    _enter(library)
    try:
        yield
    finally:
        _leave(library)


def _glibc():
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _SETTINGS):
        return None
    library = _c_library()
    return library if hasattr(library, "gnu_get_libc_version") else None


@cache
def _c_library():
    return ctypes.CDLL(None)


def _enter(library):
    global _users
    with _lock:
        if _users == 0:
            library.mallopt(_MMAP_MAX, 0)
            library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        _users += 1


def _leave(library):
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            # What glibc itself comes to where large memory is freed: see M_MMAP_THRESHOLD there.
            library.mallopt(_MMAP_MAX, 65536)
            library.mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
            library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_THRESHOLD)
            library.malloc_trim(0)
