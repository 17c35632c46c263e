"""The README and the examples, run as they stand, on a few rows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PARTS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_there_is_something_to_run():
    assert {p.stem for p in EXAMPLES} >= {"demo", "quickstart", "pandas_workflow", "grid_search"}
    assert len(PARTS) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), "30", "2"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
    code = path.read_text("utf-8")
    assert len(code.splitlines()) <= 60
    assert code.startswith('"""')


@pytest.mark.slow
def test_the_readme_runs_from_top_to_bottom(tmp_path):
    script = tmp_path / "readme.py"
    script.write_text("\n".join(PARTS), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_first_commands_are_the_makefiles():
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.search(r"```(?:bash|sh|console)\n(.*?)```", readme, re.DOTALL)[1]
    assert "make demo" in first
    assert "make test" in first
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "check"} <= set(targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
