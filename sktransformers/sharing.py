"""A fitted estimator as a repository of the Hugging Face Hub, with the card that tells of it."""

import tempfile
from contextlib import contextmanager
from numbers import Real
from os import PathLike
from pathlib import Path

from .hub import is_id
from .persistence import params_in_json, save, versions

__all__ = ["card", "push"]

_PIPELINES = {
    "BertClassifier": "text-classification",
    "BertRegressor": "text-classification",
    "BertTagger": "token-classification",
    "BertEmbedder": "sentence-similarity",
    "BertMaskedLM": "fill-mask",
    "GptGenerator": "text-generation",
}
_MOST_CLASSES = 100  # that are listed


def push(estimator, repo_id, scores, *, private, token, **commit):
    """Upload; see ``SavingMixin.push_to_hub``.

    Parameters
    ----------
    estimator : TransformerEstimator
        Fitted.
    repo_id : str
    scores : dict of str to float
    private, token
        As huggingface_hub takes them.
    **commit
        ``commit_message``, ``revision`` and ``create_pr`` of ``HfApi.upload_folder``.
    """
    from huggingface_hub import HfApi

    for name, value in scores.items():
        if not isinstance(value, Real):
            raise TypeError(
                f"scores must map names to numbers, but scores[{name!r}] is {value!r}. Pass for "
                "instance {'accuracy': 0.93}."
            )
    api = HfApi(
        token=token, library_name="sktransformers", library_version=versions()["sktransformers"]
    )
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder, "model")
        shared = _without_paths(estimator)
        save(shared, folder)  # before anything is made on the Hub
        with _told(repo_id):
            repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
            _must_be_ours(api, repo_id, commit["revision"])
        (folder / "README.md").write_text(card(shared, repo_id, scores), encoding="utf-8")
        commit["commit_message"] = commit["commit_message"] or f"A fitted {type(shared).__name__}"
        with _told(repo_id):
            return api.upload_folder(repo_id=repo_id, folder_path=folder, **commit)


@contextmanager
def _told(repo_id):
    """Say what the Hub needs where it cannot be reached or refuses."""
    from huggingface_hub.errors import HFValidationError, HTTPError

    try:
        yield
    except HFValidationError as error:
        raise ValueError(
            "repo_id must be 'name' or 'organisation/name', of letters, digits, '-', '_' and '.', "
            f"but {repo_id!r} came ({' '.join(str(error).split())}). Choose another name."
        ) from error
    except (HTTPError, ConnectionError) as error:  # refused; not reached, or HF_HUB_OFFLINE is set
        reason = " ".join(str(error).split())[:300]
        raise ConnectionError(
            f"push_to_hub must reach the Hub with a token that may write to {repo_id!r}, but it "
            f"cannot ({type(error).__name__}: {reason}). Log in with hf auth login, or pass a "
            "token; save(path) keeps the estimator meanwhile."
        ) from error


def card(estimator, repo_id, scores):
    """Markdown that tells what a fitted estimator does, and what it was made from.

    Parameters
    ----------
    estimator : TransformerEstimator
    repo_id : str
    scores : dict of str to float

    Returns
    -------
    str
    """
    from huggingface_hub import ModelCardData

    name = type(estimator).__name__
    base = estimator.model if is_id(estimator.model) else None
    head = ModelCardData(
        library_name="sktransformers",
        pipeline_tag=_PIPELINES.get(name),
        tags=["sktransformers", "scikit-learn"],
        base_model=None if base is None else base.partition("@")[0],
    )
    verb = "transform" if hasattr(estimator, "transform") else "predict"
    parts = [
        f"---\n{head.to_yaml()}\n---",
        f"# {repo_id.rpartition('/')[2]}",
        f"A `{name}` that was fitted with sktransformers.",
        "```python\nfrom sktransformers import load\n\n"
        f'model = load("{repo_id}")\nmodel.{verb}(X)\n```',
        *_what_comes_out(estimator),
        *_of_scores(estimator, scores),
        "## Parameters\n\n" + _table("parameter", "value", _params(estimator)),
        "## Versions\n\n" + _table("library", "version", versions()),
    ]
    return "\n\n".join(parts) + "\n"


def _params(estimator):
    """The parameters that ``save`` keeps: code and what JSON cannot hold is nobody's business."""
    params, (kept, _) = estimator.get_params(deep=False), params_in_json(estimator)
    return {name: params[name] for name, _ in kept["dict"]}


def _what_comes_out(estimator):
    if hasattr(estimator, "target_mean_"):
        names = getattr(estimator, "target_names_", None)
        columns = zip(estimator.target_mean_.ravel(), estimator.target_scale_.ravel())
        rows = {
            f"{i}" if names is None else names[i]: f"{mean:.6g} ± {scale:.6g}"
            for i, (mean, scale) in enumerate(columns)
        }
        yield (
            "## Output\n\nNumbers in the units of the `y` that it was fitted on, which had this "
            "mean and standard deviation:\n\n" + _table("output", "mean ± deviation", rows)
        )
    elif hasattr(estimator, "classes_"):
        some = [f"`{_line(one)}`" for one in list(estimator.classes_)[:_MOST_CLASSES]]
        more = len(estimator.classes_) - len(some)
        tail = f" and {more:,} more" if more else ""
        yield f"## Classes\n\n{len(estimator.classes_):,}: {', '.join(some)}{tail}"


def _of_scores(estimator, scores):
    rows = {name: f"{value:.6g}" for name, value in scores.items()}
    if getattr(estimator, "best_score_", None) is not None:
        kind = estimator.scoring if isinstance(estimator.scoring, str) else "score"
        rows[f"{kind} on validation rows, epoch {estimator.best_epoch_}"] = (
            f"{estimator.best_score_:.6g}"
        )
    if rows:
        yield "## Scores\n\n" + _table("score", "value", rows)


def _table(name, value, rows):
    cells = [(name, value), ("---", "---"), *rows.items()]
    return "\n".join(f"| {_cell(left)} | {_cell(right)} |" for left, right in cells)


def _cell(value):
    return _line(value).replace("|", "\\|")


def _line(value):
    """Text on one line: a configuration prints as a page of JSON."""
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else text[:200] + " ..."


def _without_paths(estimator):
    """The same, with nothing of the file system of this machine in it."""
    shared = object.__new__(type(estimator))
    vars(shared).update(vars(estimator))
    if isinstance(estimator.model, (str, PathLike)):
        folder = Path(estimator.model).expanduser()
        if folder.is_dir() or not is_id(estimator.model):
            shared.model = folder.resolve().name
    return shared


def _must_be_ours(api, repo_id, revision):
    names = set(api.list_repo_files(repo_id, revision=revision)) - {".gitattributes", "README.md"}
    if names and "sktransformers.json" not in names:
        raise FileExistsError(
            f"repo_id must be new, empty or a repository that push_to_hub wrote, but {repo_id!r} "
            f"holds other files ({sorted(names)[0]!r}). Choose another name."
        )
