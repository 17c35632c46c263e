"""Freed memory stays in a fit, and goes back to the system after it."""

import subprocess
import sys
import threading

import pytest
from conftest import make_texts

from sktransformers import BertClassifier
from sktransformers.engine import allocator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc alone")


ALONE = """
import os, resource
import torch
from sktransformers.engine import allocator

def faults(n_times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_times):
        torch.zeros(12 * 2**20)  # 48 MiB: more than glibc ever keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

faults(2)
returned = faults(10)
with allocator.memory_kept():
    faults(16)  # glibc's thread cache holds seven of the splinters that an aligned block leaves
    kept, within = faults(10), resident()
print(returned, kept, within, resident())
"""


def test_memory_is_kept_in_the_block_and_given_back_after_it():
    if allocator._glibc() is None:
        pytest.skip("another C library, or settings in the environment")
    # In a process of its own: what other tests left of the heap may hold such a tensor as well.
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    returned, kept, within, after = map(int, done.stdout.split())
    assert 2 * kept < returned
    assert after < within - 30 * 2**20


def test_the_last_one_out_restores(monkeypatch):
    calls = []

    class Library:
        gnu_get_libc_version = True

        def mallopt(self, name, value):
            calls.append((name, value))

        def malloc_trim(self, pad):
            calls.append("trim")

    monkeypatch.setattr(allocator, "_glibc", Library)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with allocator.memory_kept():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with allocator.memory_kept():
        thread.start()
        inside.wait()
    assert "trim" not in calls
    leave.set()
    thread.join()
    assert calls[-1] == "trim"
    assert (allocator._MMAP_MAX, 65536) in calls


def test_ones_own_settings_are_left_alone(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.mmap_max=7")
    assert allocator._glibc() is None
    with allocator.memory_kept():
        pass


def test_a_fit_that_fails_gives_back_too(tiny_bert):
    X, y = make_texts(16, seed=0)
    with pytest.raises(FloatingPointError):
        BertClassifier(tiny_bert, learning_rate=1e12, max_epochs=3).fit(X, y)
    assert allocator._users == 0
