import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sktransformers.data.targets import as_classes, as_indicator, as_labels, is_indicator


@pytest.mark.parametrize(
    ("y", "values", "kind"),
    [
        (["b", "a"], ["b", "a"], "O"),
        (np.array(["b", "a"]), ["b", "a"], "U"),
        ([1, 2], [1, 2], "i"),
        ([True, False], [True, False], "b"),
        ([1.0, 2.0], [1.0, 2.0], "f"),
        (pd.Series(["b", "a"], dtype="category"), ["b", "a"], "O"),
        (pd.Series([1, 2], dtype="Int64"), [1, 2], "i"),
        (pd.Series([True, False], dtype="boolean"), [True, False], "b"),
        (pa.array(["b", "a"]), ["b", "a"], "O"),
    ],
)
def test_kinds_of_labels(y, values, kind):
    labels = as_labels(y, 2)
    assert labels.tolist() == values
    assert labels.dtype.kind == kind


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_labels_are_no_class(missing):
    with pytest.raises(ValueError, match="y must hold a label in every row, but row 1 is"):
        as_labels(["a", missing], 2)


def test_lengths_and_strings_are_refused():
    with pytest.raises(ValueError, match="X has 3 and y has 2"):
        as_labels(["a", "b"], 3)
    with pytest.raises(ValueError, match="the bare string 'ab'"):
        as_labels("ab", 2)


SEVERAL = [["a", "b"], ["a", "c"]] * 12


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        pd.Series,
        pl.Series,
        pa.array,
        lambda y: pa.chunked_array([y]),
        lambda y: pd.Series([set(row) for row in y]),
        lambda y: [set(row) for row in y],
        lambda y: [np.array(row) for row in y],
        lambda y: pd.Series([np.array(row) for row in y]),
        lambda y: ["a", *y[1:]],
        lambda y: pl.DataFrame({"y": y}),
        lambda y: pa.table({"y": y}),
        lambda y: pd.DataFrame({"y": y}),
    ],
)
def test_several_labels_a_row_are_refused(kind):
    y = kind(SEVERAL)
    assert not is_indicator(y)
    with pytest.raises(ValueError, match="y must hold one label a row, but .*MultiLabelBinarizer"):
        as_labels(y, 24)


def test_pyarrow_tables_are_read_as_frames():
    labels = pa.table({"label": ["b", "a"]})
    assert not is_indicator(labels)
    with pytest.warns(UserWarning, match="column-vector"):
        assert as_labels(labels, 2).tolist() == ["b", "a"]
    table = pa.table({"x": [0, 1], "y": [True, False]})
    for indicator in (table, table.to_batches()[0]):
        assert is_indicator(indicator)
        read = as_indicator(indicator, 2)
        assert read.columns.tolist() == ["x", "y"]
        assert read.to_numpy().tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="0 or 1 in every cell, but row 1, column 'x' is .*nan"):
        as_indicator(pa.table({"x": [0, None], "y": [0, 1]}), 2)


@pytest.mark.parametrize(
    "y",
    [
        pd.DataFrame([[0, 1]], columns=["x", "x"]),
        pa.Table.from_arrays([pa.array([0]), pa.array([1])], names=["x", "x"]),
    ],
)
def test_columns_of_one_name_are_refused(y):
    with pytest.raises(ValueError, match="y_val must have columns of different names.*'x'"):
        as_indicator(y, 1, "y_val")


@pytest.mark.parametrize(
    "columns", [pd.date_range("2020", periods=2), [("a", "b"), ("c", "d")], [1, None], [1, np.nan]]
)
def test_columns_whose_names_cannot_be_saved_are_refused(columns):
    frame = pd.DataFrame([[0, 1]])
    frame.columns = columns
    with pytest.raises(ValueError, match="columns named by str, int, bool or float, but column"):
        as_indicator(frame, 1)


def test_masked_indicators_are_refused():
    with pytest.raises(ValueError, match="y must not be a masked array"):
        as_indicator(np.ma.array([[0, 1]], mask=[[False, True]]), 1)


@pytest.mark.parametrize(
    "classes", [["b", "a"], ("b", "a", "a"), np.array(["b", "a"]), pd.Series(["b", "a"])]
)
def test_classes_are_sorted(classes):
    assert as_classes(classes).tolist() == ["a", "b"]
    assert as_classes(classes, in_order=True).tolist()[:2] == ["b", "a"]


@pytest.mark.parametrize(
    ("classes", "came"),
    [(5, "5 .int. came"), ("ab", "'ab' .str. came"), (np.array("a"), "array"), ([], "empty")],
)
def test_what_are_no_classes_is_refused(classes, came):
    with pytest.raises(ValueError, match=f"classes must be a list of all labels, but .*{came}"):
        as_classes(classes)
