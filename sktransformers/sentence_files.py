"""The small files beside a model that tell how sentence-transformers makes vectors of it."""

import json
from pathlib import Path

__all__ = ["POOLINGS", "read_sentence_files", "sentence_files"]

POOLINGS = ("mean", "cls", "max", "last4")

_POOLINGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
}
_UNKNOWN = ("mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def read_sentence_files(folder, *, pooling_needed=True):
    """Read what a folder says of pooling, normalisation and length.

    Parameters
    ----------
    folder : Path
    pooling_needed : bool, default=True
        Whether to refuse files that say more than can be followed.

    Returns
    -------
    dict
        ``pooling``, ``normalize``, ``max_length`` and ``prompt``; empty where the folder has no
        such files.
    """
    modules = _json(Path(folder) / "modules.json")
    if not isinstance(modules, list):
        return {}
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    odd = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
    pooling = {}
    for module, kind in zip(modules, kinds):
        if kind == "Pooling":
            pooling = _json(Path(folder) / Path(str(module.get("path", ""))).name / "config.json")
    modes = [name for name, key in _POOLINGS.items() if pooling.get(key)]
    modes += [name for name in _UNKNOWN if pooling.get(f"pooling_mode_{name}")]
    if "pooling_mode" in pooling:
        mode = pooling["pooling_mode"]
        modes = [mode] if isinstance(mode, str) else list(mode)
    follows = not odd and len(modes) == 1 and modes[0] in _POOLINGS
    if pooling_needed and not follows:
        raise ValueError(
            f"{str(folder)!r} must make vectors by one of {list(_POOLINGS)} and nothing more, but "
            f"its files say {modes + odd}. Pass pooling and normalize, to do without these files."
        )
    found = {"pooling": modes[0], "normalize": "Normalize" in kinds} if follows else {}
    most = _json(Path(folder) / "sentence_bert_config.json").get("max_seq_length")
    if isinstance(most, int):
        found["max_length"] = most
    prompts = _json(Path(folder) / "config_sentence_transformers.json")
    usual = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"))
    return {**found, "prompt": usual} if isinstance(usual, str) else found


def sentence_files(pooling, normalize, prompt, max_length, dim):
    """Make the files with which SentenceTransformer opens a folder: names and contents."""
    if pooling not in _POOLINGS:
        return {}
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {
            "idx": place,
            "name": str(place),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for place, (kind, path) in enumerate(zip(kinds, paths))
    ]
    modes = {key: name == pooling for name, key in _POOLINGS.items()}
    contents = {
        "modules.json": modules,
        "1_Pooling/config.json": {"word_embedding_dimension": dim, **modes},
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"default": prompt} if prompt else {},
            "default_prompt_name": "default" if prompt else None,
        },
    }
    return {name: json.dumps(content, indent=1) for name, content in contents.items()}


def _json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
