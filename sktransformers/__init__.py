"""scikit-learn estimators for transformer models.

Names are resolved on first use (PEP 562): importing the package imports neither torch nor
transformers.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "BertClassifier": ".classifier",
    "BertRegressor": ".regressor",
    "BertTagger": ".tagger",
    "BertEmbedder": ".embedder",
    "BertMaskedLM": ".masked_lm",
    "GptGenerator": ".generator",
    "load": ".persistence",
    "datasets": None,
    "exceptions": None,
    "display": None,
    "metrics": None,
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home is None:
        return import_module(f".{name}", __name__)
    return getattr(import_module(home, __name__), name)


def __dir__():
    return sorted(__all__)
