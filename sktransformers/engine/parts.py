"""Batches that do not fit into memory, computed in parts."""

import gc
import sys
from contextlib import contextmanager

import torch

from ..exceptions import warn_caller

__all__ = [
    "Fitting",
    "RowTooLargeError",
    "does_not_fit",
    "give_back",
    "in_parts",
    "named_if_alone",
    "parts_of",
    "tell_of_parts",
    "told_by_text",
]

_SIGNS = (
    "can't allocate memory",  # torch's allocator on a CPU
    "not enough memory",  # the same on Windows
    "out of memory",  # CUDA's libraries, MPS
    "bad_alloc",
    "could not create a memory",  # oneDNN
)
_WHOLE_SIGN = "could not create a primitive"  # oneDNN too; of what it cannot do it says more


class RowTooLargeError(MemoryError):
    """A row does not fit into memory even alone.

    Parameters
    ----------
    inputs : dict of Tensor
        Of the batch that the row is in. It is the longest one: the others are as wide as it.
    """

    def __init__(self, inputs):
        mask = inputs["attention_mask"].cpu().numpy()  # sums that take no memory to speak of
        longest = mask.sum(axis=1).argmax()
        self.ids = inputs["input_ids"][int(longest)].cpu().numpy()[mask[longest] > 0].tolist()
        super().__init__(self.told(""))

    def told(self, which):
        """The sentence, with more words on the row."""
        return (
            "A row must fit into memory by itself, but one of "
            f"{len(self.ids):,} tokens{which} does not. "
            "Use a smaller max_length, a smaller model or a machine with more memory."
        )


@contextmanager
def told_by_text(estimator):
    """Let the error of a row that is too large tell how its text begins."""
    try:
        yield
    except RowTooLargeError as error:
        begins = estimator.tokenizer_.decode(error.ids[:20], skip_special_tokens=True)[:60]
        raise MemoryError(error.told(f", which begins with {begins!r},")) from error


def does_not_fit(error):
    """Whether an error says that the memory does not suffice."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return not isinstance(error, RowTooLargeError)
    told = str(error).lower()
    has_sign = told == _WHOLE_SIGN or any(sign in told for sign in _SIGNS)
    return isinstance(error, RuntimeError) and has_sign


@contextmanager
def named_if_alone(inputs, batch=None):
    """Where a single row does not fit, say so; ``batch`` is what it was cut from."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if len(inputs["input_ids"]) > 1 or not does_not_fit(error):
            raise
        raise RowTooLargeError(batch or inputs) from error


def in_parts(compute, inputs, size):
    """Compute rows side by side, or where they do not fit one part after the other.

    Parameters
    ----------
    compute : callable
        Of inputs; gives a tensor that goes with their rows, or a dict of such.
    inputs : dict of Tensor
        Of shape (n_rows, ...).
    size : int
        Rows in a part, to begin with.

    Returns
    -------
    outputs : Tensor or dict of Tensor
    size : int
        Rows in a part that did fit.

    Raises
    ------
    MemoryError
        If a row does not fit alone.
    """
    n_rows = len(inputs["input_ids"])
    while True:
        done = []
        for start in range(0, n_rows, size):
            part = _rows(inputs, slice(start, start + size))
            try:
                with named_if_alone(part):
                    done.append(compute(part))
            except (RuntimeError, MemoryError) as error:
                if not does_not_fit(error):
                    raise
                break
        else:
            return _joined(done), size
        del done, part  # outside of the except block, which holds on to its tensors
        give_back(inputs["input_ids"].device)
        size = -(-size // 2)


class Fitting:
    """What fits into memory, learnt from the batches of one piece of work."""

    def __init__(self):
        self._tokens = sys.maxsize  # padded ones, side by side

    def __call__(self, compute, inputs):
        """Compute a batch whole, or in parts as large as what did fit; say so the first time.

        Parameters
        ----------
        compute, inputs
            As ``in_parts`` takes them.

        Returns
        -------
        Tensor or dict of Tensor
        """
        n_rows, width = inputs["input_ids"].shape
        size = min(n_rows, max(1, self._tokens // width))
        outputs, fits = in_parts(compute, inputs, size)
        if fits < size:
            if self._tokens == sys.maxsize:
                tell_of_parts(n_rows, fits)
            self._tokens = fits * width
        return outputs


def _joined(parts):
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], dict):
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}
    return torch.cat(parts)


def parts_of(batch, size):
    """Cut a training batch into parts whose losses add up to that of the whole.

    Losses are sums over their terms, each times its weight, divided by the number of terms: so the
    weights of a part are scaled by its share of the terms.

    Parameters
    ----------
    batch : tuple
        Inputs as a dict of tensors of shape (n_rows, ...), labels and weights. Labels named
        "words" belong to the places that ``inputs["hidden"]`` marks, row by row.
    size : int
        Rows in a part.

    Yields
    ------
    tuple
        Inputs, labels and weights.
    """
    inputs, labels, weights = batch
    for start in range(0, len(inputs["input_ids"]), size):
        rows = slice(start, start + size)
        places = rows
        if "hidden" in inputs:
            before, own = inputs["hidden"][:start], inputs["hidden"][rows]
            places = slice(int(before.sum()), int(before.sum() + own.sum()))
        yield _rows(inputs, rows), _rows(labels, rows, places), _share(weights, rows, places)


def _rows(values, rows, of_words=None):
    """Some rows of tensors; of those named "words" other ones."""
    if isinstance(values, dict):
        return {
            name: _rows(value, of_words if of_words and name == "words" else rows, of_words)
            for name, value in values.items()
        }
    return values[rows]


def _share(weights, rows, of_words):
    if isinstance(weights, dict):
        return {
            name: _share(value, of_words if name == "words" else rows, of_words)
            for name, value in weights.items()
        }
    return weights[rows] * (len(weights[rows]) / max(1, len(weights)))


def give_back(device):
    """Free what a failed attempt has held."""
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()


def tell_of_parts(n_rows, size):
    """Say once what was done."""
    warn_caller(
        f"The memory does not suffice for {n_rows} rows side by side: they are computed in parts "
        f"of {size}, with the same results but for rounding and what dropout draws."
    )
