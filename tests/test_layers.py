"""The house: a module imports only from floors below its own, and importing the package is
light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sktransformers

HOUSE = Path(sktransformers.__file__).parent

# Longest match wins. A package's own modules are one room: they may import each other.
FLOORS = {
    "exceptions": 1,
    "codec": 1,
    "vocabulary": 1,
    "schemes": 1,
    "data": 2,
    "hub": 2,
    "folders": 1,
    "pretrained": 3,
    "datasets": 2,
    "metrics": 2,
    "display": 3,
    "engine": 3,
    "tasks": 3,
    "persistence": 4,
    "sharing": 5,
    "_saving": 6,
    "_parameters": 1,
    "_base": 7,
    "_partial": 7,
    "classifier": 8,
    "regressor": 8,
    "tagger": 8,
    "embedder": 8,
    "sentence_files": 1,
    "output_layer": 1,
    "bases": 1,
    "masked_lm": 8,
    "generator": 8,
    "__init__": 9,
}
LIGHT = (
    "_base",
    "_saving",
    "_partial",
    "classifier",
    "regressor",
    "tagger",
    "embedder",
    "masked_lm",
    "generator",
    "sentence_files",
    "__init__",
    "exceptions",
    "codec",
    "vocabulary",
    "hub",
    "folders",
    "pretrained",
    "datasets",
)
HEAVY = ("torch", "transformers", "skorch", "pandas", "safetensors", "huggingface_hub", "tqdm")

MODULES = sorted(p.relative_to(HOUSE).with_suffix("").parts for p in HOUSE.rglob("*.py"))


def imports(parts):
    """Modules of the package that a module imports, and the names of others at its top level."""
    tree = ast.parse((HOUSE.joinpath(*parts)).with_suffix(".py").read_text(encoding="utf-8"))
    at_top = {id(node) for node in tree.body}
    own, foreign = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = list(parts[: len(parts) - node.level]) + (node.module or "").split(".")
            names = [n for n in base if n]
            own += [names] if node.module else [[*names, alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and id(node) in at_top:
            foreign.append(node.module)
        elif isinstance(node, ast.Import) and id(node) in at_top:
            foreign += [alias.name for alias in node.names]
    return own, foreign


@pytest.mark.parametrize("parts", MODULES, ids="/".join)
def test_no_import_goes_up(parts):
    own, _ = imports(parts)
    here = FLOORS[parts[0]]
    for there in own:
        if there and there[0] in FLOORS and there[0] != parts[0] and there != ["__version__"]:
            assert FLOORS[there[0]] < here, f"{'/'.join(parts)} imports {'.'.join(there)}"


def test_every_module_has_a_floor():
    assert {parts[0] for parts in MODULES} == set(FLOORS)


@pytest.mark.parametrize("parts", [p for p in MODULES if p[0] in LIGHT], ids="/".join)
def test_heavy_imports_stand_inside_functions(parts):
    _, foreign = imports(parts)
    assert not [name for name in foreign if name.split(".")[0] in HEAVY]


def test_importing_and_constructing_is_light():
    code = (
        "import sys, sktransformers\n"
        "assert 'sklearn' not in sys.modules\n"
        "print(sktransformers.BertClassifier(), dir(sktransformers))\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, loaded = done.stdout.splitlines()
    assert shown.startswith("BertClassifier() [")
    assert "'load'" in shown
    # scikit-learn itself may bring pandas along; the rest would be our doing.
    assert ast.literal_eval(loaded) in ([], ["pandas"])


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'BertTeapot'"):
        sktransformers.BertTeapot  # noqa: B018
