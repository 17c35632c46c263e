"""Spans as seqeval reads them, in every scheme that it knows."""

import warnings

import numpy as np
import pytest
import seqeval.scheme
from seqeval.metrics.sequence_labeling import get_entities

from sktransformers.schemes import (
    LENIENT,
    PLAIN,
    SCHEMES,
    SpanTags,
    find_spans,
    is_valid,
    recognise,
    transitions,
)


def random_rows(scheme, seed, n_rows=60, types=("PER", "LOC")):
    """Rows of random tags of a scheme, most of them against its rules."""
    rng = np.random.RandomState(seed)
    tags = ["O", *(f"{letter}-{kind}" for letter in SCHEMES[scheme][0] for kind in types)]
    return [rng.choice(tags, rng.randint(0, 12)).tolist() for _ in range(n_rows)]


def flat(rows):
    classes = sorted({tag for row in rows for tag in row})
    codes = np.array([classes.index(tag) for row in rows for tag in row], dtype=int)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return SpanTags.of(classes), codes, offsets


def spans(rows, scheme):
    """(row, type, start, stop) of each span."""
    tags, codes, offsets = flat(rows)
    starts, stops, types = find_spans(tags, codes, offsets, scheme)
    of = np.searchsorted(offsets, starts, side="right") - 1
    return {
        (int(row), tags.names[kind], int(start - offsets[row]), int(stop - offsets[row]))
        for row, start, stop, kind in zip(of, starts, stops, types)
    }


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"])
def test_strict_spans_are_seqevals(scheme, seed):
    rows = random_rows(scheme, seed)
    found = seqeval.scheme.Entities(rows, getattr(seqeval.scheme, scheme)).entities
    expected = {(r, e.tag, e.start, e.end) for r, row in enumerate(found) for e in row}
    assert spans(rows, scheme) == expected
    assert expected


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES"])
def test_lenient_spans_are_seqevals_default(scheme, seed):
    rows = random_rows(scheme, seed)
    expected = {
        (r, kind, start, stop + 1)
        for r, row in enumerate(rows)
        for kind, start, stop in get_entities(row)
    }
    assert spans(rows, LENIENT) == expected
    assert expected


def test_bare_letters_are_of_one_type():
    rows = [["B", "I", "O", "I"], ["S", "B", "E"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [(r, s, e + 1) for r, row in enumerate(rows) for _, s, e in get_entities(row)]
    assert spans(rows, LENIENT) == {(row, "", start, stop) for row, start, stop in expected}


def test_bmes_and_bilou_mean_what_iobes_means():
    iobes = random_rows("IOBES", 0)
    for scheme, letters in (("BMES", "BMES"), ("BILOU", "BILU")):
        to = dict(zip("BIES", letters))
        rows = [[to.get(tag[0], "O") + tag[1:] for tag in row] for row in iobes]
        assert spans(rows, scheme) == spans(iobes, "IOBES")
        assert spans(rows, LENIENT) == spans(iobes, LENIENT)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rows_that_follow_the_rules_lose_nothing_and_are_recognised(scheme):
    rng = np.random.RandomState(0)
    letters = SCHEMES[scheme][0]
    classes = sorted(["O", *(f"{letter}-{kind}" for letter in letters for kind in "XY")])
    tags = SpanTags.of(classes)
    allowed, first, last = transitions(tags, scheme)
    rows = []
    while len(rows) < 200:
        row = [rng.choice(np.flatnonzero(first))]
        while len(row) < rng.randint(1, 12) or not last[row[-1]]:
            row.append(rng.choice(np.flatnonzero(allowed[row[-1]])))
        rows.append([classes[code] for code in row])
    inside = {
        (row, place) for row, _, start, stop in spans(rows, scheme) for place in range(start, stop)
    }
    assert inside == {(r, i) for r, row in enumerate(rows) for i, t in enumerate(row) if t != "O"}
    assert recognise(*flat(rows)) == scheme
    assert is_valid(*flat(rows), scheme)
    assert spans(rows, scheme) == spans(rows, LENIENT)


@pytest.mark.parametrize(
    ("rows", "scheme"),
    [
        ([["NOUN", "VERB"]], None),
        ([[1, 2]], None),
        ([["O", "O"]], None),
        ([["B-X", "I-X", "O"]], "IOB2"),
        ([["I-X", "B-X", "O"]], "IOB1"),
        ([["I-X", "I-X", "O"]], "IOB1"),
        ([["I-X", "O", "B-Y"], ["B-X", "I-X"]], "IOB2"),  # breaks both: the common one
        ([["I-X", "E-X", "O", "E-Y"]], "IOE2"),
        ([["I-X", "E-X", "I-X", "O"]], "IOE1"),
        ([["B", "M", "E", "S"]], "BMES"),
        ([["B-X", "E-X"]], "IOBES"),
        ([["S-X", "O"]], "IOBES"),
        ([["S-X", "B-X", "E-X"]], "IOBES"),
        ([["S-X", "B-X", "I-X"]], LENIENT),  # BIOS: nothing ends what B begins
        ([["B-X", "I-X", "E-X", "E-Y", "O"]], LENIENT),
        ([["U-X", "O"]], "BILOU"),
        ([["B-X", "M-X", "L-X"]], None),  # no scheme's letters
        ([["B-X", "other"]], None),
        ([["B-a b", "I-a b"]], "IOB2"),
        ([["B-", "O"]], None),
    ],
)
def test_recognised(rows, scheme):
    tags, codes, offsets = flat(rows)
    assert recognise(tags, codes, offsets) == scheme
    assert scheme != PLAIN


def test_a_span_ends_with_its_row():
    assert spans([["B-X", "I-X"], ["I-X", "O"], [], ["I-X"]], LENIENT) == {
        (0, "X", 0, 2),
        (1, "X", 0, 1),
        (3, "X", 0, 1),
    }
