"""Opening and making models and tokenizers: the only room that knows ``transformers.Auto*``."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bases import copies_of
from .exceptions import ModelNotFoundError, warn_caller
from .hub import locate
from .vocabulary import learn_tokenizer

__all__ = [
    "load_generation_config",
    "load_own_config",
    "load_tokenizer",
    "longest_input",
    "quiet",
    "rebuild_model",
    "start",
]

_quiet_lock = threading.Lock()
_quiet = {"depth": 0, "before": None}


@contextmanager
def quiet():
    """Keep transformers from drawing progress bars and load reports; put all back after.

    The settings are the process's own: of threads that load at once, the first one in changes
    them and the last one out puts them back.
    """
    from transformers.utils import logging

    with _quiet_lock:
        if _quiet["depth"] == 0:
            _quiet["before"] = logging.get_verbosity(), logging.is_progress_bar_enabled()
            logging.set_verbosity_error()
            logging.disable_progress_bar()
        _quiet["depth"] += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet["depth"] -= 1
            if _quiet["depth"] == 0:
                level, bars = _quiet["before"]
                logging.set_verbosity(level)
                if bars:
                    logging.enable_progress_bar()


@dataclass(frozen=True)
class Start:
    """What a fit starts from."""

    model: Any
    tokenizer: Any
    is_pretrained: bool


def start(model, kind, task, texts):
    """Open or make the model and the tokenizer of a fit.

    Parameters
    ----------
    model : str, path or PretrainedConfig
        As the estimators take it.
    kind : {"encoder", "decoder"}
    task : Task
        Says which head the model gets.
    texts : Texts
        What a tokenizer is learnt on, if ``model`` is a configuration.

    Returns
    -------
    Start
    """
    if hasattr(model, "to_json_string"):
        if isinstance(model, type):
            raise TypeError(
                f"model must be a configuration object, but the class {model.__name__} came. Pass "
                f"{model.__name__}(...)."
            )
        check_kind(model, kind)
        tokenizer, config = learn_tokenizer(model, texts.first + (texts.second or []))
        for name, value in task.config().items():
            setattr(config, name, value)
        return Start(model_from_config(config, task.auto_class), tokenizer, is_pretrained=False)
    folder, commit = locate(model)
    config = load_config(folder, kind)
    for name, value in task.config().items():
        setattr(config, name, value)
    what = f"{task.auto_class} {config.to_json_string(use_diff=False)}"

    def load():
        loaded, drawn, is_always_so = load_model(folder, task.auto_class, config)
        is_always_so = is_always_so and not (drawn and task.keeps_head)
        return loaded, load_tokenizer(folder), drawn, is_always_so

    loaded, tokenizer, drawn = copies_of(folder, what, load)
    if drawn and task.keeps_head:
        warn_caller(
            f"{str(model)!r} has no weights for {', '.join(drawn)}, which {type(loaded).__name__} "
            "needs: they are drawn at random, and mean nothing before they are trained."
        )
    if commit is not None:
        loaded.config._commit_hash = commit
    return Start(loaded, tokenizer, is_pretrained=True)


def load_config(folder, kind):
    """Read a model's configuration and refuse models of the wrong kind by name.

    Parameters
    ----------
    folder : Path
    kind : {"encoder", "decoder"}
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{str(folder)!r} must hold a model that transformers itself can build, but: {error} "
            "Code from a model's folder is never run; pass another model."
        ) from error
    check_kind(config, kind)
    return _without_kernels(config)


def load_own_config(folder):
    """Read the configuration of a model that this library kept."""
    from transformers import AutoConfig

    return _without_kernels(
        AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    )


def _without_kernels(config):
    """A configuration that asks for no code of the Hub's: attention may name a repository."""
    if "/" in str(getattr(config, "_attn_implementation", None) or ""):
        config._attn_implementation = None
    return config


def load_generation_config(folder):
    """Read what a language model says of how it writes, such as its end marks; None elsewhere."""
    from transformers import GenerationConfig

    if not (Path(folder) / "generation_config.json").is_file():
        return None
    return GenerationConfig.from_pretrained(folder, local_files_only=True)


def check_kind(config, kind):
    """Refuse a decoder where an encoder is wanted, and the reverse."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED,
    )

    # Encoders have classes for causal language models too, which were never trained as such.
    fits = config.model_type in (MASKED if kind == "encoder" else CAUSAL)
    fits = fits and (kind == "encoder" or config.model_type not in MASKED)
    if not fits or config.is_encoder_decoder:
        example = {"encoder": "BERT, RoBERTa or DeBERTa", "decoder": "GPT-2 or Llama"}[kind]
        raise ValueError(
            f"model must be an {kind} such as {example}, but a {config.model_type!r} model came. "
            f"Pass the name or the folder of an {kind}.".replace("an decoder", "a decoder")
        )


def load_tokenizer(folder):
    """Open a folder's tokenizer, without the truncation and padding it may carry."""
    from transformers import AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        # What transformers makes where there are no files to read a vocabulary from.
        raise ModelNotFoundError(
            f"{str(folder)!r} must hold a tokenizer's files (tokenizer.json or vocab.txt), but "
            "they hold no vocabulary. Add the files that belong to the model."
        )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    return tokenizer


def load_model(folder, auto_class, config):
    """Open a model in float32, with its weights in memory of its own.

    Parameters
    ----------
    folder : Path
    auto_class : str
        The transformers class that opens it.
    config : PretrainedConfig
        Its configuration, with the head's settings. A head that the folder lacks, or holds in
        another size, is drawn at random.

    Returns
    -------
    model : PreTrainedModel
    drawn : list of str
        The parts of the head that were drawn.
    is_always_so : bool
        Whether all that was drawn is of layers that are drawn anew where training starts.
    """
    from pickle import UnpicklingError

    import torch
    import transformers
    from safetensors import SafetensorError

    # What is drawn depends on the seed; what comes after must not depend on whether it was drawn.
    with quiet(), torch.random.fork_rng(devices=[]):
        try:
            model, report = getattr(transformers, auto_class).from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=any(Path(folder).glob("*.safetensors")),
                weights_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except (OSError, SafetensorError, UnpicklingError) as error:
            raise ModelNotFoundError(
                f"{str(folder)!r} must hold a model's weights, but they cannot be read: {error} "
                "Get the folder anew from its source."
            ) from error
    encoder = "" if model.base_model is model else model.base_model_prefix + "."
    absent = [*report["missing_keys"], *(mismatch[0] for mismatch in report["mismatched_keys"])]
    lacking = sorted(k for k in absent if k.startswith(encoder) and ".pooler." not in f".{k}")
    if lacking:
        raise ValueError(
            f"The weights in {str(folder)!r} must fit the config.json beside them, but "
            f"{len(lacking)} are not there in that size, such as {lacking[0]!r}. Get the folder "
            "anew from its source."
        )
    # A pooler matters to those alone that read it, which are told apart by their second head.
    pooled = any("seq_relationship" in k for k in model.state_dict())
    outside = [k for k in absent if not k.startswith(encoder) or (pooled and ".pooler." in k)]
    drawn = sorted({".".join(k.split(".")[:2]) for k in outside})
    # from_pretrained leaves the weights memory-mapped: overwriting the file would change the
    # live model, truncating it would kill the process.
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.data = tensor.data.clone()
    again = {
        name
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, torch.nn.LayerNorm))
    }
    is_always_so = all(not k.startswith(encoder) and k.rpartition(".")[0] in again for k in absent)
    return model, drawn if encoder else [], is_always_so


def rebuild_model(config, weights):
    """Make a model that this library kept: of its class, with exactly these weights.

    Parameters
    ----------
    config : PretrainedConfig
        ``architectures`` names the class.
    weights : dict of Tensor
    """
    import torch
    import transformers

    name = (config.architectures or [""])[0]
    cls = getattr(transformers, name, None)
    if not (isinstance(cls, type) and issubclass(cls, transformers.PreTrainedModel)):
        raise ValueError(
            f"config.json must name a model class of transformers, but it names {name!r}. Update "
            "transformers, or get the folder anew."
        )
    kinds = [t.dtype for t in weights.values() if t.is_floating_point()]
    dtype = kinds[0] if kinds else torch.float32
    with quiet():
        model, report = cls.from_pretrained(
            None, config=config, state_dict=weights, dtype=dtype, output_loading_info=True
        )
    wrong = sorted(
        [*report["missing_keys"], *report["unexpected_keys"], *map(str, report["mismatched_keys"])]
    )
    if wrong:
        raise ValueError(
            f"The weights must be those that config.json describes, but {len(wrong)} differ, such "
            f"as {wrong[0]!r}. The folder is damaged: get it anew."
        )
    return model


def model_from_config(config, auto_class):
    """Make a model with random weights, drawn from torch's generator."""
    import transformers

    with quiet():
        model = getattr(transformers, auto_class).from_config(config)
    return model.float().eval()


def longest_input(model, tokenizer, max_length=None):
    """Tokens to read of each example, special ones included.

    Parameters
    ----------
    model : PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    max_length : int or None
        What is asked for; None is what the model can take.
    """
    positions = [getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        # RoBERTa counts positions from behind its padding id: the first ones are never used.
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            positions.append(module.weight.shape[0] - padding - 1)
    most = min((int(n) for n in positions if n), default=None)
    if max_length is not None:
        if most is not None and max_length > most:
            raise ValueError(
                f"max_length must be at most {most}, which is what this model can take, but "
                f"max_length={max_length}. Use max_length=None for all of it."
            )
        return max_length
    # Tokenizers without a limit say so by a very large number.
    said = tokenizer.model_max_length
    limits = [n for n in (most, said if said < 10**9 else None) if n is not None]
    return min(limits, default=512)
