import itertools

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from sktransformers.data.examples import Ragged
from sktransformers.schemes import SpanTags, is_valid, transitions
from sktransformers.tasks.tagging import Tagging

IOBES = ["B-X", "E-X", "I-X", "O", "S-X"]


def ragged(lengths, n_classes, seed):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = np.random.RandomState(seed).normal(0, 2, (offsets[-1], n_classes))
    return Ragged(values, offsets)


def tagging(classes, scheme, **params):
    return Tagging(np.array(classes, dtype=object), scheme, **params)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("scheme", "classes"),
    [
        ("IOB1", ["B-X", "B-Y", "I-X", "I-Y", "O"]),
        ("IOB2", ["B-X", "B-Y", "I-X", "I-Y", "O"]),
        ("IOE2", ["E-X", "I-X", "O"]),
        ("IOBES", IOBES),
        ("BMES", ["B", "E", "M", "S"]),
    ],
)
def test_the_best_sequence_is_found(scheme, classes, seed):
    task = tagging(classes, scheme)
    outputs = ragged([0, 5, 1, 4, 0, 3], len(classes), seed)
    codes = task.best(outputs)
    assert is_valid(SpanTags.of(classes), codes, outputs.offsets, scheme)
    allowed, first, last = transitions(SpanTags.of(classes), scheme)
    for row in range(len(outputs)):
        logs = log_softmax(outputs[row], axis=1)
        if not len(logs):
            continue
        scored = {
            path: sum(logs[i, code] for i, code in enumerate(path))
            for path in itertools.product(range(len(classes)), repeat=len(logs))
            if first[path[0]]
            and last[path[-1]]
            and all(allowed[a, b] for a, b in itertools.pairwise(path))
        }
        found = tuple(codes[outputs.offsets[row] : outputs.offsets[row + 1]])
        assert found == max(scored, key=scored.get)


def test_many_rows_of_many_lengths_are_valid():
    lengths = np.random.RandomState(0).randint(0, 60, 3000)
    outputs = ragged(lengths, 5, 0)
    codes = tagging(IOBES, "IOBES").best(outputs)
    assert is_valid(SpanTags.of(IOBES), codes, outputs.offsets, "IOBES")
    free = tagging(IOBES, "IOBES", constrained=False).best(outputs)
    np.testing.assert_array_equal(free, outputs.values.argmax(axis=1))
    assert not is_valid(SpanTags.of(IOBES), free, outputs.offsets, "IOBES")


def test_rows_that_cannot_follow_the_rules_still_get_tags():
    decoded = tagging(["B-X", "E-X"], "IOBES").decode(ragged([1, 2, 3], 2, 0))
    assert [len(row) for row in decoded] == [1, 2, 3]
    assert decoded[1] == ["B-X", "E-X"]


def test_the_loss_is_the_mean_over_words():
    task = tagging(IOBES, "IOBES")
    outputs = torch.randn(2, 4, 5)
    labels = torch.tensor([[-100, 1, 2, -100], [-100, 3, -100, -100]])
    weights = (labels >= 0) * 2 / 3  # add up to the number of rows
    expected = torch.nn.functional.cross_entropy(outputs.reshape(-1, 5), labels.reshape(-1))
    assert torch.isclose(task.loss(outputs, labels, weights), expected)
    flat = labels.reshape(-1) >= 0
    alone = task.loss(outputs.reshape(-1, 5)[flat], labels.reshape(-1)[flat], torch.ones(3))
    assert torch.isclose(alone, expected)


def test_spans_of_plain_tags_are_words():
    task = tagging(["N", "V"], "plain")
    starts, stops, labels = task.spans(np.array([1, 0]), np.array([0, 2]))
    assert (starts.tolist(), stops.tolist(), labels) == ([0, 1], [1, 2], ["V", "N"])


def test_unknown_tags_are_refused():
    task = tagging(["N", "V"], "plain")
    with pytest.raises(ValueError, match="y_val must hold tags .* row 2 holds 'X'"):
        task.encode([["N"], [], ["V", "X"]], "y_val")
