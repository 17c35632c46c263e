"""What happens between batches and epochs: the record, the validation, the progress bar."""

import math
import time

from skorch.callbacks import Callback
from tqdm.auto import tqdm

__all__ = ["Progress", "Record", "Validation", "refuse_unsuitable"]

_REFUSED = {
    "EpochScoring": "set scoring and X_val, y_val instead",
    "BatchScoring": "set scoring and X_val, y_val instead",
    "Checkpoint": "set early_stopping=True to get the best weights back, and save() to keep them",
    "TrainEndCheckpoint": "call save() after fit",
    "LoadInitState": "use warm_start=True",
    "LRScheduler": "set learning_rate and warmup_ratio instead",
    "Freezer": "set freeze instead",
    "Unfreezer": "set freeze instead",
}


def refuse_unsuitable(callbacks):
    """Refuse skorch callbacks that use the net's own predict or save, or undo parameters."""
    for item in callbacks or []:
        callback = item[1] if isinstance(item, (tuple, list)) else item
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise TypeError(
                f"callbacks must hold skorch callbacks, but {callback!r} ({kind.__name__}) came. "
                "Use those of skorch.callbacks, or a subclass of its Callback."
            )
        for name in (cls.__name__ for cls in kind.__mro__):
            if name in _REFUSED:
                raise ValueError(
                    f"callbacks must not hold skorch's {name}, which relies on parts of skorch "
                    f"that are not used here; {_REFUSED[name]}."
                )


class Record(Callback):
    """Write the columns of ``history_`` into skorch's history, where other callbacks find them."""

    columns = (
        "train_loss",
        "valid_loss",
        "valid_score",
        "learning_rate",
        "seconds",
        "tokens_per_second",
    )

    def on_epoch_begin(self, net, **kwargs):
        self._start, self._loss, self._rows, self._tokens = time.perf_counter(), 0.0, 0, 0

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self._rate = net.optimizer_.param_groups[0]["lr"]

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        inputs, _, _ = batch
        n_rows = len(inputs["attention_mask"])
        self._loss += net.history[-1, "batches", -1, "train_loss"] * n_rows
        self._rows += n_rows
        self._tokens += int(inputs["attention_mask"].sum())

    def state(self):
        """What has been counted of this epoch."""
        return {
            "loss": self._loss,
            "rows": self._rows,
            "tokens": self._tokens,
            "rate": self._rate,
            "seconds": time.perf_counter() - self._start,
        }

    def go_on(self, state):
        """Count on from a state."""
        self._loss, self._rows, self._tokens = state["loss"], state["rows"], state["tokens"]
        self._rate = state["rate"]
        self._start = time.perf_counter() - state["seconds"]

    def on_epoch_end(self, net, **kwargs):
        seconds = time.perf_counter() - self._start
        net.history.record("train_loss", self._loss / self._rows)
        net.history.record("learning_rate", self._rate)
        net.history.record("seconds", seconds)
        net.history.record("tokens_per_second", self._tokens / seconds)

    @classmethod
    def rows(cls, history):
        """One dict for each finished epoch, NaN where there is no value."""
        finished = [epoch for epoch in history if "seconds" in epoch]
        return [{name: epoch.get(name, math.nan) for name in cls.columns} for epoch in finished]


_WORTH = 0.01  # by which the validation loss must fall to count as progress


class Validation(Callback):
    """Score every epoch; stop where nothing gets better, and bring the best weights back.

    Parameters
    ----------
    validate : callable
        Of the module in eval mode; gives the validation loss and the score (larger is better).
    patience : int or None
        Epochs without progress after which to stop. With None there is no stop, and the last
        weights stay.
    loss_counts : bool
        Whether a smaller loss is progress too. (The F1 of entities stays at 0 while a model still
        learns that most words are none.)
    """

    _seen = (
        *("best_epoch", "best_score", "_loss_of_best", "_smallest_loss"),
        *("_epoch", "_last_progress"),
    )

    def __init__(self, validate, patience, loss_counts):
        self.validate = validate
        self.patience = patience
        self.loss_counts = loss_counts

    def on_train_begin(self, net, **kwargs):
        self.best_epoch, self.best_score, self._best_weights = 0, -math.inf, None
        self._loss_of_best = self._smallest_loss = math.inf
        self._epoch = self._last_progress = 0

    def state(self):
        """What has been seen so far, in a form that JSON has, and the best weights."""
        return {name: getattr(self, name) for name in self._seen}, self._best_weights

    def go_on(self, state, best_weights):
        """Go on from a state."""
        vars(self).update(state, _best_weights=best_weights)

    def on_epoch_begin(self, net, **kwargs):
        # Here and not at the end of the last epoch, so that all callbacks have seen that end.
        if self.patience is not None and self._epoch - self._last_progress >= self.patience:
            raise KeyboardInterrupt  # as skorch's own early stopping does

    def on_epoch_end(self, net, **kwargs):
        net.module_.eval()
        try:
            loss, score = self.validate(net.module_)
        except FloatingPointError as error:
            raise FloatingPointError(f"{error} (After epoch {self._epoch + 1}.)") from None
        net.history.record("valid_loss", loss)
        net.history.record("valid_score", score)
        self._epoch += 1
        if self.loss_counts and loss < self._smallest_loss - _WORTH:
            self._smallest_loss, self._last_progress = loss, self._epoch
        is_better = (score, -loss) > (self.best_score, -self._loss_of_best)
        if self._epoch == 1 or math.isnan(self.best_score) or is_better:
            if not score <= self.best_score:
                self._last_progress = self._epoch
            self.best_epoch, self.best_score, self._loss_of_best = self._epoch, score, loss
            if self.patience is not None:
                self._best_weights = {
                    name: p.detach().cpu().clone()
                    for name, p in net.module_.named_parameters()
                    if p.requires_grad
                }

    def on_train_end(self, net, **kwargs):
        if self._best_weights is not None:
            net.module_.load_state_dict(self._best_weights, strict=False)


class Progress(Callback):
    """One bar for the whole fit, on the error stream.

    Parameters
    ----------
    n_epochs, n_batches : int
    """

    def __init__(self, n_epochs, n_batches):
        self.n_epochs = n_epochs
        self.n_batches = n_batches

    def on_train_begin(self, net, **kwargs):
        self._epoch = 0
        self.bar = tqdm(total=self.n_epochs * self.n_batches, unit="batch", dynamic_ncols=True)

    def go_on(self, epoch, batch):
        """Begin where an earlier fit was."""
        self._epoch = epoch
        self.bar.update(epoch * self.n_batches + batch)

    def on_epoch_begin(self, net, **kwargs):
        self._epoch += 1
        self.bar.set_description(f"epoch {self._epoch}/{self.n_epochs}")

    def on_batch_end(self, net, training=False, **kwargs):
        self.bar.set_postfix(
            loss=f"{net.history[-1, 'batches', -1, 'train_loss']:.3f}", refresh=False
        )
        self.bar.update()

    def on_epoch_end(self, net, **kwargs):
        last = net.history[-1]
        shown = {
            name: f"{last[name]:.3f}" for name in ("train_loss", "valid_score") if name in last
        }
        self.bar.set_postfix(shown)

    def close(self):
        """Leave the terminal in order, also after an error."""
        if getattr(self, "bar", None) is not None:
            self.bar.close()
