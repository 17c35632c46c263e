"""Contenders that take turns, each run in a process of its own: seconds, ratios, memory."""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sections import processor, put_section

PAGE = Path(__file__).with_name("README.md")


def compete(script, contenders, *, ours, n_rounds, describe=None, fewer=None):
    """Run contenders alternately and print their figures.

    Parameters
    ----------
    script : str
        ``__file__`` of the caller: it is run again for each run of a contender.
    contenders : dict of str to callable
        Each takes a seed and gives a dict: "seconds", and what else is to be shown.
    ours : str or dict of str to str
        The contender that ratios are to; or for each contender the one that its ratio is to.
    n_rounds : int
    describe : callable, default=None
        Gives a line of text on rows and machine.
    fewer : dict of str to int, default=None
        Contenders that are in the first rounds only, and in how many.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", choices=contenders)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=n_rounds)
    parser.add_argument("--only", nargs="*", default=list(contenders), help="some contenders")
    parser.add_argument("--keep", type=Path, help="runs so far: what is in it is not run again")
    options = parser.parse_args()
    if options.one:
        found = contenders[options.one](options.seed)
        found["peak GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({name: float(value) for name, value in found.items()}))
        return
    about = [describe()] if describe else []
    about.append(f"{os.cpu_count()} cores ({processor()}), {device()}; {options.rounds} rounds.")
    print("\n".join(about), flush=True)
    found, fewer = {name: [] for name in options.only}, fewer or {}
    if options.keep and options.keep.exists():
        found.update(json.loads(options.keep.read_text()))
    for seed in range(options.rounds):
        for name in options.only:
            if seed < len(found[name]) or seed >= fewer.get(name, options.rounds):
                continue
            command = [sys.executable, script, "--one", name, "--seed", str(seed)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"  round {seed + 1}, {name}: {found[name][-1]}", file=sys.stderr, flush=True)
            if options.keep:
                options.keep.write_text(json.dumps(found))
    lines = table(found, ours)
    print("\n".join(lines))
    keep(script, [*about, "", *lines])


def table(found, ours):
    """Medians with their range, ratios to ours, and the mean of all else with its error."""
    others = [name for name in next(iter(found.values()))[0] if name != "seconds"]
    ratio_to = "times the one above" if isinstance(ours, dict) else "times ours"
    lines = [
        f"| contender | seconds (min-max) | {ratio_to} | " + " | ".join(others) + " |",
        "|" + "---|" * (3 + len(others)),
    ]
    for name, runs in found.items():
        seconds = [run["seconds"] for run in runs]
        against = found.get(ours[name] if isinstance(ours, dict) else ours, runs)
        ratio = statistics.median(a / b["seconds"] for a, b in zip(seconds, against))
        cells = [_mean([run[other] for run in runs if other in run]) for other in others]
        lines.append(
            f"| {name} | {statistics.median(seconds):.4g} ({min(seconds):.4g}-{max(seconds):.4g}) "
            f"| {ratio:.2f} | " + " | ".join(cells) + " |"
        )
    return lines


def _mean(values):
    if not values:
        return ""
    mean = f"{np.mean(values):.4g}"
    if len(values) < 2 or np.ptp(values) == 0:
        return mean
    return f"{mean} ± {np.std(values, ddof=1) / len(values) ** 0.5:.2g}"


def keep(script, lines):
    """Put a benchmark's lines into the page of results, as the section of its script."""
    put_section(Path(script).name, "\n".join(lines), PAGE)


def device():
    """What computes."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"


def products_a_second(precision):
    """Floating-point operations a second that large matrix products reach here, over a second."""
    import torch

    kind = "cuda" if torch.cuda.is_available() else "cpu"
    size = 8192 if kind == "cuda" else 2048
    one = torch.randn(size, size, device=kind, dtype=getattr(torch, precision))
    (one @ one)[0, 0].item()
    n, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < 1:
        (one @ one)[0, 0].item()
        n += 1
    return n * 2 * size**3 / seconds
