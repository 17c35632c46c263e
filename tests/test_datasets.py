import sys

import pandas as pd
import pytest

from sktransformers.datasets import load_docstrings


@pytest.fixture(scope="module")
def docs():
    return load_docstrings(["numpy", "sklearn", "python"])


def test_thousands_of_real_texts(docs):
    assert list(docs.columns) == ["text", "library", "name"]
    counts = docs["library"].value_counts()
    assert counts["numpy"] > 1000
    assert counts["sklearn"] > 1000
    assert counts["python"] > 3000
    assert docs["text"].str.split().str.len().min() >= 8
    assert not docs["text"].duplicated().any()
    trim = docs.loc[docs["name"] == "numpy.lib._function_base_impl.trim_zeros", "text"].item()
    assert trim.startswith("Remove values along a dimension which are zero along all other.")
    assert "Parameters" not in trim


def test_the_order_is_the_same_each_time(docs):
    pd.testing.assert_frame_equal(docs, load_docstrings(["sklearn", "python", "numpy"]))
    assert docs["library"].is_monotonic_increasing


def test_nothing_is_imported():
    imported = set(sys.modules)
    load_docstrings(["numpy"])
    assert not [m for m in set(sys.modules) - imported if m.startswith("numpy.")]


def test_at_most_so_many_rows_spread_over_the_library(docs):
    some = load_docstrings(["numpy", "sklearn"], max_rows=100)
    assert some["library"].value_counts().to_dict() == {"numpy": 100, "sklearn": 100}
    first = {name.split(".")[1] for name in some["name"] if name.count(".") > 1}
    assert len(first) > 10
    assert set(some["text"]) <= set(docs["text"])


def test_names_that_give_the_library_away_are_masked():
    masked = load_docstrings(["numpy"], mask=True)["text"]
    words = {word.lower() for text in masked for word in text.split()}
    assert words.isdisjoint({"numpy", "np", "numpy.", "ndarray", "ndarrays"})
    assert masked.str.contains("…").any()


def test_unknown_libraries_are_refused():
    with pytest.raises(ValueError, match=r"libraries must be of \['numpy'.*'scipy' came"):
        load_docstrings(["scipy"])


def test_files_that_do_not_parse_are_passed_over(tmp_path):
    from sktransformers.datasets import _documented

    (tmp_path / "bad.py").write_text("print 'old'")
    (tmp_path / "good.py").write_text('class A:\n    def f(self):\n        "Say so."')
    assert list(_documented(tmp_path / "bad.py", "bad")) == []
    assert list(_documented(tmp_path / "good.py", "good")) == [("good.A.f", "Say so.")]
