"""Pages of results, one section a script: each replaces its own and leaves the others."""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).with_name("quality.md")


def put_section(title, text, page=PAGE):
    """Replace the section of this title in a page, or add it at the end."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    section = f"## {title}\n\n{text.strip()}\n"
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", before, re.DOTALL | re.MULTILINE)
    if found:
        after = before[: found.start()] + section + "\n" + before[found.end() :]
    else:
        after = before.rstrip() + "\n\n" + section
    page.write_text(after.strip() + "\n", encoding="utf-8")


def measure_and_write(script, title, functions):
    """Run functions that return figures, each in a process of its own, and write the section.

    ``--only name`` runs and prints one of them; ``--keep file`` goes on from results in a file.
    """
    measured = {function.__name__: function for function in functions}
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=measured)
    parser.add_argument("--keep", type=Path, help="results so far: what is in it is not run again")
    options = parser.parse_args()
    if "SKT_DATA" not in os.environ:
        sys.exit(f"Set SKT_DATA to the folder that holds the sets (see the top of {script}).")
    if options.only:
        start = time.perf_counter()
        found = {name: float(value) for name, value in measured[options.only]().items()}
        print(json.dumps({**found, "seconds": round(time.perf_counter() - start, 1)}))
        return
    keep = options.keep
    results = json.loads(keep.read_text()) if keep and keep.exists() else {}
    for name in measured:
        if name not in results:
            command = [sys.executable, script, "--only", name]
            line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            print(name, line.strip(), flush=True)
            results[name] = json.loads(line.splitlines()[-1])
            if keep:
                keep.write_text(json.dumps(results))
    put_section(title, _table(Path(script).name, measured, results))


def _table(script, measured, results):
    lines = [
        f"Made by `python benchmarks/{script}`; the defaults where nothing else is said, "
        f"`random_state=0`. {machine()}",
        "",
        "| measured | what it is | figures | whole run, s |",
        "|---|---|---|---|",
    ]
    for name, function in measured.items():
        found = dict(results[name])
        seconds = found.pop("seconds")
        figures = ", ".join(
            f"{what} {value:.3g}" if value < 0.1 or value >= 10 else f"{what} {value:.3f}"
            for what, value in found.items()
        )
        lines.append(f"| {name} | {function.__doc__.strip()} | {figures} | {seconds:.0f} |")
    return "\n".join(lines)


def machine():
    """What the figures were taken on, in one sentence."""
    import sklearn
    import torch
    import transformers

    return (
        f"{os.cpu_count()} cores ({processor()}), torch {torch.__version__}, transformers "
        f"{transformers.__version__}, scikit-learn {sklearn.__version__}."
    )


def processor():
    """The processor's name, where the system tells."""
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if "model name" in x] if info.exists() else []
    return names[0].split(":")[1].strip() if names else platform.processor()
