"""Randomness that reproduces, and leaves everybody else's generators alone."""

import threading
from contextlib import contextmanager

import torch
from sklearn.utils import check_random_state

__all__ = ["draw_seed", "seeded"]

# Dropout draws from torch's process-wide generator. Threads that fit at once would draw from one
# stream in an order of their own, and none would reproduce.
_ONE_AT_A_TIME = threading.RLock()


def draw_seed(random_state):
    """One seed from scikit-learn's ``random_state``: int, RandomState or None (numpy's global)."""
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def seeded(seed, device):
    """Run a block with torch's generators at ``seed``; put their states back after."""
    kind = torch.device(device).type
    with (
        _ONE_AT_A_TIME,
        torch.random.fork_rng(
            devices=[torch.device(device).index or 0] if kind in ("cuda", "xpu") else [],
            device_type=kind if kind in ("cuda", "xpu") else "cuda",
        ),
    ):
        torch.manual_seed(seed)
        yield
