import numpy as np
import pytest
import torch

from sktransformers.engine.decoding import Sampling, row_generators

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5])


def shares(n=20000, **params):
    """How often each token is drawn."""
    generators = row_generators(0, [[1]] * n)
    drawn = Sampling(**params).choose(LOGITS.expand(n, -1), None, generators)
    return np.bincount(drawn, minlength=5) / n


def probabilities(logits, kept):
    p = torch.where(torch.tensor(kept), logits, -torch.inf).softmax(dim=0)
    return p.numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_draws_follow_the_probabilities(temperature):
    expected = probabilities(LOGITS / temperature, [True] * 5)
    np.testing.assert_allclose(shares(temperature=temperature), expected, atol=0.015)


def test_only_the_best_are_drawn():
    expected = probabilities(LOGITS, [True, True, False, False, True])
    np.testing.assert_allclose(shares(temperature=1.0, top_k=3), expected, atol=0.015)
    # 0.57, 0.21, 0.13, ...: the fewest that reach 0.7 are two.
    expected = probabilities(LOGITS, [True, True, False, False, False])
    np.testing.assert_allclose(shares(temperature=1.0, top_p=0.7), expected, atol=0.015)
    assert shares(temperature=1.0, top_p=1e-9)[0] == 1
    np.testing.assert_allclose(
        shares(temperature=1.0, top_k=99, top_p=1.0), shares(temperature=1.0)
    )


def test_the_penalty_is_that_of_transformers():
    from transformers import RepetitionPenaltyLogitsProcessor

    logits = torch.randn(4, 9)
    ids = torch.randint(0, 9, (4, 5))
    expected = RepetitionPenaltyLogitsProcessor(1.7)(ids, logits.clone()).argmax(dim=-1)
    seen = torch.zeros(4, 9, dtype=torch.bool).scatter(1, ids, True)
    found = Sampling(repetition_penalty=1.7).choose(logits, seen, [None] * 4)
    assert found.tolist() == expected.tolist()


def test_a_row_has_a_stream_of_its_own():
    prompts = [[1, 2], [3], [1, 2], [1], [2]]
    first = [g.random() for g in row_generators(0, prompts)]
    assert len(set(first)) == 5
    assert first[2] == [g.random() for g in row_generators(0, [[1, 2], [1, 2]])][1]
    assert first[1] == row_generators(0, [[3]])[0].random()
    assert first[1] != row_generators(1, [[3]])[0].random()
