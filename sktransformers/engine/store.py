"""A folder of states that processes share: one entry a text, many of them in a file.

A file is written whole under another name first, then renamed: a reader, a second writer or a kill
never meets half of one. Its contents carry a hash, which is checked before the first use.
"""

import os
import shutil
import threading
import time
import uuid
from pathlib import Path

import torch

from ..exceptions import warn_caller
from .tensor_files import make_folder, read_tensors, write_tensors

__all__ = ["Store"]

_LARGEST = 20 * 2**30  # bytes of a memory folder, or half of what its disk has for it
_LEFTOVER = 3600  # seconds after which a file that was never finished is no one's
_SUFFIX = ".states.safetensors"

_lock = threading.Lock()
_checked = set()  # files whose hash was found right, in this process
_told = set()  # folders whose user knows that they are full


class Store:
    """States of texts that a part of a model gave.

    Parameters
    ----------
    folder : str or path
        Of all stores of a user.
    name : str
        Of this one: the part's fingerprint.
    """

    def __init__(self, folder, name):
        self.root = Path(folder)
        self.folder = self.root / name
        make_folder(self.folder, "memory", folder)
        self._files = {}  # name -> the open file
        self._places = {}  # key -> name of a file, position in it
        self._look()

    def _look(self):
        """Find what other fits and processes have written since."""
        for path in self.folder.iterdir():
            if path.name.endswith(".tmp"):
                _remove(path, older_than=_LEFTOVER)
            elif path.name.endswith(_SUFFIX) and path.name not in self._files:
                self._open(path)

    def _open(self, path):
        try:
            status = path.stat()
            identity = (str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns)
            tensors, _ = read_tensors(path, is_known=identity in _checked)
            keys, opened = tensors["keys"].numpy(), _File(tensors)
            os.utime(path, (time.time(), status.st_mtime))  # was used: goes last
        except FileNotFoundError:
            return  # another process made room
        except (ValueError, OSError) as error:
            warn_caller(
                f"{str(path)!r} in the folder memory={str(self.root)!r} is damaged ({error}): it "
                "is removed, and its texts are computed anew."
            )
            _remove(path)
            return
        with _lock:
            _checked.add(identity)
        self._files[path.name] = opened
        for place, key in enumerate(keys):
            self._places[key.tobytes()] = path.name, place

    def get(self, key):
        """The states of a text: a dict of tensors, or None."""
        if key not in self._places:
            return None
        name, place = self._places[key]
        return self._files[name].entry(place)

    def put(self, entries):
        """Keep entries.

        Parameters
        ----------
        entries : dict
            Of keys (32 bytes) to dicts of tensors: of shape (n_tokens, n_features), or
            (n_features,).
        """
        if not entries:
            return
        keys = torch.frombuffer(bytearray(b"".join(entries)), dtype=torch.uint8).view(-1, 32)
        tensors = {"keys": keys}
        for field, first in next(iter(entries.values())).items():
            values = [states[field] for states in entries.values()]
            if first.ndim == 1:
                tensors[f"rows {field}"] = torch.stack(values)
            else:
                lengths = torch.tensor([0, *map(len, values)])
                tensors[f"tokens {field}"] = torch.cat(values)
                tensors[f"offsets {field}"] = lengths.cumsum(dim=0)
        name = uuid.uuid4().hex
        unfinished, path = self.folder / f"{name}.tmp", self.folder / (name + _SUFFIX)
        try:
            self._make_room(sum(t.nbytes for t in tensors.values()))
            write_tensors(path, tensors, unfinished=unfinished, lasting=False)
        except OSError as error:
            warn_caller(
                f"The folder memory={str(self.root)!r} could not be written to ({error}): what "
                "was computed is not kept."
            )
            return
        status = path.stat()
        with _lock:
            _checked.add((str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns))
        self._open(path)

    def _make_room(self, n_bytes):
        """Remove the files that were not used for longest, of any store in the folder."""
        files = []
        for path in self.root.glob(f"*/*{_SUFFIX}"):
            try:
                files.append((path.stat(), path))
            except FileNotFoundError:
                continue
        taken = sum(status.st_size for status, _ in files) + n_bytes
        most = min(_LARGEST, (taken + shutil.disk_usage(self.root).free) // 2)
        if taken > most and self.root not in _told:
            _told.add(self.root)
            warn_caller(
                f"The folder memory={str(self.root)!r} holds {taken / 2**30:.1f} GiB, of which "
                f"{most / 2**30:.1f} may be: what was not used for longest is removed."
            )
        for status, path in sorted(files, key=lambda item: item[0].st_atime):
            if taken <= most:
                return
            _remove(path)
            taken -= status.st_size


class _File:
    """An open file of entries."""

    def __init__(self, tensors):
        self._rows = {n[5:]: values for n, values in tensors.items() if n.startswith("rows ")}
        self._tokens = {
            n[7:]: (values, tensors[f"offsets {n[7:]}"].tolist())
            for n, values in tensors.items()
            if n.startswith("tokens ")
        }

    def entry(self, place):
        """One text's states."""
        found = {name: values[place] for name, values in self._rows.items()}
        for name, (values, offsets) in self._tokens.items():
            found[name] = values[offsets[place] : offsets[place + 1]].clone()
        return found


def _remove(path, older_than=0):
    try:
        if time.time() - path.stat().st_mtime >= older_than:
            path.unlink()
    except OSError:
        pass  # gone already, or not ours to remove
