"""The training loop: the only subclass of skorch's ``NeuralNet``.

skorch gives the loop, the callbacks and the optimizer's parameter groups. Nothing of it is seen by
users but ``callbacks`` and ``net_params``.
"""

import copy
import dis
import sys
from functools import partial

import torch
from skorch import NeuralNet
from torch.optim.lr_scheduler import LambdaLR

from ..data.nested import mapped
from .device import autocast, moved
from .embeddings import Recycled
from .lean import lean
from .parts import (
    RowTooLargeError,
    does_not_fit,
    give_back,
    named_if_alone,
    parts_of,
    tell_of_parts,
)
from .seeding import generators_of

__all__ = ["FineTuningNet"]

_LARGEST_NORM = 1.0


class FineTuningNet(NeuralNet):
    """Fine-tune a model on batches that come padded and weighted.

    Parameters
    ----------
    module : PreTrainedModel
        Changed in place.
    task : Task
    frozen : list of Module
        Kept in eval mode.
    precision : str
    n_steps : int
        Optimisation steps of the whole fit, for the schedule.
    warmup_ratio : float or None
        The share of them in which the learning rate rises; with None it stays constant.
    head_faster : float
        How many times the encoder's learning rate is the head's.
    moments : dict or None
        State of an optimizer to go on with.
    **kwargs
        As skorch's ``NeuralNet`` takes them.
    """

    def __init__(
        self,
        module,
        *,
        task,
        frozen,
        precision,
        n_steps,
        warmup_ratio,
        head_faster,
        moments,
        **kwargs,
    ):
        super().__init__(module, criterion=lambda: task.loss, train_split=None, verbose=0, **kwargs)
        self.task = task
        self.frozen = frozen
        self.precision = precision
        self.n_steps = n_steps
        self.warmup_ratio = warmup_ratio
        self.head_faster = head_faster
        self.moments = moments
        self.recycled = Recycled()
        self.fitting = sys.maxsize  # padded tokens that fit into memory side by side

    def get_default_callbacks(self):
        """None of skorch's: it would print a table, and time what we time ourselves."""
        return []

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Group parameters: a head learns faster, and only matrices decay.

        A head may be far from where it will be, the encoder is near. Biases and the scales of layer
        norms are left out of weight decay, as BERT was trained.
        """
        learnt = [(name, p) for name, p in named_parameters if p.requires_grad]
        (groups,), kwargs = super().get_params_for_optimizer(prefix, learnt)
        encoder = {id(p) for p in self.module_.base_model.parameters()}
        finer = []
        for group in groups:
            for in_encoder in (True, False):
                members = [p for p in group["params"] if (id(p) in encoder) == in_encoder]
                faster = {} if in_encoder else {"lr": kwargs["lr"] * self.head_faster}
                decayed = [p for p in members if p.ndim > 1]
                exempt = [p for p in members if p.ndim <= 1]
                finer.append({**group, "params": decayed, **faster})
                finer.append({**group, "params": exempt, "weight_decay": 0.0, **faster})
        return ([group for group in finer if group["params"]],), kwargs

    def initialize_optimizer(self, triggered_directly=None):
        """Make the optimizer, and with it the schedule of its learning rate."""
        super().initialize_optimizer()
        if self.moments:
            groups = self.optimizer_.state_dict()["param_groups"]  # as they are set now
            state = copy.deepcopy(self.moments["state"])  # the steps would change it, then fail
            self.optimizer_.load_state_dict({"state": state, "param_groups": groups})
        # A function of this net would keep it, and with it the model, in a cycle of references.
        factor = partial(_factor, n_steps=self.n_steps, warmup_ratio=self.warmup_ratio)
        self.schedule_ = LambdaLR(self.optimizer_, factor)
        # Only float16 needs its loss scaled: its smallest number is 6e-8.
        kind = torch.device(self.device).type
        self.scaler_ = torch.amp.GradScaler(kind, enabled=self.precision == "float16")
        return self

    def train(self, dataset):
        """Run the loop over the data set; a Ctrl-C reaches the caller.

        skorch stops in silence at any KeyboardInterrupt, because its early stopping raises one too.
        """
        self.initialize()
        self.epochs_done = 0
        self.notify("on_train_begin", X=dataset, y=None)
        try:
            self.fit_loop(dataset, epochs=self.max_epochs - self.epochs_done)
        except KeyboardInterrupt as interrupt:
            if not _raised_by_a_callback(interrupt):
                raise
        self.notify("on_train_end", X=dataset, y=None)
        return self

    def _set_training(self, training=True):
        super()._set_training(training)
        for module in self.frozen:
            module.eval()

    def train_step_single(self, batch, **fit_params):
        """Forward and backward of one batch."""
        self._set_training(True)
        inputs, labels, weights = self._to_device(batch)
        with lean(self.module_, self.recycled), autocast(self.precision, self.device):
            outputs = self.task.forward(self.module_, inputs)
        loss = self.task.loss(outputs, labels, weights)
        self.scaler_.scale(loss).backward()
        one = isinstance(outputs, torch.Tensor)  # language models give several
        return {"loss": loss.detach(), "y_pred": outputs.detach() if one else None}

    def _to_device(self, batch):
        inputs, *targets = batch  # states of frozen layers stay in the precision that they have
        # Cast first: not every device has float64.
        dtype = self.module_.dtype
        cast = mapped(lambda t: t.to(dtype) if t.is_floating_point() else t, targets)
        return moved((inputs, *cast), self.device)

    def _fitting_step(self, batch, **fit_params):
        """Forward and backward of a batch: in parts where it does not fit into memory whole."""
        n_rows, width = batch[0]["input_ids"].shape
        size, step, failed = min(n_rows, max(1, self.fitting // width)), None, False
        while step is None:
            self.optimizer_.zero_grad(set_to_none=True)
            self.recycled.give_back()
            try:
                step = self._in_parts(batch, size, **fit_params)
            except (RuntimeError, MemoryError) as error:
                if not does_not_fit(error):
                    raise
            if step is None:  # outside of the except block, which holds on to its tensors
                give_back(self.device)
                if size == 1:
                    raise self._too_large(batch[0])
                size, failed = -(-size // 2), True
        if failed:
            if self.fitting == sys.maxsize:
                tell_of_parts(n_rows, size)
            self.fitting = size * width
        return step

    def _too_large(self, inputs):
        """The error where single rows do not fit."""
        if self.task.adds_up:
            return RowTooLargeError(inputs)
        return MemoryError(
            f"The loss of {len(inputs['input_ids'])} rows must fit into memory, for it compares "
            "each with all others, but it does not. Use a smaller batch_size, or a machine with "
            "more memory."
        )

    def _in_parts(self, batch, size, **fit_params):
        if size >= len(batch[0]["input_ids"]):
            return self.train_step_single(batch, **fit_params)
        if not self.task.adds_up:
            return self._compared_in_parts(batch, size)
        steps = [self.train_step_single(part, **fit_params) for part in parts_of(batch, size)]
        outputs = [step["y_pred"] for step in steps]
        whole = None if outputs[0] is None else torch.cat(outputs)
        return {"loss": sum(step["loss"] for step in steps), "y_pred": whole}

    def _compared_in_parts(self, batch, size):
        """The same where the loss compares each row with all others.

        Outputs come first, without what the way back needs; then with the loss's gradient by them
        each part is computed again, dropping the same (Gao et al., 2021, Scaling Deep Contrastive
        Learning Batch Size under Memory Limited Setup, arXiv:2101.06983).
        """
        self._set_training(True)
        inputs, labels, weights = self._to_device(batch)
        parts = [part for part, _, _ in parts_of((inputs, labels, weights), size)]
        generators, states, outputs = generators_of(self.device), [], []

        def forward(part):
            with (
                named_if_alone(part, inputs),
                lean(self.module_, self.recycled),
                autocast(self.precision, self.device),
            ):
                return self.task.forward(self.module_, part)

        for part in parts:
            states.append([generator.get_state() for generator in generators])
            with torch.no_grad():
                outputs.append(forward(part))
        outputs = torch.cat(outputs).requires_grad_()
        loss = self.task.loss(outputs, labels, weights)
        self.scaler_.scale(loss).backward()
        for part, state, gradient in zip(parts, states, outputs.grad.split(size)):
            for generator, one in zip(generators, state):
                generator.set_state(one)
            with named_if_alone(part, inputs):
                forward(part).backward(gradient)
        return {"loss": loss.detach(), "y_pred": outputs.detach()}

    def train_step(self, batch, **fit_params):
        """One optimisation step: gradients clipped at norm 1, then optimizer and schedule."""
        step = self._fitting_step(batch, **fit_params)
        self.scaler_.unscale_(self.optimizer_)
        learnt = [(name, p) for name, p in self.module_.named_parameters() if p.grad is not None]
        self.notify("on_grad_computed", named_parameters=iter(learnt), batch=batch, training=True)
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in learnt], _LARGEST_NORM)
        self._check_finite({"loss": step["loss"], "gradient's norm": norm})
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        self.schedule_.step()
        torch.clear_autocast_cache()  # within a caller's autocast the old weights would stay in it
        return step

    def _check_finite(self, values):
        # In one look at the device, which has to be waited for.
        are_finite = torch.stack([torch.isfinite(value) for value in values.values()]).tolist()
        for (what, value), is_finite in zip(values.items(), are_finite):
            if is_finite or (what != "loss" and self.precision == "float16"):
                continue  # with float16 the scaler leaves such steps out
            raise FloatingPointError(
                f"The {what} must stay finite, but it became {value.item()} in epoch "
                f"{len(self.history)}, batch {len(self.history[-1]['batches'])}. Use a smaller "
                "learning_rate, or precision='float32'."
            )


def _factor(step, *, n_steps, warmup_ratio):
    """By what the learning rate is multiplied at a step."""
    if warmup_ratio is None:
        return 1.0
    n_warm = round(warmup_ratio * n_steps)
    if step < n_warm:
        return (step + 1) / n_warm
    return max(0.0, (n_steps - step) / max(1, n_steps - n_warm))


def _raised_by_a_callback(interrupt):
    """Whether a ``raise`` statement in a callback threw this, and not a signal.

    A signal may arrive at any instruction, but is never thrown by that instruction itself.
    """
    traceback = interrupt.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    by_hand = code.co_code[traceback.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return by_hand and code.co_name.startswith("on_")
