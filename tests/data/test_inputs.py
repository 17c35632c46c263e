import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sktransformers.data.inputs import as_texts, has_names, is_frame, is_missing
from sktransformers.data.texts import Texts

TEXTS = ["one", "", "two words", "\U0001f600 \u0639\u0631\u0628\u064a \u200b\x00.", "e\u0301\ud800"]
PLAIN = TEXTS[:4]

CONTAINERS = {
    "tuple": tuple,
    "array": np.array,
    "object array": lambda t: np.array(t, dtype=object),
    "column of array": lambda t: np.array(t, dtype=object)[:, None],
    "pandas Series": pd.Series,
    "pandas object": lambda t: pd.Series(t, dtype=object),
    "pandas string": lambda t: pd.Series(t, dtype="string"),
    "pandas category": lambda t: pd.Series(t, dtype="category"),
    "pandas with other index": lambda t: pd.Series(t, index=range(len(t), 0, -1)),
    "pandas frame": lambda t: pd.DataFrame({"text": t}),
    "polars Series": pl.Series,
    "polars frame": lambda t: pl.DataFrame({"text": t}),
    "pyarrow array": pa.array,
    "pyarrow chunks": lambda t: pa.chunked_array([t[:1], t[1:]]),
    "pyarrow table": lambda t: pa.table({"text": t}),
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_gives_the_same_texts(make):
    assert as_texts(make(PLAIN)) == Texts(PLAIN)


def test_strange_texts_are_kept():
    assert as_texts(TEXTS) == Texts([*TEXTS[:4], "e\u0301\ufffd"])


def test_one_long_text_does_not_widen_the_others():
    import tracemalloc

    texts = ["short"] * 1000 + ["x" * 100_000]
    tracemalloc.start()
    as_texts(texts)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("value", "shown", "remedy"),
    [
        (None, r"None \(NoneType\)", "Fill or drop"),
        (float("nan"), r"nan \(float\)", "Fill or drop"),
        (np.float32("nan"), r"np.float32\(nan\) \(float32\)", "Fill or drop"),
        (pd.NA, r"<NA> \(NAType\)", "Fill or drop"),
        (pd.NaT, r"NaT \(NaTType\)", "Fill or drop"),
        (b"bytes", r"b'bytes' \(bytes\)", "decode"),
        (3, r"3 \(int\)", "str"),
        (2.5, r"2.5 \(float\)", "str"),
        (["a", "b"], r"\['a', 'b'\] \(list\)", "join"),
        ({"a": 1}, r"\{'a': 1\} \(dict\)", "str"),
    ],
)
def test_a_bad_row_is_named_with_value_and_remedy(value, shown, remedy):
    with pytest.raises(ValueError, match=f"X must hold texts, but row 1 is {shown}.*{remedy}"):
        as_texts(["fine", value])


@pytest.mark.parametrize(
    "make",
    [
        lambda t: pd.Series(t, dtype="string"),
        lambda t: pd.Series(t, dtype="str"),
        lambda t: pd.Series(t, dtype=object),
        pa.array,
        pl.Series,
    ],
)
def test_missing_values_of_every_container_are_named(make):
    with pytest.raises(ValueError, match="X_val must hold texts, but row 1 is .*Fill or drop"):
        as_texts(make(["a", None]), name="X_val")


@pytest.mark.parametrize("empty", [[], np.array([]), pd.Series([], dtype=str)])
def test_no_rows(empty):
    with pytest.raises(ValueError, match="at least one text, but it has 0 rows"):
        as_texts(empty)


@pytest.mark.parametrize("bare", ["text", b"text"])
def test_a_bare_string(bare):
    with pytest.raises(ValueError, match=r"one text a row, but a bare .*Put it into a list"):
        as_texts(bare)


@pytest.mark.parametrize("other", [None, 3, {"a": 1}, {"a"}, iter(["a"]), np.array("a")])
def test_other_containers(other):
    with pytest.raises(TypeError, match=r"X must be a list, tuple, Series.* came\. Pass list"):
        as_texts(other)


def test_more_than_one_column():
    with pytest.raises(ValueError, match=r"one column of texts, but it has 2: \['a', 'b'\]"):
        as_texts(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(ValueError, match=r"one column of texts, but an array of shape \(1, 3\)"):
        as_texts(np.array([["a", "b", "c"]]))


def test_frames_and_missing_values_are_told_apart():
    assert is_frame(pd.DataFrame({"a": [1]}))
    assert is_frame(pl.DataFrame({"a": [1]}))
    assert not is_frame(pd.Series([1]))
    assert not is_frame(np.zeros((2, 2)))
    assert [is_missing(v) for v in (None, np.nan, pd.NA, "", 0, "nan", False)] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


PAIRS = [("one", "other"), ("", "\U0001f600"), ("a b", "c")]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        lambda p: [list(pair) for pair in p],
        lambda p: np.array(p, dtype=object),
        lambda p: pd.DataFrame(p, columns=["a", "b"]),
        lambda p: pl.DataFrame(p, schema=["a", "b"], orient="row"),
        lambda p: pd.Series(p),
    ],
)
def test_every_container_of_pairs_gives_the_same(make):
    assert as_texts(make(PAIRS), pairs=True) == Texts(
        ["one", "", "a b"], ["other", "\U0001f600", "c"]
    )


def test_bad_pairs_are_named():
    with pytest.raises(ValueError, match=r"two texts in every row, as in row 0, but row 1 is 'b'"):
        as_texts([("a", "b"), "b"], pairs=True)
    with pytest.raises(ValueError, match=r"but row 1 is \('a', 'b', 'c'\)"):
        as_texts([("a", "b"), ("a", "b", "c")], pairs=True)
    with pytest.raises(ValueError, match="row 1's second text is None.*Fill or drop"):
        as_texts([("a", "b"), ("a", None)], pairs=True)
    with pytest.raises(ValueError, match="one column, or two for pairs, of texts, but it has 3"):
        as_texts(pd.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]}), pairs=True)
    with pytest.raises(ValueError, match="row 0 is .*join tokens"):
        as_texts([("a", "b")])


def test_masked_arrays_are_refused():
    with pytest.raises(ValueError, match="must not be a masked array"):
        as_texts(np.ma.array(["a", "b"], mask=[0, 1]))


def test_columns_of_one_name_are_refused():
    table = pa.Table.from_arrays([pa.array(["one"]), pa.array(["two"])], names=["a", "a"])
    for frame in (pd.DataFrame([["one", "two"]], columns=["a", "a"]), table, table.to_batches()[0]):
        with pytest.raises(ValueError, match="X must have columns of different names, but .*'a'"):
            has_names(frame, "X")
    assert has_names(table.rename_columns(["a", "b"]), "X")
    assert not has_names([["one", "two"]], "X")
