"""``GptGenerator``: a language model that writes."""

import inspect
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import TransformerEstimator
from ._parameters import SHARED_CONSTRAINTS
from .data.inputs import as_texts
from .data.prompts import as_prompts
from .data.rows import mean_of_tokens
from .hub import DEFAULT_DECODER

__all__ = ["GptGenerator"]


class GptGenerator(TransformerEstimator):
    """Fine-tune a decoder on texts, or on prompts and completions, and generate.

    Parameters
    ----------
    model : str, path or transformers config, default="openai-community/gpt2"
        What to start from: a Hub id (``"org/name@revision"`` pins a revision), a local folder,
        or a configuration such as ``transformers.GPT2Config(...)``. With a configuration the
        weights start at random and the vocabulary is learnt on ``X`` (and ``y``).

    max_length : int, default=None
        Tokens in a block, special ones included, and of a prompt with what is generated. None is
        what the model can take. In ``fit`` long texts become consecutive blocks, nothing is cut;
        of long prompts the beginning is left out, which is told by a ``TruncationWarning``.

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
        Draws the order of rows, dropout, and the tokens of completions: a row's text depends on it,
        on its prompt and on how often that prompt came before. The same int gives the same bits on
        one machine.

    verbose : int, default=0
        1 shows a progress bar.

    max_new_tokens : int, default=50
        The most tokens that ``predict`` adds to a prompt.

    temperature : float, default=0.0
        0 takes the most probable token at each step. Else tokens are drawn, their logits divided
        by it.

    top_k : int, default=None
        Draw from the ``top_k`` most probable tokens only.

    top_p : float, default=None
        Draw from the fewest tokens that reach this probability together.

    repetition_penalty : float, default=1.0
        Above 1, tokens that are in the row already become less probable.

    stop : str or list of str, default=None
        Where a completion ends; not part of it.

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
    BertMaskedLM : Fills blanks.
    sktransformers.load : Open a saved estimator.

    Notes
    -----
    The parameters of generation take effect when they are set, without another ``fit``. In float32
    greedy completions are those of ``transformers.generate``, token for token. Short texts share
    blocks in training without seeing each other: masks and positions part them.

    Examples
    --------
    >>> from transformers import GPT2Config
    >>> from sktransformers import GptGenerator
    >>> config = GPT2Config(vocab_size=300, n_embd=32, n_layer=1, n_head=2, n_positions=32)
    >>> gen = GptGenerator(config, learning_rate=1e-2, max_epochs=30, random_state=0)
    >>> prompts, completions = ["one", "two", "three"] * 8, [" 1", " 2", " 3"] * 8
    >>> gen.fit(prompts, completions).predict(["two", "three"]).tolist()
    [' 2', ' 3']
    """

    _kind, _needs_y = "decoder", False
    _kept = (*TransformerEstimator._kept, "_seed")
    _as_rows = staticmethod(as_prompts)
    _stride = None
    _states = {"frozen": None, "memory": None}

    _parameter_constraints = {
        **{n: rule for n, rule in SHARED_CONSTRAINTS.items() if n not in ("stride", "memory")},
        "max_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "scoring": [callable, StrOptions({"loss"}), None],
        "max_new_tokens": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="left")],
        "top_k": [Interval(Integral, 1, None, closed="left"), None],
        "top_p": [Interval(Real, 0, 1, closed="right"), None],
        "repetition_penalty": [Interval(Real, 0, None, closed="neither")],
        "stop": [str, list, tuple, None],
    }

    def __init__(
        self,
        model=DEFAULT_DECODER,
        *,
        max_length=None,
        learning_rate=1e-4,
        max_epochs="auto",
        batch_size=32,
        weight_decay=0.01,
        warmup_ratio=0.1,
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
        max_new_tokens=50,
        temperature=0.0,
        top_k=None,
        top_p=None,
        repetition_penalty=1.0,
        stop=None,
    ):
        self.model = model
        self.max_length = max_length
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
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
        self.max_new_tokens = max_new_tokens
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.repetition_penalty = repetition_penalty
        self.stop = stop

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
        """Train on texts, or on what should follow prompts.

        Parameters
        ----------
        X : list of str, 1-D array, Series or one-column frame; or lists of messages
            Texts, or with ``y`` prompts. Messages are dicts with "role" and "content", for models
            whose tokenizer has a chat template.
        y : array-like of str of shape (n_rows,), default=None
            Completions. Prompt and completion are encoded apart, joined with nothing between them
            and followed by the end mark; the loss is that of completion and end mark alone.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. Their size does not matter, only their ratios.
        X_val, y_val : as X and y, default=None
            Validation rows: scored after each epoch, and used for early stopping.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : GptGenerator
            If anything goes wrong (an error, or Ctrl-C) it is as it was before the call.

        Raises
        ------
        FloatingPointError
            If the loss does not stay finite.
        ModelNotFoundError
            If the model is not on this machine and cannot be downloaded.
        """
        if X_val is not None and (y is None) != (y_val is None):
            raise ValueError(
                "y_val must hold completions where y does, and be None where y is, but only "
                f"{'y_val' if y is None else 'y'} came. Pass both, or none."
            )
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def predict(self, X):
        """Complete prompts.

        Parameters
        ----------
        X : prompts
            Texts, or lists of messages.

        Returns
        -------
        ndarray of shape (n_rows,), object
            What follows each prompt, without it, without special tokens and without ``stop``.
        """
        check_is_fitted(self)
        self._validate_params()
        return self._complete(self._prompts(X), self._stream_seed, self.temperature)

    def sample(self, n_samples=1, random_state=None):
        """Draw texts from the model, from their beginning.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_samples,), object
            Drawn at ``temperature``, or at 1 where that is 0.
        """
        check_is_fitted(self)
        self._validate_params()
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return self._complete([self._writing.begin] * n_samples, seed, self.temperature or 1.0)

    def stream(self, prompt):
        """Complete one prompt, and give the text as it comes.

        Parameters
        ----------
        prompt : str, or list of messages

        Yields
        ------
        str
            Whole characters; together what ``predict([prompt])`` gives.
        """
        check_is_fitted(self)
        self._validate_params()
        (ids,) = self._prompts([prompt])
        return self._stream(ids)

    def _stream(self, ids):
        writing, tokens, given = self._writing, [], ""
        for _, token in self._tokens([ids], self._stream_seed, self.temperature):
            tokens.append(token)
            if writing.is_open(token):
                continue
            text, ended = writing.cut(writing.text(ids, tokens))
            # A character of several tokens, and what may become a stop, wait for the next ones.
            sure = text if ended else text[: len(text) - writing.unsure(text)]
            if len(sure) > len(given):
                yield sure[len(given) :]
                given = sure
            if ended:
                return
        text, _ = writing.cut(writing.text(ids, tokens))
        if len(text) > len(given):
            yield text[len(given) :]

    def score_samples(self, X, y=None):
        """Compute how probable texts, or completions, are.

        Parameters
        ----------
        X : texts, or prompts
        y : array-like of str, default=None
            Completions, whose tokens alone are scored then.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            The mean over a row's tokens of the natural logarithm of their probability, given those
            before. The first token of a text counts only after a BOS token. Longer texts are read
            in parts with half a block of context. 0 for rows without such tokens.
        """
        sums, counts, _ = self._likelihoods(X, y)
        return sums / np.maximum(counts, 1)

    def score(self, X, y=None, sample_weight=None):
        """Compute the mean log-likelihood of all tokens; larger is better.

        Parameters
        ----------
        X : texts, or prompts
        y : array-like of str, default=None
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
        """
        sums, counts, _ = self._likelihoods(X, y)
        return mean_of_tokens(sums, counts, sample_weight)

    def perplexity(self, X, per="token"):
        """Compute the perplexity of texts: how many choices the model has at each place.

        Parameters
        ----------
        X : texts
        per : {"token", "character"}, default="token"
            Only per character are models with other vocabularies comparable.

        Returns
        -------
        float
            The exponential of the mean negative log-likelihood.
        """
        if per not in ("token", "character"):
            raise ValueError(f"per must be 'token' or 'character', but {per!r} came.")
        sums, counts, characters = self._likelihoods(X, None)
        return float(np.exp(-sums.sum() / max(1, (counts if per == "token" else characters).sum())))

    @property
    def _task(self):
        from .tasks.causal_lm import CausalLanguage

        return CausalLanguage()

    @property
    def _writing(self):
        from .data.writing import Writing

        ends, stops = [self.tokenizer_.eos_token_id], _stops(self.stop)
        for config in (self.model_.config, self.model_.generation_config):
            known = config.eos_token_id
            ends += known if isinstance(known, list) else [known]
        special = set(self.tokenizer_.all_special_tokens)  # never seen in a completion's text
        ends += [self.tokenizer_.convert_tokens_to_ids(stop) for stop in stops if stop in special]
        return Writing(
            self.tokenizer_,
            self._reading["max_length"],
            list(dict.fromkeys(end for end in ends if end is not None)),
            stops,
            _window(self.model_.config),
        )

    @property
    def _stream_seed(self):
        """What completions are drawn from: as set now, where that is a number."""
        from .engine.seeding import draw_seed

        return draw_seed(self.random_state) if isinstance(self.random_state, int) else self._seed

    def _prompts(self, X):
        """Token ids of prompts: at least half of the room is theirs."""
        prompts, longest = self._validate_text(X), self._reading["max_length"]
        room = longest - min(self.max_new_tokens, longest // 2)
        return self._writing.encode(prompts, [room] * len(prompts))

    def _tokens(self, prompts, seed, temperature, is_done=None):
        """Rows and tokens as they come."""
        from .engine.decoding import Sampling, decode, row_generators
        from .engine.parts import told_by_text

        writing, longest = self._writing, self._reading["max_length"]
        with told_by_text(self):
            yield from decode(
                self.model_,
                prompts,
                limits=[min(self.max_new_tokens, longest - len(ids)) for ids in prompts],
                sampling=Sampling(temperature, self.top_k, self.top_p, self.repetition_penalty),
                ends=set(writing.ends),
                pad_id=writing.pad_id,
                precision=self._precision,
                generators=row_generators(seed, prompts),
                is_done=is_done,
            )

    def _complete(self, prompts, seed, temperature):
        """Completions of encoded prompts, in their order."""
        from .engine.device import weights_cast_once

        writing, tokens = self._writing, [[] for _ in prompts]

        def is_done(row, so_far):
            return writing.cut(writing.text(prompts[row], so_far))[1]

        steps = self._tokens(prompts, seed, temperature, is_done if writing.stops else None)
        with weights_cast_once():
            for row, token in steps:
                tokens[row].append(token)
        found = np.empty(len(prompts), dtype=object)
        for row, (prompt, own) in enumerate(zip(prompts, tokens)):
            found[row] = writing.cut(writing.text(prompt, own))[0]
        return found

    def _likelihoods(self, X, y):
        """Sums of log-likelihoods, numbers of tokens and of characters of each row."""
        from .engine.hidden import next_likelihoods
        from .engine.parts import told_by_text

        check_is_fitted(self)
        prompts = self._validate_text(X)
        prompts = prompts.followed_by(self._read_targets(y, prompts, "y"))
        with told_by_text(self):
            sums, counts = next_likelihoods(
                self.model_,
                self._task,
                self._writing.blocks(prompts, training=False),
                n_rows=len(prompts),
                precision=self._precision,
                pad_id=self._writing.pad_id,
            )
        if y is None:
            return sums, counts, self._writing.n_predicted(prompts.rows)
        return sums, counts, np.array([len(text) for text in prompts.completions])

    def _read_targets(self, y, texts, name):
        if y is None:
            if texts.are_messages:
                raise ValueError(
                    f"{name} must hold completions where X{name[1:]} holds messages, but it is "
                    "None. Pass what should follow them."
                )
            return None
        completions = as_texts(y, name).first
        if len(completions) != len(texts):
            raise ValueError(
                f"X and {name} must have as many rows as each other, but X has {len(texts)} and "
                f"{name} has {len(completions)}. Pass one completion for each prompt."
            )
        return np.array(completions, dtype=object)

    def _read(self, X, y, sample_weight, *, suffix="", reset=False):
        rows = super()._read(X, y, sample_weight, suffix=suffix, reset=reset)
        return replace(rows, texts=rows.texts.followed_by(rows.y))

    def _make_task(self, rows):
        return self._task

    def _start(self, task, texts):
        import torch

        super()._start(task, texts)
        if self._reading["max_length"] < 2:
            raise ValueError(
                "max_length must leave room for a token and the next one, but max_length=1. Use 2 "
                "or more."
            )
        if "past_key_values" not in inspect.signature(self.model_.forward).parameters:
            raise ValueError(
                "model must keep what it has read (past_key_values), but "
                f"{type(self.model_).__name__} does not. Use a model of another family."
            )
        self._seed = torch.initial_seed() % 2**31
        return True

    def _encode(self, task, *sets):
        """Lay the rows out in blocks."""
        from .data.blocks import BlockData

        writing = self._writing
        return [
            BlockData(writing.blocks(rows.texts, training=True), rows.weights, writing.pad_id)
            for rows in sets
        ]


def _stops(stop):
    """The texts at which a completion ends."""
    stops = [stop] if isinstance(stop, str) else list(stop or [])
    for one in stops:
        if not isinstance(one, str) or not one:
            raise ValueError(
                f"stop must hold texts of at least one character, but it holds {one!r}. Leave it "
                "out."
            )
    return stops


def _window(config):
    """Tokens that some layers look back over, or None where all see everything before them."""
    sizes = [getattr(config, name, None) for name in ("sliding_window", "window_size")]
    return min((size for size in sizes if isinstance(size, int)), default=None)
