"""Where the source files of installed libraries are."""

import sysconfig
from importlib.util import find_spec
from pathlib import Path

__all__ = ["source_files"]

_SKIPPED_FOLDERS = {
    "tests",
    "test",
    "testing",
    "_vendor",
    "externals",
    "site-packages",
    "idlelib",
    "lib2to3",
}


def source_files(library, asked_by):
    """Find a library's source files, without importing it; tests and vendored code are left out.

    Parameters
    ----------
    library : str
        "python" is the standard library.
    asked_by : str
        The function that the message of a missing library names.

    Yields
    ------
    file : Path
    module : str
        Its dotted name within the library.
    """
    top = _folder(library, asked_by)
    for file in sorted(top.rglob("*.py")):
        inside = file.relative_to(top)
        if _SKIPPED_FOLDERS.isdisjoint(inside.parts[:-1]) and not inside.name.startswith("test_"):
            yield file, ".".join(inside.with_suffix("").parts).removesuffix("__init__").strip(".")


def _folder(library, asked_by):
    if library == "python":
        return Path(sysconfig.get_paths()["stdlib"])
    spec = find_spec(library)
    if spec is None:
        raise ModuleNotFoundError(
            f"{asked_by} reads the sources of {library}, which is not installed."
        )
    return Path(spec.submodule_search_locations[0])
