"""The README and the examples, run as they stand, on a few rows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARTS = {
    page: re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL) for page in PAGES
}


def test_there_is_something_to_run():
    assert {p.stem for p in EXAMPLES} >= {"demo", "quickstart", "pandas_workflow", "grid_search"}
    assert sum(len(parts) >= 3 for parts in PARTS.values()) >= 2


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
@pytest.mark.parametrize("page", [page for page in PAGES if PARTS[page]], ids=lambda p: p.stem)
def test_a_page_runs_from_top_to_bottom(page, tmp_path):
    script = tmp_path / "page.py"
    script.write_text("\n".join(PARTS[page]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    assert links
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_first_commands_are_the_makefiles():
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.search(r"```(?:bash|sh|console)\n(.*?)```", readme, re.DOTALL)[1]
    assert "make demo" in first
    assert "make test" in first
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "check"} <= set(targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
