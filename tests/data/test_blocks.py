import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from sktransformers.data.blocks import BlockData, Blocks
from sktransformers.engine.device import prepare
from sktransformers.tasks.causal_lm import CausalLanguage

LENGTHS = (5, 7, 3, 9, 20, 30, 1, 4)


@pytest.fixture
def lists():
    rng = np.random.RandomState(0)
    return [rng.randint(1, 60, n).tolist() for n in LENGTHS]


@pytest.mark.parametrize("folder", ["tiny_gpt2", "tiny_llama"])
def test_no_token_sees_another_text(request, folder, lists):
    model = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(folder)).eval()
    prepare(model, "float32", "cpu")
    blocks = Blocks.of([(ids, 1) for ids in lists], 64, overlap=False, share=True)
    assert blocks.examples.lengths.tolist() == [44, 35]  # eight texts share two blocks
    inputs, labels, rows = blocks.batch([0, 1], 0)
    with torch.no_grad():
        shared = CausalLanguage().forward(model, inputs)["words"]
        for row, ids in enumerate(lists):
            assert labels[rows == row].tolist() == ids[1:]
            alone = model(input_ids=torch.tensor([ids])).logits[0, :-1]
            torch.testing.assert_close(shared[torch.from_numpy(rows == row)], alone)
        # Another first text changes nothing of the others in its block.
        changed = [[7] * LENGTHS[0], *lists[1:]]
        inputs, _, _ = Blocks.of(
            [(ids, 1) for ids in changed], 64, overlap=False, share=True
        ).batch([0, 1], 0)
        again = CausalLanguage().forward(model, inputs)["words"]
    others = torch.from_numpy(rows != 0)
    assert torch.equal(again[others], shared[others])
    assert not torch.equal(again[~others], shared[~others])


def test_long_texts_are_consecutive_blocks():
    ids = list(range(1, 101))
    blocks = Blocks.of([(ids, 1), ([1, 2, 3], 1)], 32, overlap=False, share=True)
    assert [blocks.examples[i].tolist() for i in range(4)] == [
        ids[start : start + 32] for start in (0, 32, 64, 96)
    ]
    assert blocks.examples[4].tolist() == [1, 2, 3]
    _, labels, rows = blocks.batch(range(5), 0)
    assert labels[rows == 0].tolist() == [i for i in ids[1:] if i not in (33, 65, 97)]


@pytest.mark.parametrize("first", [1, 20, 50])
def test_in_scoring_each_token_counts_once_with_half_a_block_before_it(first):
    ids = list(range(1, 101))
    blocks = Blocks.of([(ids, first)], 32, overlap=True)
    inputs, labels, _ = blocks.batch(range(len(blocks.examples)), 0)
    assert sorted(labels.tolist()) == ids[first:]
    for place, block in enumerate(blocks.examples):
        asked = np.flatnonzero(inputs["hidden"][place].numpy())
        if place and len(asked):
            assert asked[0] >= 15
        assert len(block) <= 32


def test_weights_are_those_of_rows(lists):
    blocks = Blocks.of([(ids, 1) for ids in lists], 64, overlap=False, share=True)
    weights = np.arange(8.0)
    _, labels, found = BlockData(blocks, weights, 0).__getitems__([1])
    assert found["words"].tolist() == [5.0] * 29 + [7.0] * 3
    assert len(labels["words"]) == 32
