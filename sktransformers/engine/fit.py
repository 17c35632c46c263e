"""Fine-tuning as one function: builds the loop, runs it and drops it."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from ..data.batching import LengthBatches
from .allocator import memory_kept
from .callbacks import Progress, Record, Validation, refuse_unsuitable
from .checkpoints import Checkpoints, fingerprint
from .device import choose_device, choose_precision
from .freezing import freeze_layers
from .infer import are_finite, batch_loss
from .net import FineTuningNet
from .seeding import draw_seed
from .word_rows import of_these_words

__all__ = ["UNTRAINED", "Plan", "fine_tune", "plan_for"]

# At least this many optimisation steps: three epochs of 200 rows are 21 steps, with which
# fine-tuning loses to logistic regression on frozen vectors.
_FEWEST_STEPS = 200

_LOOKED_AT = 8  # rows: where the weights are no numbers, no row's outputs are

_OURS = {
    "module": "model",
    "criterion": "the kind of estimator",
    "dataset": "X and y",
    "iterator_train": "batch_size",
    "iterator_valid": "X_val and y_val",
    "train_split": "X_val and y_val, or validation_fraction",
    "device": "device",
    "batch_size": "batch_size",
    "max_epochs": "max_epochs",
    "lr": "learning_rate",
    "callbacks": "callbacks",
    "verbose": "verbose",
    "warm_start": "warm_start",
    "task": "the kind of estimator",
    "frozen": "freeze",
    "precision": "precision",
    "n_steps": "max_epochs",
    "warmup_ratio": "warmup_ratio",
    "head_faster": "learning_rate",
    "moments": "partial_fit",
    "optimizer__lr": "learning_rate",
    "optimizer__weight_decay": "weight_decay",
}


@dataclass(frozen=True)
class Plan:
    """How to fine-tune: an estimator's parameters, resolved for this machine.

    ``is_watched`` says that others may look at the model between steps; ``goes_on`` that a later
    call goes on with the optimizer's moments on other texts.
    """

    learning_rate: float
    max_epochs: int | str
    batch_size: int
    weight_decay: float
    warmup_ratio: float | None
    freeze: int | str | None
    patience: int | None
    loss_counts: bool
    precision: str
    may_fall_back: bool
    device: str
    callbacks: list
    net_params: dict
    seed: int
    verbose: int
    checkpoint_dir: Path | None = None
    head_faster: float = 20.0
    is_watched: bool = False
    goes_on: bool = False

    def n_epochs(self, n_rows, fewest):
        """Epochs to run: as asked for, or the fewest or some 200 steps, whichever is more."""
        if self.max_epochs != "auto":
            return self.max_epochs
        n_batches = -(-n_rows // self.batch_size)
        return max(fewest, -(-_FEWEST_STEPS // n_batches))


def plan_for(estimator, valid=None):
    """Resolve an estimator's parameters; what cannot be done is refused before any work.

    Parameters
    ----------
    estimator : TransformerEstimator
    valid : Rows or None
        Validation rows that were given.
    """
    trains = estimator._trains and estimator.max_epochs != 0
    if valid is not None and not trains:
        raise ValueError(
            "X_val and y_val are for models that are trained, but here nothing is: objective is "
            "None or max_epochs is 0. Leave them out, or change that."
        )
    refuse_unsuitable(estimator.callbacks)
    for name in estimator.net_params or {}:
        ours = _OURS.get(name) or _OURS.get(str(name).split("__")[0])
        if ours:
            raise ValueError(
                f"net_params must not hold {name!r}, which is decided by {ours}. Remove it from "
                "net_params."
            )
    if estimator.checkpoint_dir is not None and estimator.random_state is None:
        raise ValueError(
            "checkpoint_dir needs a fit that can be repeated, but random_state is None. Set "
            "random_state to a number."
        )
    device = choose_device(estimator.device)
    return Plan(
        learning_rate=estimator.learning_rate,
        max_epochs=estimator.max_epochs if trains else 0,
        batch_size=estimator.batch_size,
        weight_decay=estimator.weight_decay,
        warmup_ratio=estimator.warmup_ratio,
        freeze=estimator.freeze,
        patience=estimator.n_iter_no_change if estimator.early_stopping else None,
        loss_counts=estimator.scoring is None,
        precision=choose_precision(estimator.precision, device),
        may_fall_back=estimator.precision == "auto",
        device=device,
        callbacks=list(estimator.callbacks or []),
        net_params=dict(estimator.net_params or {}),
        seed=draw_seed(estimator.random_state),
        verbose=int(estimator.verbose),
        checkpoint_dir=estimator.checkpoint_dir,
        is_watched=bool(estimator.callbacks) or callable(estimator.scoring),
    )


@dataclass(frozen=True)
class Outcome:
    """What is told of a fit, beside the model.

    ``history`` is a DataFrame with a row an epoch; best epoch and score are None without
    validation. ``moments`` is the optimizer's state, None where no later call goes on with it.
    """

    history: pd.DataFrame
    best_epoch: int | None
    best_score: float | None
    moments: dict | None


UNTRAINED = Outcome(
    pd.DataFrame([], columns=Record.columns, index=pd.RangeIndex(1, 1, name="epoch"), dtype=float),
    best_epoch=None,
    best_score=None,
    moments=None,
)


def fine_tune(model, task, data, plan, validate=None, moments=None):
    """Train a model in place.

    Parameters
    ----------
    model : PreTrainedModel
        On its device.
    task : Task
    data : TrainingData
    plan : Plan
    validate : callable or None
        Of the model, after each epoch; gives validation loss and score.
    moments : dict or None
        State of the optimizer of an earlier call, to go on with.

    Returns
    -------
    Outcome
    """
    n_epochs = plan.n_epochs(len(data), task.fewest_epochs)
    # Where the learning rate does not fall, the last batches have the last word: rows of any length
    # must be in them. (On sst2 short rows at the end of a part cost five points.)
    groups, pool = task.groups(data.targets), 1 if plan.warmup_ratio is None else 16
    batches = LengthBatches(data.examples.lengths, plan.batch_size, plan.seed, groups, pool)
    validation = None if validate is None else Validation(validate, plan.patience, plan.loss_counts)
    progress = Progress(n_epochs, len(batches)) if plan.verbose else None
    record, checkpoints = Record(), None
    if plan.checkpoint_dir is not None:
        name = fingerprint(model, task, data, validate, plan)
        watched = data, batches, record, validation, progress
        checkpoints = Checkpoints(plan.checkpoint_dir, name, *watched)
    own = {
        "_record": record,
        "_validation": validation,
        "_progress": progress,
        "_checkpoints": checkpoints,
    }
    settings = {"optimizer": torch.optim.AdamW, **plan.net_params}
    foreach = settings.get("optimizer__foreach")
    if settings["optimizer"] is torch.optim.AdamW and not foreach:
        settings = {"optimizer__fused": model.device.type in ("cpu", "cuda"), **settings}
    net = FineTuningNet(
        model,
        task=task,
        frozen=freeze_layers(model, plan.freeze),
        precision=plan.precision,
        n_steps=n_epochs * len(batches),
        warmup_ratio=plan.warmup_ratio,
        head_faster=plan.head_faster,
        moments=moments,
        device=plan.device,
        max_epochs=n_epochs,
        batch_size=plan.batch_size,
        lr=plan.learning_rate,
        optimizer__weight_decay=plan.weight_decay,
        callbacks=[item for item in own.items() if item[1] is not None] + plan.callbacks,
        iterator_train=lambda rows, **_: DataLoader(
            rows, batch_sampler=batches, collate_fn=lambda batch: batch
        ),
        **settings,
    )
    finished = False
    try:
        with memory_kept(model.device), _words(model, data, plan, net.optimizer):
            net.train(data)
        model.zero_grad(set_to_none=True)
        model.requires_grad_(True)
        model.eval()
        _check_outputs(model, task, data, plan)
        finished = True
    finally:
        if progress is not None:
            progress.close()
        if checkpoints is not None:
            checkpoints.close(finished=finished)
    history = pd.DataFrame(Record.rows(net.history), columns=Record.columns)
    history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    best = (None, None)
    if validation is not None and validation.best_epoch:
        best = (validation.best_epoch, float(validation.best_score))
    return Outcome(history, *best, net.optimizer_.state_dict() if plan.goes_on else None)


def _words(model, data, plan, optimizer):
    """On a CPU leave the words that no text has out of training, where nobody can notice."""
    draws_words = not data.has_row_outputs
    is_ours = optimizer is torch.optim.AdamW and not (plan.is_watched or plan.goes_on)
    if draws_words or not is_ours or model.device.type != "cpu":
        return nullcontext()
    return of_these_words(model, data.examples.ids, data.pad_id)


def _check_outputs(model, task, data, plan):
    """Look at what the last step left: its loss was finite before it, not after."""
    rows = range(min(len(data), plan.batch_size, _LOOKED_AT))
    if data.has_row_outputs:
        settings = {"precision": plan.precision, "pad_id": data.pad_id}
        is_well = are_finite(model, task, data.examples.take(rows), **settings)
    else:
        is_well = np.isfinite(batch_loss(model, task, data, rows, plan.precision))
    if not is_well:
        raise FloatingPointError(
            "The model's outputs must stay finite, but after the last step they are not. Use a "
            "smaller learning_rate, or precision='float32'."
        )
