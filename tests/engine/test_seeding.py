import numpy as np
import torch

from sktransformers.engine.seeding import draw_seed, seeded


def test_seeds_come_from_random_state():
    assert draw_seed(3) == draw_seed(3) != draw_seed(4)
    rng = np.random.RandomState(0)
    assert draw_seed(rng) != draw_seed(rng)
    np.random.seed(1)
    first = draw_seed(None)
    np.random.seed(1)
    assert draw_seed(None) == first


def test_torchs_generator_is_put_back():
    before = torch.random.get_rng_state()
    with seeded(5, "cpu"):
        inside = torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), before)
    with seeded(5, "cpu"):
        assert torch.equal(torch.rand(3), inside)
