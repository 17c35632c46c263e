import re
from html import unescape

import pandas as pd
import pytest

from sktransformers.display import spans_html


def spans(*rows):
    return pd.DataFrame(rows, columns=["row", "start", "end", "label"])


def plain(html):
    """What a reader sees, labels left out."""
    html = re.sub(r"<span style=[^>]*>[^<]*</span>", "", html)
    return [unescape(re.sub(r"<[^>]*>", "", line)) for line in html.split("\n")]


def test_texts_stay_as_they_are():
    texts = ["<b>Ada</b> & \"Bob\" in 'Rome'", "", "<script>alert(1)</script> 👩‍👩‍👧"]
    html = spans_html(texts, spans((0, 3, 6, "PER"), (0, 13, 18, "PER"), (2, 26, 31, "<i>")))
    assert plain(html) == texts
    assert re.findall(r"<(\w+)", html) == ["div", "mark", "span", "mark", "span", "div",
                                           "div", "mark", "span"]  # fmt: skip
    assert 'title="&lt;i&gt;"' in html
    assert html._repr_html_() == html


def test_a_label_has_one_colour():
    html = spans_html(["a b c"], spans((0, 0, 1, "X"), (0, 2, 3, "Y"), (0, 4, 5, "X")))
    colours = re.findall(r"background:(hsl\([^)]*\))", html)
    assert colours[0] == colours[2] != colours[1]


def test_token_lists_and_scores():
    frame = spans((0, 1, 3, "LOC")).assign(score=0.987)
    html = spans_html([["in", "New", "York", "now"]], frame)
    assert plain(html) == ["in New York now"]
    assert ">New York<span" in html
    assert 'title="LOC 0.99"' in html


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 0, 1, "X")], "one is of row 1"),
        ([(0, 0, 3, "X"), (0, 2, 4, "X")], "the one at 2 to 4 of row 0 does not"),
        ([(0, 0, 9, "X")], "0 to 9 of row 0"),
        ([(0, 2, 2, "X")], "2 to 2 of row 0"),
    ],
)
def test_spans_that_do_not_fit(rows, message):
    with pytest.raises(ValueError, match=message):
        spans_html(["abcd"], spans(*rows))
