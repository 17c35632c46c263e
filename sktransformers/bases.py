"""Pretrained models as they were opened: read once in a process, copied for each fit."""

import copy
import threading
import weakref
from collections import OrderedDict
from pathlib import Path

__all__ = ["copies_of", "origin_of"]

_MOST = 2  # models
_LARGEST = 2**30  # bytes of weights: larger ones are read anew, rather than held twice

_lock = threading.Lock()
_kept = OrderedDict()
_origins = weakref.WeakKeyDictionary()


def copies_of(folder, what, load):
    """Give what a function loads from a folder: copies, after the first call.

    Parameters
    ----------
    folder : Path
        When any of its files changes, it is loaded anew.
    what : str
        Tells it from other things that are loaded from there.
    load : callable
        Gives a model, other values that are copied with it, and whether the same would come out
        of another call.

    Returns
    -------
    tuple
        The model and the other values: the caller's own.
    """
    key = _identity(folder), what
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
    if found is not None:
        found = copy.deepcopy(found)
        _origins[found[0]] = key
        return found
    model, *others, is_always_so = load()
    if is_always_so and sum(p.nbytes for p in model.parameters()) <= _LARGEST:
        found = copy.deepcopy((model, *others))
        with _lock:
            _kept[key] = found
            while len(_kept) > _MOST:
                _kept.popitem(last=False)
    return model, *others


def origin_of(model):
    """What a model was copied from, or None; says nothing of what has become of it since."""
    return _origins.get(model)


def _identity(folder):
    """What changes when a folder's files do."""
    found = [str(Path(folder).resolve())]
    for path in sorted(Path(folder).iterdir()):
        status = path.stat()
        found.append((path.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
