import numpy as np
import pytest
import torch

from sktransformers.data.batching import LengthBatches, batches_of_one_shape, pad
from sktransformers.data.examples import Examples

LENGTHS = np.random.RandomState(0).randint(1, 67, size=203)
EXAMPLES = Examples.from_lists([list(range(1, n + 1)) for n in LENGTHS], longest=66)
WIDTHS = EXAMPLES.widths


def test_padding():
    batch = pad(EXAMPLES, [0, 1, 2], pad_id=99)
    longest = EXAMPLES.lengths[:3].max()
    assert batch["input_ids"].shape == (3, min(66, -(-longest // 8) * 8))
    assert batch["attention_mask"].sum(1).tolist() == EXAMPLES.lengths[:3].tolist()
    assert (batch["input_ids"][batch["attention_mask"] == 0] == 99).all()
    assert batch["input_ids"][1, : LENGTHS[1]].tolist() == list(range(1, LENGTHS[1] + 1))
    assert batch["input_ids"].dtype == torch.int64


def test_inference_batches_hold_every_row_once_in_one_shape_a_width():
    shapes, seen = {}, []
    for rows, n_own in batches_of_one_shape(WIDTHS, tokens=256):
        widths = set(WIDTHS[rows])
        assert len(widths) == 1
        shapes.setdefault(widths.pop(), set()).add(len(rows))
        seen += rows[:n_own].tolist()
    assert sorted(seen) == list(range(len(LENGTHS)))
    assert all(len(sizes) == 1 for sizes in shapes.values())
    assert list(shapes) == sorted(shapes, reverse=True)
    assert max(shapes) == 66  # not 72: positions end there


def test_training_batches_hold_every_row_once_and_differ_between_epochs():
    batches = LengthBatches(LENGTHS, 16, seed=0)
    first, second = list(batches), list(batches)
    for epoch in (first, second):
        assert sorted(row for batch in epoch for row in batch) == list(range(len(LENGTHS)))
        assert len(epoch) == len(batches) == 13
    assert first != second
    assert first == list(LengthBatches(LENGTHS, 16, seed=0))


def test_training_batches_are_of_like_length():
    padded = sum(LENGTHS[b].max() * len(b) for b in LengthBatches(LENGTHS, 16, seed=0))
    shuffled = np.random.RandomState(0).permutation(len(LENGTHS))
    naive = sum(LENGTHS[shuffled[i : i + 16]].max() * 16 for i in range(0, len(LENGTHS), 16))
    assert padded < 0.65 * naive


@pytest.mark.parametrize("lists", [[[1], [], [2, 3]], [[]]])
def test_examples_give_back_what_they_hold(lists):
    examples = Examples.from_lists(lists, longest=8)
    assert [examples[i].tolist() for i in range(len(examples))] == lists
    assert [e.tolist() for e in (examples.take([0])[0],)] == [lists[0]]
    assert len(Examples.concatenate([examples, examples])) == 2 * len(lists)
