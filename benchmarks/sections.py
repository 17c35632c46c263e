"""Pages of results, one section a script: each replaces its own and leaves the others."""

import os
import platform
import re
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
