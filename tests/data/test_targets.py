import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sktransformers.data.targets import as_labels


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
