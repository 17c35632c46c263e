"""Going on after a crash: what a fit is in the middle of, in a file that is whole or not there."""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from skorch.callbacks import Callback

from .. import __version__
from ..exceptions import warn_caller
from .seeding import generators_of
from .tensor_files import add_tensors, make_folder, read_tensors, write_tensors

__all__ = ["Checkpoints", "fingerprint"]

_SECONDS = 600  # after which an epoch is not waited for
_SHARE = 0.03  # of a fit's time that may go into its checkpoints
_SPEED = 3e8  # bytes a second that are written, until one has been timed
_NAME = "checkpoint.safetensors"


def fingerprint(model, task, data, validate, plan):
    """A name for all that decides how a fit goes on.

    Parameters
    ----------
    model : PreTrainedModel
        As it is before the first step.
    task : Task
    data : TrainingData
    validate : callable or None
        With the validation data as its attribute ``data``.
    plan : Plan
    """
    found = hashlib.sha256()
    told = {
        n: v for n, v in vars(plan).items() if n not in ("callbacks", "verbose", "checkpoint_dir")
    }
    told["threads"], told["versions"] = torch.get_num_threads(), (torch.__version__, __version__)
    found.update(f"{type(task).__name__} {type(model).__name__} {sorted(told.items())}".encode())
    for some in (data, None if validate is None else validate.data):
        if some is None:
            continue
        for values in some.all_that_counts():
            values = np.asarray(values)
            found.update(f"{values.dtype} {values.shape}\n".encode())
            found.update(np.ascontiguousarray(values).tobytes())
    return add_tensors(found, model.state_dict()).hexdigest()


class Checkpoints(Callback):
    """Write where a fit is, and go on from there.

    A file is written after an epoch, and in it after ten minutes, as long as that costs no more
    than 3 % of the time. It holds the weights that are learnt, the best ones so far, the
    optimizer's moments, the schedule, all random generators, and the place in the rows.

    Parameters
    ----------
    folder : path
        That may be shared: each fit has a folder of its own in it, named by its fingerprint.
    name : str
        The fingerprint.
    data : TrainingData
    batches : LengthBatches
    record : Record
    validation : Validation or None
    progress : Progress or None
    """

    def __init__(self, folder, name, data, batches, record, validation, progress):
        self.folder = Path(folder).expanduser() / name
        self.data, self.batches, self.record = data, batches, record
        self.validation, self.progress = validation, progress

    def on_train_begin(self, net, **kwargs):
        """Take the folder, and go on from what is in it."""
        self._epoch = self._batch = 0
        self._waiting, self._cost, self._last = None, None, time.perf_counter()
        make_folder(self.folder, "checkpoint_dir", self.folder.parent)
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            warn_caller(
                f"Another process does the same fit with checkpoint_dir="
                f"{str(self.folder.parent)!r}: this one keeps no checkpoints."
            )
            self._lock = None
            return
        state = self._read()
        if state is not None:
            self._go_on(net, *state)

    def on_epoch_begin(self, net, **kwargs):
        """Leave out the batches that are done."""
        self._order = self.batches.rng.bit_generator.state
        if self._waiting is not None and self._waiting["batch"]:
            self.batches.skip = self._waiting["batch"]
            self.record.go_on(self._waiting["record"])

    def on_batch_begin(self, net, training=False, **kwargs):
        """Draw on from where the generators were."""
        self._draw_on(net)

    def on_batch_end(self, net, training=False, **kwargs):
        """Write where an epoch takes long."""
        self._batch += 1
        if time.perf_counter() - self._last >= _SECONDS:
            self._write(net)

    def on_epoch_end(self, net, **kwargs):
        """Write."""
        self._draw_on(net)  # the epoch's last batch may have been the last that was done
        self._epoch, self._batch = self._epoch + 1, 0
        self._order = self.batches.rng.bit_generator.state
        self._write(net)

    def close(self, *, finished):
        """Let go of the folder; of a finished fit it is removed."""
        if getattr(self, "_lock", None) is None:
            return
        if finished:
            (self.folder / _NAME).unlink(missing_ok=True)
        self._lock.release()
        if finished:
            (self.folder / "lock").unlink(missing_ok=True)
            with suppress(OSError):  # another process may just have begun the same fit
                self.folder.rmdir()

    def _draw_on(self, net):
        """Set the generators to where they were, once."""
        if self._waiting is not None:
            if self._waiting["batch"]:  # else the state was set before the rows were shuffled
                _set_generators(net, self._waiting["generators"])
            self._waiting = None

    def _write(self, net):
        if self._lock is None:
            return
        tensors, told = self._state(net)
        n_bytes = sum(t.nbytes for t in tensors.values())
        start = time.perf_counter()
        cost = n_bytes / _SPEED if self._cost is None else self._cost
        if start - self._last < cost / _SHARE:
            return
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        unfinished = self.folder / f"{_NAME}.tmp"
        try:
            path = self.folder / _NAME
            write_tensors(path, tensors, told, unfinished=unfinished, lasting=True)
        except OSError as error:
            warn_caller(f"No checkpoint could be written to {str(self.folder)!r}: {error}")
        self._last = time.perf_counter()
        self._cost = self._last - start

    def _state(self, net):
        """Tensors, and all else as JSON."""
        learnt = {n: p for n, p in net.module_.named_parameters() if p.requires_grad}
        tensors = {f"model {name}": p for name, p in learnt.items()}
        moments, numbers = net.optimizer_.state_dict()["state"], {}
        for i, values in moments.items():
            for name, value in values.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"moments {i} {name}"] = value
                else:
                    numbers[f"{i} {name}"] = value
        for i, generator in enumerate(generators_of(net.device)):
            tensors[f"generator {i}"] = generator.get_state()
        watched = None
        if self.validation is not None:
            watched, best = self.validation.state()
            tensors |= {f"best {name}": p for name, p in (best or {}).items()}
        told = {
            "epoch": self._epoch,
            "batch": self._batch,
            "order": self._order,
            "history": [{k: v for k, v in e.items() if k != "batches"} for e in net.history[:]],
            "numbers": numbers,
            "rates": [group["lr"] for group in net.optimizer_.param_groups],
            "schedule": {k: v for k, v in net.schedule_.state_dict().items() if k != "lr_lambdas"},
            "scaler": net.scaler_.state_dict(),
            "record": self.record.state(),
            "validation": watched,
            "data": self.data.state(),
        }
        return tensors, json.dumps(told)

    def _read(self):
        """The last state that was written, or None."""
        path = self.folder / _NAME
        (self.folder / f"{_NAME}.tmp").unlink(missing_ok=True)
        if not path.exists():
            return None
        try:
            tensors, told = read_tensors(path)
            # Of their own memory: the file will be replaced.
            return {name: tensor.clone() for name, tensor in tensors.items()}, json.loads(told)
        except (ValueError, OSError) as error:
            warn_caller(f"{str(path)!r} is damaged ({error}): the fit begins anew.")
            path.unlink(missing_ok=True)
            return None

    def _go_on(self, net, tensors, told):
        parts = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(" ")
            parts.setdefault(kind, {})[rest] = tensor
        net.module_.load_state_dict(parts["model"], strict=False)
        moments = {}
        for name, value in [*parts.get("moments", {}).items(), *told["numbers"].items()]:
            i, _, field = name.partition(" ")
            moments.setdefault(int(i), {})[field] = value
        groups = net.optimizer_.state_dict()["param_groups"]
        net.optimizer_.load_state_dict({"state": moments, "param_groups": groups})
        for group, rate in zip(net.optimizer_.param_groups, told["rates"]):
            group["lr"] = rate
        known = net.schedule_.state_dict()
        net.schedule_.load_state_dict({**known, **told["schedule"]})
        net.scaler_.load_state_dict(told["scaler"])
        for epoch in told["history"][: told["epoch"]]:
            net.history.new_epoch()
            for name, value in epoch.items():
                net.history.record(name, value)
        self._epoch, self._batch = told["epoch"], told["batch"]
        self.batches.rng.bit_generator.state = told["order"]
        self.data.go_on(told["data"])
        if self.validation is not None:
            self.validation.go_on(told["validation"], parts.get("best"))
        if self.progress is not None:
            self.progress.go_on(self._epoch, self._batch)
        net.epochs_done = self._epoch
        generators = list(parts["generator"].values())
        self._waiting = {**told, "generators": generators}
        _set_generators(net, generators)


def _set_generators(net, states):
    for generator, state in zip(generators_of(net.device), states):
        generator.set_state(state)
