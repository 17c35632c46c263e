import sys

import pandas as pd
import pytest

from sktransformers.datasets import load_code_tokens, load_docstrings


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
    from sktransformers.datasets.docstrings import _documented

    (tmp_path / "bad.py").write_text("print 'old'")
    (tmp_path / "good.py").write_text('class A:\n    def f(self):\n        "Say so."')
    assert list(_documented(tmp_path / "bad.py", "bad")) == []
    assert list(_documented(tmp_path / "good.py", "good")) == [("good.A.f", "Say so.")]


@pytest.fixture(scope="module")
def code():
    return load_code_tokens(max_rows=300)


def test_functions_as_tokens_with_their_roles(code):
    X, y = code
    assert len(X) == len(y) == 300
    assert all(len(tokens) == len(tags) for tokens, tags in zip(X, y))
    assert all(10 <= len(tokens) <= 150 for tokens in X)
    assert {tag for tags in y for tag in tags} >= {
        *("function", "parameter", "variable", "global", "attribute", "call", "argument"),
        *("import", "keyword", "literal", "operator"),
    }
    assert load_code_tokens(max_rows=300) == code
    assert len(set(map(tuple, X))) == 300


def test_roles_are_right(tmp_path):
    from sktransformers.datasets.code_tokens import _functions

    (tmp_path / "some.py").write_text(
        "def outer(one, *, two=3):\n"
        '    """Not code."""\n'
        "    import os.path as p  # nor this\n"
        "    é = one.attr.call(two, key=Name)\n"
        "    class Inner: pass\n"
        "    return é, 'text', free(é.x), len\n",
        encoding="utf-8",
    )
    ((name, tokens, tags),) = _functions(tmp_path / "some.py")
    assert name == "outer"
    found = [(t, tag) for t, tag in zip(tokens, tags) if tag not in ("keyword", "operator")]
    assert found == [
        ("outer", "function"),
        ("one", "parameter"),
        ("two", "parameter"),
        ("3", "literal"),
        ("os", "import"),
        ("path", "import"),
        ("p", "import"),
        ("é", "variable"),
        ("one", "parameter"),
        ("attr", "attribute"),
        ("call", "call"),
        ("two", "parameter"),
        ("key", "argument"),
        ("Name", "global"),
        ("Inner", "class"),
        ("é", "variable"),
        ("'text'", "literal"),
        ("free", "call"),
        ("é", "variable"),
        ("x", "attribute"),
        ("len", "global"),
    ]
    (tmp_path / "bad.py").write_text("print 'old'")
    assert list(_functions(tmp_path / "bad.py")) == []
