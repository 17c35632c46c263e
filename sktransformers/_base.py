"""The stages of fit and of inference, in order; what a stage does stands on the floors below."""

import copy

from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_is_fitted, validate_data

from ._saving import SavingMixin
from .data.inputs import as_texts, has_names
from .data.rows import Rows, must_come_together
from .data.texts import must_be_pairs

__all__ = ["TransformerEstimator"]

# What every fit learns anew, also when it goes on from fitted weights.
_OF_ONE_FIT = {
    *("n_iter_", "history_", "best_epoch_", "best_score_"),
    *("n_features_in_", "feature_names_in_", "_moments"),
}


class TransformerEstimator(SavingMixin, BaseEstimator):
    """What all estimators share: the order of the stages, and how what was learnt is kept.

    A subclass says what varies: ``_make_task`` and ``_task``, ``_read_targets`` and ``_weigh``.
    """

    _kind, _needs_y, _trains = "encoder", True, True
    _as_rows = staticmethod(as_texts)  # how X is read
    _stride = property(lambda self: self.stride)
    _states = property(lambda self: {"frozen": self.freeze, "memory": self.memory})  # to keep
    _kept = ("_asked", "_pairs", "_reading")  # private, and learnt: saved with the model

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """Fit a draft of the estimator, and become it only when all went well."""
        from .engine.parts import told_by_text

        self._validate_params()
        must_come_together(X_val, y_val, sample_weight_val, needs_y=self._needs_y)
        if isinstance(self.scoring, str) and self.scoring != "loss":
            get_scorer(self.scoring)  # refuses unknown names before any work
        draft = self._draft(keep_learnt=self.warm_start)
        train = draft._read(X, y, sample_weight, reset=True)
        valid = None
        if X_val is not None:
            valid = draft._read(X_val, y_val, sample_weight_val, suffix="_val")
            must_be_pairs(valid.texts, train.texts.are_pairs, "X_val")
        with told_by_text(draft):
            draft._learn(train, valid)
        self.__dict__ = vars(draft)  # at once: a thread that predicts sees the old or the new
        return self

    def _draft(self, *, keep_learnt):
        """Another estimator with these parameters, and if wanted with the fitted model."""
        kept = {n for n in vars(self) if not n.endswith("_") and n != "_moments"}
        if keep_learnt and hasattr(self, "model_"):
            kept = set(vars(self)) - _OF_ONE_FIT
        draft = object.__new__(type(self))
        vars(draft).update((name, value) for name, value in vars(self).items() if name in kept)
        return draft

    def _read(self, X, y, sample_weight, *, suffix="", reset=False):
        """Read rows as a user gave them."""
        texts = self._validate_text(X, reset=reset, name=f"X{suffix}")
        y = self._read_targets(y, texts, name=f"y{suffix}")
        return Rows.weighted(texts, y, sample_weight, name=f"sample_weight{suffix}")

    def _validate_text(self, X, *, reset=False, name="X"):
        """Read X; a frame's columns must be those of fit."""
        if has_names(X, name) and (reset or hasattr(self, "feature_names_in_")):
            validate_data(self, X, reset=reset, skip_check_array=True)
        return self._as_rows(X, name)

    def _learn(self, train, valid):
        """From rows to a fitted model: the stages of fit."""
        from .engine.allocator import memory_kept
        from .engine.fit import UNTRAINED, fine_tune, plan_for
        from .engine.head import settle, start_head
        from .engine.seeding import seeded
        from .engine.states import above_frozen
        from .engine.validation import validator

        plan = plan_for(self, valid)
        with seeded(plan.seed, plan.device):
            task = self._make_task(train)
            train, valid = train.that_count(), valid and valid.that_count()
            if valid is None and self.early_stopping and plan.max_epochs != 0:
                strata = task.strata(train.y)
                train, valid = train.split(self.validation_fraction, plan.seed, strata)
            head_is_new = self._start(task, train.texts)
            plan = settle(self.model_, self.tokenizer_, plan)
            self.device_, self._precision = plan.device, plan.precision
            self._asked = "auto" if plan.may_fall_back else plan.precision
            outcome = UNTRAINED
            if plan.max_epochs != 0:
                data, *valid_data = self._encode(task, *([train, valid] if valid else [train]))
                with memory_kept(plan.device):
                    model = above_frozen(
                        self.model_, task, [data, *valid_data], plan, **self._states
                    )
                    plan = start_head(model, task, data, plan) if head_is_new else plan
                    validate = validator(self, task, valid, *valid_data) if valid else None
                    outcome = fine_tune(model, task, data, plan, validate)
        self.n_iter_, self.history_ = len(outcome.history), outcome.history.copy()
        if outcome.best_epoch is not None:
            self.best_epoch_, self.best_score_ = outcome.best_epoch, outcome.best_score

    def _start(self, task, texts):
        """Set model and tokenizer to start from; tell whether the model has a head to start."""
        from . import pretrained

        warm = hasattr(self, "model_")
        if warm:
            self.model_ = copy.deepcopy(self.model_)  # the old one stays whole if this fit fails
        else:
            start = pretrained.start(self.model, self._kind, task, texts)
            self.model_, self.tokenizer_ = start.model, start.tokenizer
        longest = pretrained.longest_input(self.model_, self.tokenizer_, self.max_length)
        self._reading = {"max_length": longest, "stride": self._stride}
        self._pairs = texts.are_pairs
        return not warm and start.is_pretrained

    def _encode(self, task, *sets):
        """Tokenise the texts and encode the targets of some sets of rows."""
        from .data.batching import TrainingData
        from .data.tokenization import tokenise_all

        texts = [rows.texts for rows in sets]
        examples = tokenise_all(self.tokenizer_, texts, **self._reading)
        pad_id = self.tokenizer_.pad_token_id
        found = []
        for some, rows, name in zip(examples, sets, ("y", "y_val")):
            targets, weights = task.encode(rows.y, name), self._weigh(rows, reference=sets[0])
            found.append(TrainingData(some, targets, weights, pad_id, task.collate))
        return found

    def _outputs(self, X):
        """From texts to the model's outputs: the stages of inference."""
        from .engine.infer import infer_texts
        from .engine.parts import told_by_text

        check_is_fitted(self)
        texts = self._validate_text(X)
        must_be_pairs(texts, self._pairs, "X")
        with told_by_text(self):
            return infer_texts(
                self.model_,
                self._task,
                self.tokenizer_,
                texts,
                precision=self._precision,
                verbose=self.verbose,
                **self._states,
                **self._reading,
            )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
