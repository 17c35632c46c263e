"""Python values as JSON and back, with their types: labels, tables, parameters, configurations.

JSON's own scalars and lists stand for themselves; every other type is an object with a single key
that names it.
"""

import json
import math
import os

import numpy as np

__all__ = ["decode", "encode"]


def encode(value):
    """Turn a value into what JSON can hold.

    Raises
    ------
    TypeError
        If its type is not among those that ``decode`` gives back.

    Examples
    --------
    >>> import numpy as np
    >>> encode({3: np.array([True, False])})
    {'dict': [[3, {'array': ['bool', [True, False]]}]]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(float(value))}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        dtype = "object" if value.dtype == object else value.dtype.str.lstrip("|<>=")
        dtype = {"b1": "bool"}.get(dtype, dtype)
        if value.ndim > 1:
            raise TypeError("an array of several dimensions has no form in JSON here")
        return {"array": [dtype, encode(value.tolist())]}
    if hasattr(value, "to_json_string") and hasattr(value, "model_type"):
        content = json.loads(value.to_json_string(use_diff=False))
        content.pop("_name_or_path", None)  # a folder of this machine
        return {"config": json.dumps(content, indent=2, sort_keys=True) + "\n"}
    if hasattr(value, "columns") and hasattr(value, "index"):
        columns = {str(name): [encode(v) for v in value[name].tolist()] for name in value.columns}
        return {"frame": [value.index.name, value.index.tolist(), columns]}
    raise TypeError(f"{type(value).__name__} has no form in JSON here")


def decode(value):
    """Turn back what ``encode`` made."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(decode(item) for item in content)
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    if kind == "array":
        dtype, items = content
        array = np.empty(len(items) if isinstance(items, list) else (), dtype=dtype)
        array[...] = decode(items)
        return array
    if kind == "config":
        return _config(content)
    if kind == "frame":
        return _frame(*content)
    raise ValueError(f"{kind!r} is no type that this version can read. Update sktransformers.")


def _config(text):
    import json

    from transformers import AutoConfig

    values = json.loads(text)
    return AutoConfig.for_model(values.pop("model_type"), **values)


def _frame(index_name, index, columns):
    import pandas as pd

    values = {name: [decode(v) for v in column] for name, column in columns.items()}
    return pd.DataFrame(values, index=pd.Index(index, name=index_name))
