"""What frozen layers give for texts: computed once for each distinct text."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..bases import origin_of
from ..data.batching import batches, pad
from .device import autocast, moved, weights_cast_once
from .parts import in_parts
from .split import split
from .store import Store
from .tensor_files import add_tensors

__all__ = ["States", "above_frozen", "above_store"]

_SHARE = 0.25  # of the free memory that the states of a fit may take
_AT_ONCE = 1024  # texts
_FILE = 64 * 2**20  # bytes, about, that are written to the store at once
_TELLING = 3  # tokens of a text that shows which of them are read

_of_origins, _MOST_ORIGINS = {}, 64  # fingerprints of untouched copies

# What a configuration says of the head, or of where it comes from.
_NOT_OF_LAYERS = {
    *("architectures", "dtype", "id2label", "label2id", "problem_type", "transformers_version"),
    *("_commit_hash", "_name_or_path", "num_labels"),
}


def above_frozen(model, task, sets, plan, frozen, memory):
    """Let training start above the frozen layers, from states that are kept.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode, on its device.
    task : Task
    sets : list of TrainingData
        Their examples get states, where they can.
    plan : Plan
    frozen : int, "backbone", "all" or None
    memory : path or None

    Returns
    -------
    PreTrainedModel
        What is above the frozen layers, or the model itself.
    """
    data = sets[0]
    if not data.has_row_outputs:  # what language models read is hidden anew in each epoch
        return model
    parts = _split(model, task, frozen, data.examples, data.pad_id, plan.precision)
    if parts is None:
        return model
    # Nobody has touched the model since the fit has opened it: all copies have one fingerprint.
    origin = origin_of(model)
    source = _Source.of(model, parts, data.pad_id, plan.precision, memory, origin)
    room = _Room(_SHARE * free_memory())
    for some in sets:
        states = States.of(some.examples, source, room)
        states.fill()
        some.examples = replace(some.examples, states=states)
    return parts.upper


def _split(model, task, freeze, examples, pad_id, precision):
    """Split a model, tried on the shortest text that shows which of its tokens are read."""
    lengths = examples.lengths
    row = np.where(lengths < _TELLING, examples.longest + 1, lengths).argmin()
    sample = moved(pad(examples, np.array([row]), pad_id), model.device)
    return split(model, task, freeze, sample, precision)


def free_memory():
    """Bytes of main memory that are free, or could be at once."""
    try:
        with open("/proc/meminfo") as lines:
            known = dict(line.split(":") for line in lines)
        return int(known["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def fingerprint(model, parts, precision, origin=None):
    """A name for all that decides the states of a text, but the text.

    The number of threads is in it: with another one bfloat16 differs in the last bits. With an
    ``origin``, of which the model is an untouched copy, the weights are read once in a process.
    """
    config = model.config.to_dict()
    config = {name: value for name, value in config.items() if name not in _NOT_OF_LAYERS}
    about = [parts.name, precision, model.device.type, torch.__version__, torch.get_num_threads()]
    found = hashlib.sha256(json.dumps([about, config], sort_keys=True, default=str).encode())
    key = None if origin is None else (origin, found.hexdigest())
    if (known := _of_origins.get(key)) is not None:
        return known
    tensors = [item for module in parts.parts for item in module.state_dict().items()]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for digest in pool.map(_digest, tensors):
            found.update(digest)
    if key is not None:
        if len(_of_origins) >= _MOST_ORIGINS:
            _of_origins.clear()
        _of_origins[key] = found.hexdigest()
    return found.hexdigest()


def _digest(item):
    return add_tensors(hashlib.sha256(), dict([item])).digest()


class _Room:
    """Bytes that may still be taken."""

    def __init__(self, n_bytes):
        self.left = n_bytes

    def take(self, n_bytes):
        """Take some, if that many are left."""
        if n_bytes > self.left:
            return False
        self.left -= n_bytes
        return True


@dataclass
class _Source:
    """Where states come from: the layers, or a store."""

    lower: Any
    device: Any
    pad_id: int
    precision: str
    store: Store | None

    @classmethod
    def of(cls, model, parts, pad_id, precision, memory, origin=None):
        """The source of a part of a model."""
        store = None
        if memory is not None:
            store = Store(memory, fingerprint(model, parts, precision, origin))
        return cls(parts.lower, model.device, pad_id, precision, store)

    def compute(self, examples):
        """Yield positions of examples and their states, in batches as inference makes them."""
        with weights_cast_once():
            for rows, n_own in batches(examples, self.device):
                inputs = moved(pad(examples, rows, self.pad_id), self.device)
                with torch.no_grad(), autocast(self.precision, self.device):
                    found, _ = in_parts(self.lower, inputs, len(rows))
                found = {name: t.cpu() for name, t in found.items()}
                for place, row in enumerate(rows[:n_own].tolist()):
                    length = examples.lengths[row]
                    yield (
                        row,
                        {
                            name: (t[place, :length] if t.ndim == 3 else t[place]).clone()
                            for name, t in found.items()
                        },
                    )


class States:
    """The states of some examples.

    Parameters
    ----------
    kept : _Kept
        States of distinct texts.
    numbers : ndarray of shape (n_examples,), int
        The distinct text that each example is.
    """

    def __init__(self, kept, numbers):
        self._kept = kept
        self._numbers = numbers

    @classmethod
    def of(cls, examples, source, room):
        """The states of examples, none of which is known yet."""
        widths, numbers, first, keys = examples.widths, [], [], {}
        for row in range(len(examples)):
            found = hashlib.sha256(examples[row].tobytes())
            second = -1 if examples.second is None else examples.second[row]
            found.update(f" {widths[row]} {second}".encode())
            key = found.digest()
            if key not in keys:
                keys[key] = len(keys)
                first.append(row)
            numbers.append(keys[key])
        texts = replace(examples, states=None)
        return cls(_Kept(list(keys), texts, np.array(first), source, room), np.array(numbers))

    def take(self, examples):
        """The states of the examples at these positions."""
        return States(self._kept, self._numbers[examples])

    def fill(self):
        """Read or compute all that may be kept."""
        self._kept.fill()

    def close(self):
        """Write what is not yet in the store."""
        self._kept.write()

    def pad(self, rows, width):
        """Lay the states of some examples side by side, zeros where there are no tokens.

        Returns
        -------
        dict of Tensor
            Of shape (n_rows, width, n_features) or (n_rows, n_features).
        """
        found = self._kept.get(self._numbers[rows])
        batch = {}
        for name, first in found[0].items():
            if first.ndim == 1:
                batch[name] = torch.stack([states[name] for states in found])
                continue
            batch[name] = first.new_zeros(len(found), width, first.shape[1])
            for place, states in enumerate(found):
                batch[name][place, : len(states[name])] = states[name]
        return batch


class _Kept:
    """States of distinct texts, in memory as far as there is room."""

    def __init__(self, keys, examples, first, source, room):
        self._keys, self._examples, self._first = keys, examples, first
        self._source, self._room = source, room
        self._known, self._unwritten, self._size = {}, {}, 0

    def get(self, numbers):
        """The states of some texts, in order."""
        found = {}
        for number in numbers.tolist():
            if number not in found:
                found[number] = self._known.get(number) or self._read(number)
        missing = np.array([number for number, states in found.items() if states is None], int)
        if len(missing):
            some = self._examples.take(self._first[missing])
            for row, states in self._source.compute(some):
                number = int(missing[row])
                found[number] = states
                self._keep(number, states)
                self._note(self._keys[number], states)
        return [found[number] for number in numbers.tolist()]

    def fill(self):
        order = np.argsort(-self._examples.widths[self._first], kind="stable")
        for start in range(0, len(order), _AT_ONCE):
            if self._source.store is None and self._room.left <= 0:
                break
            self.get(order[start : start + _AT_ONCE])
        self.write()

    def _read(self, number):
        states = self._source.store and self._source.store.get(self._keys[number])
        if states is not None:
            self._keep(number, states)
        return states

    def _keep(self, number, states):
        if self._room.take(_size(states)):
            self._known[number] = states
        else:
            self._room.left = 0

    def _note(self, key, states):
        if self._source.store is None:
            return
        self._unwritten[key] = states
        self._size += _size(states)
        if self._size > _FILE:
            self.write()

    def write(self):
        """Bring to the store what is not there yet."""
        if self._unwritten:
            self._source.store.put(self._unwritten)
            self._unwritten, self._size = {}, 0


def _size(states):
    return sum(t.nbytes for t in states.values())


def above_store(model, task, frozen, precision, memory, pad_id):
    """Let inference start above the frozen layers, from states in a store.

    Parameters
    ----------
    model : PreTrainedModel
    task : Task
    frozen : int, "backbone", "all" or None
    precision : str
    memory : path or None
    pad_id : int

    Returns
    -------
    callable
        Of examples: a model, a task and examples that give the same, the states from the store.
    """
    if memory is None or frozen is None:
        return lambda examples: (model, task, examples)
    made = []

    def above(examples):
        if not made:
            parts = _split(model, task, frozen, examples, pad_id, precision)
            source = parts and _Source.of(model, parts, pad_id, precision, memory)
            made.extend([parts, source])
        parts, source = made
        if parts is None:
            return model, task, examples
        states = States.of(examples, source, _Room(0))
        return parts.upper, parts.task, replace(examples, states=states)

    return above
