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
    """Run a block with the CPU's and the device's generator at ``seed``; put their states back.

    Gradients are on in it, whatever modes the caller has set.
    """
    with _ONE_AT_A_TIME, torch.inference_mode(False), torch.enable_grad():
        generators = [torch.default_generator, *_generator_of(torch.device(device))]
        states = [generator.get_state() for generator in generators]
        for generator in generators:
            generator.manual_seed(seed)
        try:
            yield
        finally:
            for generator, state in zip(generators, states):
                generator.set_state(state)


def _generator_of(device):
    """The default generator of an accelerator, in a list; of a CPU none."""
    if device.type == "mps":
        return [torch.mps._get_default_mps_generator()]
    if device.type in ("cuda", "xpu"):
        module = getattr(torch, device.type)
        module.init()
        return [
            module.default_generators[
                module.current_device() if device.index is None else device.index
            ]
        ]
    return []
