import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sktransformers.codec import decode, encode


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "text",
        [1, "a", None],
        ("a", ("b",)),
        {"a": 1, 2: "b", False: None, None: 3.5, ("t", 1): []},
        {"dict": [1]},
        float("inf"),
        10**30,
    ],
)
def test_python_values_come_back_with_their_types(value):
    back = decode(json.loads(json.dumps(encode(value), allow_nan=False)))
    assert back == value
    assert type(back) is type(value)
    if isinstance(value, dict):
        assert [type(k) for k in back] == [type(k) for k in value]


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "bcd"]),
        np.array(["a", "b"], dtype=object),
        np.array([1, 2]),
        np.array([1.5, np.nan]),
        np.array([True, False]),
        np.array([], dtype=object),
        np.array(2.5),
        np.array([-(2**62), 2**62]),
    ],
)
def test_arrays_keep_their_dtype(array):
    back = decode(json.loads(json.dumps(encode(array), allow_nan=False)))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_scalars_and_paths_become_plain():
    assert encode(np.float64(2)) == 2.0
    assert encode(np.int64(2)) == 2
    assert encode(Path("a/b")) == "a/b"


def test_tables_and_configurations():
    from transformers import BertConfig

    table = pd.DataFrame({"x": [1.5, np.nan]}, index=pd.RangeIndex(1, 3, name="epoch"))
    pd.testing.assert_frame_equal(decode(encode(table)), table, check_index_type=False)
    config = decode(json.loads(json.dumps(encode(BertConfig(hidden_size=48)))))
    assert isinstance(config, BertConfig)
    assert config.hidden_size == 48


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="function has no form in JSON"):
        encode(lambda: 0)
    with pytest.raises(ValueError, match="'python/object' is no type"):
        decode({"python/object": "os.system"})
