"""Randomness that reproduces, and leaves everybody else's generators alone."""

import os
import threading
from contextlib import contextmanager

import torch
from sklearn.utils import check_random_state

__all__ = ["draw_seed", "generators_of", "seeded"]

# Dropout draws from torch's process-wide generator. Threads that fit at once would draw from one
# stream in an order of their own, and none would reproduce.
_ONE_AT_A_TIME = threading.RLock()


def _unlock():
    global _ONE_AT_A_TIME
    _ONE_AT_A_TIME = threading.RLock()


if hasattr(os, "register_at_fork"):  # the thread that holds it may not be in a forked child
    os.register_at_fork(after_in_child=_unlock)


def draw_seed(random_state):
    """One seed from scikit-learn's ``random_state``: int, RandomState or None (numpy's global)."""
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def seeded(seed, device):
    """Run a block with the CPU's and the device's generator at ``seed``; put their states back.

    Gradients are on in it and autocast is off, whatever modes the caller has set.
    """
    plain = torch.autocast(torch.device(device).type, enabled=False)
    with _ONE_AT_A_TIME, torch.inference_mode(False), torch.enable_grad(), plain:
        generators = generators_of(device)
        states = [generator.get_state() for generator in generators]
        for generator in generators:
            generator.manual_seed(seed)
        try:
            yield
        finally:
            for generator, state in zip(generators, states):
                generator.set_state(state)


def generators_of(device):
    """The generators that dropout draws from: the CPU's, and that of an accelerator."""
    return [torch.default_generator, *_of_accelerator(torch.device(device))]


def _of_accelerator(device):
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
