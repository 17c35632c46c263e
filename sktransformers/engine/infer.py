"""Forward passes without gradients: the one place that restores the caller's order."""

from contextlib import nullcontext

import numpy as np
import torch
from tqdm.auto import tqdm

from ..data.batching import batches, batches_by_length, pad
from ..data.examples import Ragged
from ..data.tokenization import tell_of_cuts, tokenise
from ..output_layer import output_layer
from .device import autocast, moved, weights_cast_once
from .lean import lean
from .parts import Fitting, in_parts
from .shapes import FEW, least
from .states import above_store

__all__ = ["are_finite", "batch_loss", "features", "forward", "infer", "infer_texts"]

# Distinct texts that are tokenised and computed at once: beyond them memory does not grow.
_CHUNK = 16384


def forward(model, task, examples, *, precision, pad_id, sparing=False, batches=batches):
    """Yield rows and their outputs, batch by batch, longest first.

    A batch's shape depends on the width of its rows alone, so that no row's output depends on the
    others: on a CPU to the bit.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode, on its device.
    task : Task
    examples : Examples
    precision : str
        As ``choose_precision`` names it.
    pad_id : int
    sparing : bool, default=False
        Whether it is worth finding out how little can be computed.
    batches : callable, default=batches
        Gives the rows of each batch. Others than the default are for rows that are used together.

    Yields
    ------
    rows : ndarray of int
        Positions of the examples in the batch.
    outputs : Tensor
        What ``task.forward`` gives for them.
    """
    device, fitting = model.device, Fitting()
    sparing = sparing and examples.states is None
    # For one text a millisecond less. What a model makes in it would be of no use to gradients:
    # fits start from copies, and are not sparing. Autocast blocks share no weights in it.
    without_gradients = torch.inference_mode if sparing else torch.no_grad

    def lay(rows):
        return moved(pad(examples, rows, pad_id), device)

    def compute(inputs):
        # Entered for each batch: a generator must not leave its caller in inference mode.
        with without_gradients(), autocast(precision, device):
            return task.forward(model, inputs)

    with weights_cast_once():
        for rows, n_own in batches(examples, device):
            laid = least(model, task, rows, n_own, lay, precision) if sparing else lay(rows)
            yield rows[:n_own], fitting(compute, laid)[:n_own]


def infer(model, task, examples, *, precision, pad_id, bar=None, sparing=True):
    """Compute the outputs of all rows, in their order; those of a row's windows are averaged.

    Parameters
    ----------
    model, task, examples, precision, pad_id
        As ``forward`` takes them.
    bar : tqdm, default=None
        Moved on by the rows that are done.
    sparing : bool, default=True
        Whether it may be found out how little can be computed for a few rows.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs), or Ragged
        float64; vectors float32. Of token lists Ragged: of each row (n_words, n_outputs).
    """
    collected, dtype = None, np.float32 if task.averages_tokens else np.float64
    done = 0
    sparing = sparing and len(examples) <= FEW
    settings = {"precision": precision, "pad_id": pad_id, "sparing": sparing}
    for rows, outputs in forward(model, task, examples, **settings):
        units = rows
        if examples.words is not None:
            units, outputs = _of_words(examples, rows, outputs, all_pieces=task.averages_tokens)
        batch = outputs.cpu().numpy().astype(dtype)
        if collected is None:
            collected = np.empty((examples.n_units, *batch.shape[1:]), dtype=dtype)
        collected[units] = batch
        if bar is not None:
            # Whole rows, however many windows each has: sums of fractions end beside the total.
            before, done = done, done + len(rows)
            of = len(examples)
            bar.update(done * examples.n_rows // of - before * examples.n_rows // of)
    return examples.per_row(collected, by_length=task.averages_tokens)


def _of_words(examples, rows, outputs, *, all_pieces):
    """The words in some examples, and the outputs of their first pieces or the mean of all."""
    words, which, positions = examples.words_in(rows)
    if not all_pieces:
        return words, outputs[torch.from_numpy(which), torch.from_numpy(positions)]
    sizes = (examples.words.stops - examples.words.starts)[words]
    word = np.repeat(np.arange(len(words)), sizes)
    piece = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + positions[word]
    of_pieces = outputs[torch.from_numpy(which[word]), torch.from_numpy(piece)]
    sums = of_pieces.new_zeros(len(words), outputs.shape[-1])
    sums.index_add_(0, torch.from_numpy(word).to(outputs.device), of_pieces)
    return words, sums / torch.from_numpy(sizes).to(outputs.device)[:, None]


def infer_texts(
    model,
    task,
    tokenizer,
    texts,
    *,
    precision,
    max_length,
    stride,
    frozen=None,
    memory=None,
    verbose=0,
):
    """Compute the outputs of texts, or of token lists, equal ones once.

    Parameters
    ----------
    model : PreTrainedModel
    task : Task
    tokenizer : PreTrainedTokenizerBase
    texts : Texts or TokenLists
    precision : str
    max_length, stride : int, int or None
        As ``tokenise`` takes them.
    frozen : int, "backbone", "all" or None
        The layers whose states are looked for, and kept, in ``memory``.
    memory : path or None
    verbose : int, default=0
        1 shows a progress bar of distinct texts.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs), or Ragged
        As ``infer`` gives them.
    """
    distinct, places = texts.distinct()
    parts, cut, found = [], [], None
    pad_id = tokenizer.pad_token_id
    above = above_store(model, task, frozen, precision, memory, pad_id)
    # A bar comes on the error stream, and only where it takes more than a moment.
    told = {"total": len(distinct), "unit": "text", "delay": 1, "leave": False}
    with tqdm(**told) if verbose else nullcontext() as bar:
        for start in range(0, len(distinct), _CHUNK):
            some = distinct.part(start, start + _CHUNK)
            examples, of_some = tokenise(tokenizer, some, max_length, stride)
            cut.append(of_some)
            *upper, examples = above(examples)
            part = infer(*upper, examples, precision=precision, pad_id=pad_id, bar=bar)
            if examples.states is not None:
                examples.states.close()
            if isinstance(part, Ragged):
                parts.append(part)
                continue
            if found is None:
                found = np.empty((len(places), *part.shape[1:]), dtype=part.dtype)
            rows = np.flatnonzero((places >= start) & (places < start + len(part)))
            found[rows] = part[places[rows] - start]
    tell_of_cuts(np.concatenate(cut)[places], texts, max_length)
    return Ragged.concatenate(parts).take(places) if parts else found


def batch_loss(model, task, data, rows, precision):
    """Compute the loss of some rows of training data, without gradients: float."""
    inputs, labels, weights = moved(data.__getitems__(rows), model.device)
    with torch.inference_mode(), autocast(precision, model.device):
        outputs, _ = in_parts(lambda part: task.forward(model, part), inputs, len(rows))
    return float(task.loss(outputs, labels, weights))


def are_finite(model, task, examples, *, precision, pad_id):
    """Whether the model's outputs of some examples are numbers."""
    settings = {"precision": precision, "pad_id": pad_id, "batches": batches_by_length}
    found = (outputs for _, outputs in forward(model, task, examples, **settings))
    return all(bool(torch.isfinite(outputs).all()) for outputs in found)


class _Features:
    """A task whose outputs are what its output layer sees."""

    def __init__(self, task):
        self.task = task

    def forward(self, model, inputs):
        seen = []
        with lean(model):
            hook = output_layer(model).register_forward_pre_hook(
                lambda layer, given: seen.append(given[0])
            )
            try:
                self.task.forward(model, inputs)
            finally:
                hook.remove()
        return seen[-1]  # before it the model may have been tried on some of the rows


def features(model, task, examples, *, precision, pad_id):
    """What the output layer of a model sees of each example.

    Returns
    -------
    ndarray of shape (n_examples, n_features), float64
    """
    found, places = [], []
    settings = {"precision": precision, "pad_id": pad_id, "batches": batches_by_length}
    for rows, seen in forward(model, _Features(task), examples, **settings):
        found.append(seen.cpu().double().numpy())
        places.append(rows)
    return np.concatenate(found)[np.argsort(np.concatenate(places))]
