"""Folders that are replaced whole or not at all, also by a kill, a full disk or another process."""

import ctypes
import os
import shutil
import uuid
from contextlib import contextmanager

__all__ = ["must_be_free", "older", "replacing", "stamp"]


def must_be_free(path, mark):
    """Refuse what a new folder must not replace.

    Parameters
    ----------
    path : Path
    mark : str
        The file that is in each folder of ours.
    """
    if path.is_dir() and any(path.iterdir()) and not (path / mark).is_file():
        raise FileExistsError(
            f"path must be new, empty or a folder that save() wrote, but {str(path)!r} holds other "
            "files. Choose another path."
        )
    if path.exists() and not path.is_dir():
        raise FileExistsError(
            f"path must be a folder, but {str(path)!r} is a file. Choose another path."
        )


@contextmanager
def replacing(path, mark):
    """Give a folder to write to; put it in the place of ``path`` when the block is through.

    Parameters
    ----------
    path : Path
    mark : str
        The file that is in each folder of ours.

    Yields
    ------
    Path

    Raises
    ------
    OSError
        If the disk did not take it; then ``path`` is as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        staged.mkdir()
        yield staged
        for file in staged.rglob("*"):
            _sync(file)
        _sync(staged)
        _put_in_place(staged, path, mark)
        _drop(older(path), mark)
        _sync(path.parent)
    except Exception as error:
        # The libraries that write name a full disk by classes of their own.
        if isinstance(error, OSError) or "os error" not in str(error):
            raise
        raise OSError(
            f"{str(path)!r} could not be written: {error}. What was there before is untouched."
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def older(path):
    """Where the folder before this one is for a moment, where folders cannot be exchanged."""
    return path.with_name(f".{path.name}.old")


def stamp(path, mark):
    """What changes with each replacement; None where there is no folder of ours."""
    try:
        found = (path / mark).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _put_in_place(staged, path, mark):
    """Put the new folder where the old one is, so that at no moment there is neither."""
    if not path.exists():
        os.rename(staged, path)
    elif not _exchange(staged, path):
        _drop(older(path), mark)
        os.rename(path, older(path))
        os.rename(staged, path)


def _drop(folder, mark):
    """Remove a folder if it is one of ours."""
    if (folder / mark).is_file():
        shutil.rmtree(folder)


def _exchange(one, other):
    """Swap two folders in one step; tell whether the system could (Linux: renameat2)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
