"""Warnings and errors that a caller may want to name."""

import sys
import warnings

__all__ = ["DamagedModelError", "ModelNotFoundError", "TruncationWarning"]


class TruncationWarning(UserWarning):
    """Some texts are longer than ``max_length`` tokens and were not read to their end.

    One such warning is given per call of ``fit`` or ``predict``, with the number and the
    share of the texts concerned.

    Examples
    --------
    >>> import warnings
    >>> from sktransformers.exceptions import TruncationWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", TruncationWarning)  # refuse to lose text
    """


class ModelNotFoundError(FileNotFoundError):
    """A model is neither on this machine nor to be had from the Hub.

    The message names the ways out.
    """


class DamagedModelError(ValueError):
    """A saved model is not as it was written, or not in a format that this version reads.

    The message names the file.
    """


def warn_caller(message, category=UserWarning):
    """Warn at the line outside this package and scikit-learn that led here."""
    level, frame = 1, sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").split(".")[0] not in (
            __package__,
            "sklearn",
            "joblib",
        ):
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
