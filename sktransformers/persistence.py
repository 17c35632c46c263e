"""Fitted estimators as files and as bytes: what transformers writes, a manifest, and no pickle.

A saved folder holds ``config.json``, ``model.safetensors`` and the tokenizer's files as
transformers writes and opens them, and beside them ``sktransformers.json``: format number,
estimator, parameters, fitted attributes, versions, and the sha256 of every file and of itself.
"""

import copy
import hashlib
import json
import tempfile
from importlib import import_module, metadata
from os import PathLike
from pathlib import Path

from . import hub
from .codec import decode, encode
from .exceptions import DamagedModelError, warn_caller
from .folders import must_be_free, older, replacing, stamp

__all__ = ["load", "pack", "save", "unpack", "versions"]

MANIFEST = "sktransformers.json"
FORMAT = 1
_WEIGHTS = "model.safetensors"

_ESTIMATORS = {
    "BertClassifier": "classifier",
    "BertRegressor": "regressor",
    "BertTagger": "tagger",
    "BertEmbedder": "embedder",
    "BertMaskedLM": "masked_lm",
    "GptGenerator": "generator",
}
_BLANK = "0" * 64
_LEFT_OUT = ("callbacks", "net_params")
_PATHS = ("memory", "checkpoint_dir")  # of one machine, and of its owner's choice
_TRIES = 20  # at a folder that another process is just replacing


def pack(estimator):
    """Turn a fitted estimator into builtin types and bytes, for pickle and its like.

    At most the size of its weights and its tokenizer, with nothing that is tied to a device.
    """
    import safetensors.torch

    model = estimator.model_
    with tempfile.TemporaryDirectory() as folder:
        _write_small_files(estimator, folder)
        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    return {
        "format": FORMAT,
        "version": _version(),
        "params": estimator.get_params(deep=False),
        "extra": {k: v for k, v in vars(estimator).items() if k in _kept_as_is(estimator)},
        "fitted": json.dumps(_fitted(estimator)),
        "files": files,
        "weights": safetensors.torch.save(_tensors(model)),
    }


def unpack(state):
    """Turn what ``pack`` made into an estimator's attributes, on the device that is best here."""
    import safetensors.torch

    _check_format(state["format"], "This pickle")
    _warn_of_version(state["version"], "This pickle")
    weights = safetensors.torch.load(state["weights"])
    restored = _restore(state["files"], weights, state["params"], json.loads(state["fitted"]))
    return {**state["params"], **state["extra"], **restored}


def save(estimator, path):
    """Write a folder whole or not at all; see ``TransformerEstimator.save``."""
    import safetensors.torch

    path = Path(path).expanduser().resolve()
    must_be_free(path, MANIFEST)
    if type(estimator).__name__ not in _ESTIMATORS:
        raise TypeError(
            f"save writes the library's own estimators, but a {type(estimator).__name__} came, "
            "which load could not make. Use pickle for classes of your own."
        )
    params, left_out = params_in_json(estimator)
    if left_out:
        warn_caller(
            f"save leaves out what JSON cannot hold: {', '.join(left_out)}. Set them again after "
            "load, with set_params."
        )
    with replacing(path, MANIFEST) as staged:
        _write_small_files(estimator, staged)
        for name, text in estimator._further_files().items():
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text, encoding="utf-8")
        safetensors.torch.save_file(
            _tensors(estimator.model_), staged / _WEIGHTS, metadata={"format": "pt"}
        )
        _write_manifest(estimator, params, staged)


def _write_manifest(estimator, params, folder):
    manifest = {
        "format": FORMAT,
        "estimator": type(estimator).__name__,
        "params": params,
        "fitted": _fitted(estimator),
        "versions": versions(),
        "files": {
            file.relative_to(folder).as_posix(): _sha256(file.read_bytes())
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        },
        "checksum": _BLANK,
    }
    text = json.dumps(manifest, indent=1, allow_nan=False)
    # The last of the blanks: a user's own text may hold such a row of zeros too.
    head, _, tail = text.rpartition(_BLANK)
    (folder / MANIFEST).write_text(head + _sha256(text.encode()) + tail, encoding="utf-8")


def load(path, expected=None):
    """Open a saved estimator.

    Parameters
    ----------
    path : str or path
        A folder that ``save`` wrote; or a Hub repository that ``push_to_hub`` wrote, as
        "organisation/name" or "organisation/name@revision".
    expected : type, default=None
        The class that it must be; ``BertClassifier.load`` and its like set it.

    Returns
    -------
    estimator
        Fitted, on the device that is best here.

    Raises
    ------
    FileNotFoundError
        If the folder was not written by ``save``.
    DamagedModelError
        If a file is not as it was written; it is named.
    NotADirectoryError
        If it is a file.
    TypeError
        If it holds an estimator of another class.
    """
    import safetensors.torch

    if not isinstance(path, (str, PathLike)):
        raise TypeError(
            f"path must be that of a folder which save() wrote, but {path!r} came. Pass a path."
        )
    given, folder, links = str(path), Path(path).expanduser(), None
    if folder.is_file():
        raise NotADirectoryError(
            f"{given!r} must be a folder that save() wrote, but it is a file. Pass the folder."
        )
    if hub.is_id(path) and not folder.exists() and not older(folder).exists():
        folder = hub.download(given, MANIFEST, lambda found: _read_manifest(found)["files"])
        links = folder.parents[1].resolve()  # the Hub's cache links to its blobs
    manifest, files = _read_whole(folder, links)
    name = manifest["estimator"]
    if name not in _ESTIMATORS:
        raise DamagedModelError(
            f"{given!r} must hold an estimator that this version knows, but it holds {name!r}. "
            "Update sktransformers."
        )
    cls = getattr(import_module(f".{_ESTIMATORS[name]}", __package__), name)
    if expected is not None and not issubclass(cls, expected):
        raise TypeError(f"{given!r} holds a {name}. Use {name}.load({given!r}).")
    _warn_of_version(manifest["versions"]["sktransformers"], repr(given))
    for needed in (_WEIGHTS, "config.json"):
        if needed not in files:
            raise _damaged(folder / needed)
    try:
        params = {**cls().get_params(deep=False), **decode(manifest["params"])}
        # Whoever wrote the folder is not to choose where this machine's states are written.
        params.update((name, None) for name in _PATHS if name in params)
        estimator = cls(**params)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(folder / MANIFEST) from error
    weights = safetensors.torch.load(files.pop(_WEIGHTS))
    vars(estimator).update(_restore(files, weights, params, manifest["fitted"]))
    return estimator


def _restore(files, weights, params, fitted):
    """The fitted attributes, from the contents of small files and from weights."""
    from .engine.device import choose_device, choose_precision, prepare
    from .pretrained import (
        load_generation_config,
        load_own_config,
        load_tokenizer,
        rebuild_model,
    )

    # transformers reads from folders only; one that holds just what was checked.
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            if "/" not in name:  # those in folders are for other programs
                Path(folder, name).write_bytes(content)
        config, tokenizer = load_own_config(folder), load_tokenizer(folder)
        generation = load_generation_config(folder)
    model = rebuild_model(config, weights)
    if generation is not None:
        model.generation_config = generation
    try:
        device = choose_device(params["device"])
    except ValueError:
        device = choose_device("auto")
        warn_caller(
            f"device={params['device']!r} is not here; the model was put onto {device!r} instead."
        )
    learnt = decode(fitted)
    precision = choose_precision(learnt["_asked"], device)
    return {
        **learnt,
        "model_": prepare(model, precision, device),
        "tokenizer_": tokenizer,
        "device_": device,
        "_precision": precision,
    }


def _fitted(estimator):
    """Fitted attributes that JSON can hold; model, tokenizer and device are kept otherwise."""
    skipped = {"model_", "tokenizer_", "device_"}
    names = [n for n in vars(estimator) if n.endswith("_") and n not in skipped]
    return encode({name: getattr(estimator, name) for name in [*sorted(names), *estimator._kept]})


def _kept_as_is(estimator):
    """Attributes that are neither parameters nor learnt, such as metadata requests."""
    known = {*estimator.get_params(deep=False), *estimator._kept, "_precision", "_moments"}
    return {n for n in vars(estimator) if n not in known and not n.endswith("_")}


def params_in_json(estimator):
    """Parameters as JSON, and the names of those that had to be left out."""
    kept, left_out = {}, []
    for name, value in estimator.get_params(deep=False).items():
        if name in _PATHS:
            continue
        try:
            if value is not None and name in _LEFT_OUT:
                raise TypeError(f"{name} is code")
            kept[name] = encode(value)
        except TypeError:
            left_out.append(name)
    return {"dict": [[name, value] for name, value in kept.items()]}, left_out


def _tensors(model):
    """The weights, each once: of tied ones that of the encoder, which all classes have."""
    seen, tensors = set(), {}
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    for name, tensor in sorted(model.state_dict().items(), key=lambda item: item[0] in tied):
        if tensor.data_ptr() not in seen or tensor.numel() == 0:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor.detach().cpu().contiguous()
    return tensors


def _write_small_files(estimator, folder):
    from .pretrained import quiet

    config = copy.deepcopy(estimator.model_.config)
    config.architectures = [type(estimator.model_).__name__]
    with quiet():
        config.save_pretrained(folder)
        if estimator.model_.can_generate():
            estimator.model_.generation_config.save_pretrained(folder)
        estimator.tokenizer_.save_pretrained(folder)


def _read_manifest(folder):
    content = (folder / MANIFEST).read_bytes()
    try:
        manifest = json.loads(content)
        checksum = manifest["checksum"].encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder / MANIFEST) from error
    if len(checksum) != 64:
        raise _damaged(folder / MANIFEST)
    head, _, tail = content.rpartition(checksum)
    if _sha256(head + _BLANK.encode() + tail).encode() != checksum:
        raise _damaged(folder / MANIFEST)
    _check_format(manifest.get("format"), str(folder))  # all formats have the same checksum
    shapes = {"estimator": str, "params": dict, "fitted": dict, "versions": dict, "files": dict}
    if any(not isinstance(manifest.get(name), kind) for name, kind in shapes.items()):
        raise _damaged(folder / MANIFEST)
    files, written = manifest["files"], manifest["versions"].get("sktransformers")
    if not isinstance(written, str) or any(not isinstance(d, str) for d in files.values()):
        raise _damaged(folder / MANIFEST)
    return manifest


def _read_whole(folder, links):
    """The manifest and the files' contents, from one save."""
    for _ in range(_TRIES):
        before = stamp(folder, MANIFEST)
        # A save without an atomic exchange may be, or was cut off, between its two renames.
        there = folder if before or folder.exists() else older(folder)
        try:
            manifest = _read_manifest(there)
            return manifest, {
                name: _verified(there, name, digest, links)
                for name, digest in manifest["files"].items()
            }
        except (DamagedModelError, FileNotFoundError) as error:
            if stamp(folder, MANIFEST) != before:  # another process has saved meanwhile
                continue
            if isinstance(error, DamagedModelError):
                raise
            break
    raise FileNotFoundError(
        f"{str(folder)!r} must be a folder that save() wrote, but it holds no {MANIFEST}. "
        "For a folder from elsewhere pass its path as model=, and fit."
    )


def _verified(folder, name, digest, links=None):
    """A file's content, read once: what was checked is what is used.

    Symbolic links are refused but for those into the folder ``links``.
    """
    file = folder / name
    inside = [file, *(folder / parent for parent in Path(name).parents)][:-1]
    leads_out = Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name
    linked = [part.resolve() for part in inside if part.is_symlink()]
    if any(links is None or not part.is_relative_to(links) for part in linked):
        raise DamagedModelError(
            f"{str(file)!r} must be a file as save() wrote it, but it is a symbolic link, which "
            "is not followed. Copy the folder with what its links point to, for instance with "
            "cp -rL."
        )
    if leads_out:
        raise _damaged(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _damaged(file) from error
    if _sha256(content) != digest:
        raise _damaged(file)
    return content


def _damaged(file):
    return DamagedModelError(
        f"{str(file)!r} must be as save() wrote it, but its content has changed. Copy the folder "
        "anew from its source, or fit again."
    )


def _check_format(number, what):
    if number != FORMAT:
        raise DamagedModelError(
            f"{what} must be in format {FORMAT}, but it is in format {number!r}. Update "
            "sktransformers, or save it again with the version that wrote it."
        )


def _warn_of_version(written, what):
    if written != _version():
        warn_caller(
            f"{what} was written by sktransformers {written} and is read by {_version()}: "
            "predictions may differ. Fit and save again with one version."
        )


def _version():
    from . import __version__

    return __version__


def versions():
    """Versions of this library and of those that decide what a model computes: dict."""
    others = ("torch", "transformers", "scikit-learn", "numpy")
    return {"sktransformers": _version(), **{name: metadata.version(name) for name in others}}


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
