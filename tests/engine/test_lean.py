"""What is cheaper must be the same mathematics: equal in distribution, and where it can, equal."""

import pytest
import torch
from torch.nn import functional

from sktransformers.engine import attention
from sktransformers.engine.dropout import dropout
from sktransformers.engine.lean import _Lean


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dropout_drops_its_share_and_scales_the_rest(p, dtype):
    torch.manual_seed(0)
    n = 1_000_001
    found = dropout(torch.ones(n, dtype=dtype), p)
    kept = found != 0
    spread = (p * (1 - p) / n) ** 0.5
    assert abs((1 - p) - kept.double().mean().item()) < 4 * spread
    expected = functional.dropout(torch.ones(1000, dtype=dtype), p).max()
    assert found.max().item() == pytest.approx(expected.item(), rel=1e-4)
    assert found[kept].min() == found.max()


def test_elements_are_dropped_independently():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(400_000, dtype=torch.float32), 0.3) != 0).double()
    # Neighbours share a random number of 64 bits: lags 1 to 3 would show it, and 4 the generator.
    for lag in (1, 2, 3, 4, 64):
        both = (kept[:-lag] * kept[lag:]).mean().item()
        assert both == pytest.approx(0.7**2, abs=4 * (0.49 * 0.51 / 1e5) ** 0.5)
    other = (dropout(torch.ones(400_000), 0.3) != 0).double()
    assert (kept * other).mean().item() == pytest.approx(0.49, abs=0.004)


def test_the_gradient_goes_where_the_values_went():
    x = torch.randn(50, 20, requires_grad=True)
    with _Lean():
        found = functional.dropout(x, 0.4, training=True)
    found.sum().backward()
    assert torch.equal(x.grad == 0, found == 0)
    assert torch.allclose(x.grad * x.detach(), found.detach())


def test_without_training_or_probability_nothing_is_dropped():
    x = torch.randn(50, 20)
    with _Lean():
        assert functional.dropout(x, 0.4, training=False) is x
        assert torch.equal(functional.dropout(x, 0.0, training=True), x)
        assert not functional.dropout(x, 1.0, training=True).any()


MASKS = {
    "none": None,
    "bool": torch.arange(9)[None, None, None] < torch.tensor([9, 4])[:, None, None, None],
    "float": torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(3)),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("settings", [{}, {"scale": 0.3}])
def test_attention_is_torchs_own(mask, settings):
    query, key, value = torch.randn(3, 2, 4, 9, 8).requires_grad_()
    plain = functional.scaled_dot_product_attention(query, key, value, MASKS[mask], **settings)
    with _Lean():
        found = functional.scaled_dot_product_attention(query, key, value, MASKS[mask], **settings)
    torch.testing.assert_close(found, plain)


def sees(rows, queries, keys, seed=0):
    found = torch.rand(rows, 1, queries, keys, generator=torch.Generator().manual_seed(seed)) > 0.4
    return found.clone().index_fill_(3, torch.tensor([0]), True)


@pytest.mark.parametrize("chunk", [1, 200, 10**6])
@pytest.mark.parametrize("remembered", [0, 10**6])
@pytest.mark.parametrize("mask", [None, sees(5, 7, 9), sees(1, 7, 9), torch.randn(5, 3, 7, 9)])
def test_gradients_of_attention_are_torchs_own(monkeypatch, chunk, remembered, mask):
    monkeypatch.setattr(attention, "_CHUNK", chunk)
    monkeypatch.setattr(attention, "_REMEMBERED", remembered)
    torch.manual_seed(1)
    shapes = (5, 3, 7, 4), (5, 3, 9, 4), (5, 3, 9, 6)
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.double()
    weights = torch.randn(5, 3, 7, 6, dtype=torch.float64)
    plain = functional.scaled_dot_product_attention(*inputs, mask)
    added = None if mask is None else attention.added_to_scores(mask, torch.float64)
    found = attention.attention(*inputs, added)
    torch.testing.assert_close(found, plain)
    ours, theirs = (torch.autograd.grad((out * weights).sum(), inputs) for out in (found, plain))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("remembered", [0, 10**6])
def test_gradients_of_attention_with_dropout_are_those_of_what_was_drawn(monkeypatch, remembered):
    monkeypatch.setattr(attention, "_CHUNK", 100)
    monkeypatch.setattr(attention, "_REMEMBERED", remembered)
    inputs = [torch.randn(4, 2, 5, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]

    mask = attention.added_to_scores(sees(4, 5, 5), torch.float64)

    def drawn(*inputs):
        torch.manual_seed(7)
        return attention.attention(*inputs, mask, 0.3)

    assert torch.autograd.gradcheck(drawn, inputs)


def test_attention_under_autocast_is_in_its_precision():
    inputs = [torch.randn(2, 2, 5, 8, requires_grad=True) for _ in range(3)]
    with _Lean(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = functional.scaled_dot_product_attention(*inputs, dropout_p=0.1)
    assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert all(x.grad.dtype == torch.float32 for x in inputs)


def test_one_key_for_several_heads():
    query = torch.randn(2, 4, 9, 8, requires_grad=True)
    key, value = torch.randn(2, 2, 1, 9, 8).requires_grad_()
    plain = functional.scaled_dot_product_attention(query, key, value)
    with _Lean():
        found = functional.scaled_dot_product_attention(query, key, value)
    ours, theirs = (torch.autograd.grad(x.square().sum(), (query, key)) for x in (found, plain))
    torch.testing.assert_close(ours, theirs)


def test_causal_attention_is_torchs_own():
    query, key, value = torch.randn(3, 2, 4, 9, 8)
    plain = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    with _Lean():
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(found, plain)


def test_a_row_that_sees_nothing_is_no_reason_for_nan():
    query, key, value = torch.randn(3, 1, 2, 5, 8)
    nothing = torch.zeros(1, 1, 5, 5, dtype=torch.bool)
    with _Lean():
        found = functional.scaled_dot_product_attention(query, key, value, nothing)
    assert torch.isfinite(found).all()


def test_attention_with_dropout_has_torchs_mean_and_spread():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 1, 6, 4)
    draws = {True: [], False: []}
    for _ in range(4000):
        draws[False].append(functional.scaled_dot_product_attention(query, key, value, None, 0.2))
        with _Lean():
            draws[True].append(
                functional.scaled_dot_product_attention(query, key, value, None, 0.2)
            )
    ours, theirs = torch.stack(draws[True]), torch.stack(draws[False])
    assert (ours.mean(0) - theirs.mean(0)).abs().max() < 5 * theirs.std(0).max() / 4000**0.5 * 2
    torch.testing.assert_close(ours.std(0), theirs.std(0), rtol=0.1, atol=0.01)


def test_the_seed_decides_and_only_this_thread_is_changed():
    import threading

    torch.manual_seed(5)
    first = dropout(torch.ones(1000), 0.5)
    torch.manual_seed(5)
    assert torch.equal(dropout(torch.ones(1000), 0.5), first)
    called = []

    def other():
        torch.manual_seed(0)
        called.append(functional.dropout(torch.ones(100), 0.5, training=True))

    with _Lean():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    torch.manual_seed(0)
    assert torch.equal(called[0], functional.dropout(torch.ones(100), 0.5, training=True))
