"""Real data that are on any machine: nothing is downloaded, and nothing is shipped."""

from .code_tokens import load_code_tokens
from .docstrings import load_docstrings

__all__ = ["load_code_tokens", "load_docstrings"]
