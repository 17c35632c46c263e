import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.utils.estimator_checks import _NotAnArray

from sktransformers.data.numbers import as_numbers

DAYS = pd.date_range("2020-01-01", periods=3)


@pytest.mark.parametrize(
    "y",
    [
        [1, 2.5, 3],
        ["1", "2.5", "3"],
        [1, Decimal("2.5"), np.float32(3)],
        pd.Series([1, 2.5, 3], dtype="Float64"),
        pd.Series([1, 2.5, 3], dtype="category"),
        pl.Series([1.0, 2.5, 3.0]),
        pa.array([1, 2.5, 3]),
        pa.chunked_array([[1, 2.5], [3]]),
        np.ma.array([1, 2.5, 3], mask=[False] * 3),
        _NotAnArray(np.array([1, 2.5, 3])),
    ],
)
def test_kinds_of_numbers(y):
    numbers = as_numbers(y, 3)
    assert numbers.tolist() == [1, 2.5, 3]
    assert numbers.dtype == np.float64


@pytest.mark.parametrize(
    "kind", [list, np.array, pd.DataFrame, lambda y: pl.DataFrame(np.array(y))]
)
def test_several_numbers_a_row(kind):
    assert as_numbers(kind([[1, 2.5], [3, 4]]), 2).tolist() == [[1, 2.5], [3, 4]]


def test_pyarrow_tables_are_read_as_frames():
    table = pa.table({"a": [1, 2], "b": [0.5, 3]})
    assert as_numbers(table, 2).tolist() == [[1, 0.5], [2, 3]]
    assert as_numbers(table.select(["a"]), 2).tolist() == [[1], [2]]
    assert as_numbers(table.to_batches()[0], 2).tolist() == [[1, 0.5], [2, 3]]


@pytest.mark.parametrize(
    ("y", "came"),
    [
        ([1, 2, pd.NA], "row 2 is <NA>"),
        ([1, pd.NaT, 2], "row 1 is NaT"),
        ([1, 2, "abc"], "row 2 is 'abc' .str"),
        (np.array(["1", "abc", "2"]), "row 1 is .*'abc'"),
        ([1, [2], 3], r"row 1 is \[2\]"),
        ([np.ones(2), np.ones(3), np.ones(2)], "row 0 is array"),
        ([[1, 2], [3, pd.NA], [5, 6]], "row 1 is <NA>"),
        (pd.Series([1, pd.NA, 2], dtype="Int64"), "row 1 is nan"),
        (pl.Series([1, None, 2]), "row 1 is nan"),
        (pa.array([1, None, 2]), "row 1 is None"),
        (pd.Series(DAYS), "row 0 is .*2020-01-01.*Turn dates into numbers"),
        (pd.Series(DAYS, dtype=object), "row 0 is Timestamp.*Turn dates into numbers"),
        (pd.Series(DAYS.tz_localize("UTC")), "row 0 is Timestamp.*Turn dates into numbers"),
        (pd.Series([DAYS[0], pd.NaT, DAYS[1]])[::-1], "row 0 is .*2020.*Turn dates"),
        (pd.Series([pd.NaT, DAYS[0], DAYS[1]]), "row 0 is .*NaT"),
        (pd.DataFrame({"a": [1, 2, 3], "b": DAYS}), "row 0 is Timestamp.*Turn dates"),
        ([1, np.datetime64("2020-01-01"), 3], "row 1 is .*2020.*Turn dates"),
        ([1, np.timedelta64(5, "s"), 3], "row 1 is .*5.*Turn dates"),
        ([1, datetime.date(2020, 1, 1), 3], "row 1 is datetime.date.*Turn dates"),
        (pl.Series(DAYS.to_list()), "row 0 is .*2020.*Turn dates"),
        (np.ma.array([1, 2, 3], mask=[0, 1, 0]), "row 1 is masked"),
        ("abc", "'abc' .str. came"),
        (5, "5 .int. came"),
    ],
)
def test_what_is_no_number_is_named(y, came):
    with pytest.raises(ValueError, match=f"y must hold a finite number in every row, but {came}"):
        as_numbers(y, 3)


def test_numbers_without_room_for_a_scale_are_refused():
    with pytest.raises(ValueError, match=r"numbers up to 1e\+300, but row 1 is 1e\+305\. Divide"):
        as_numbers([1, 1e305], 2)


def test_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="y_val must have columns of different names.*'a'"):
        as_numbers(pd.DataFrame([[1, 2]], columns=["a", "a"]), 1, "y_val")
