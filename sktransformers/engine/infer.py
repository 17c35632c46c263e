"""Forward passes without gradients: the one place that restores the caller's order."""

import numpy as np
import torch
from skorch.utils import to_device

from ..data.batching import batches_of_one_shape, pad
from ..data.examples import Ragged
from ..data.tokenization import tell_of_cuts, tokenise
from ..output_layer import output_layer
from .device import autocast

__all__ = ["batch_loss", "batches", "features", "forward", "infer", "infer_texts"]

# Padded tokens in a batch. On a CPU a batch need not be large to be fast, and a single row costs
# as much as a full one; a GPU is idle below some thousands.
_TOKENS = {"cpu": 512}

# Distinct texts that are tokenised and computed at once: beyond them memory does not grow.
_CHUNK = 16384


def batches(examples, device):
    """Yield the positions of examples batch by batch, and how many of them are not repeats."""
    tokens = _TOKENS.get(device.type, 16384)
    for rows, n_own in batches_of_one_shape(examples.widths, tokens):
        yield (rows if device.type == "cpu" else rows[:n_own]), n_own  # elsewhere bits differ


def forward(model, task, examples, *, precision, pad_id):
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

    Yields
    ------
    rows : ndarray of int
        Positions of the examples in the batch.
    outputs : Tensor
        What ``task.forward`` gives for them.
    """
    device = model.device
    for rows, n_own in batches(examples, device):
        inputs = {name: t.to(device) for name, t in pad(examples, rows, pad_id).items()}
        # Entered for each batch: a generator must not leave its caller in inference mode.
        with torch.inference_mode(), autocast(precision, device):
            outputs = task.forward(model, inputs)
        yield rows[:n_own], outputs[:n_own]


def infer(model, task, examples, *, precision, pad_id):
    """Compute the outputs of all rows, in their order; those of a row's windows are averaged.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs), or Ragged
        float64; vectors float32. Of token lists Ragged: of each row (n_words, n_outputs).
    """
    collected, dtype = None, np.float32 if task.averages_tokens else np.float64
    for rows, outputs in forward(model, task, examples, precision=precision, pad_id=pad_id):
        units = rows
        if examples.words is not None:
            units, outputs = _of_words(examples, rows, outputs, all_pieces=task.averages_tokens)
        batch = outputs.cpu().numpy().astype(dtype)
        if collected is None:
            collected = np.empty((examples.n_units, *batch.shape[1:]), dtype=dtype)
        collected[units] = batch
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


def infer_texts(model, task, tokenizer, texts, *, precision, max_length, stride):
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

    Returns
    -------
    ndarray of shape (n_rows, n_outputs), or Ragged
        As ``infer`` gives them.
    """
    distinct, places = texts.distinct()
    order = np.argsort(places, kind="stable")
    parts, cut, found = [], [], None
    for start in range(0, len(distinct), _CHUNK):
        some = distinct.part(start, start + _CHUNK)
        examples, of_some = tokenise(tokenizer, some, max_length, stride)
        cut.append(of_some)
        pad_id = tokenizer.pad_token_id
        part = infer(model, task, examples, precision=precision, pad_id=pad_id)
        if isinstance(part, Ragged):
            parts.append(part)
            continue
        if found is None:
            found = np.empty((len(places), *part.shape[1:]), dtype=part.dtype)
        rows = order[slice(*np.searchsorted(places[order], [start, start + len(part)]))]
        found[rows] = part[places[rows] - start]
    tell_of_cuts(np.concatenate(cut)[places], texts, max_length)
    return Ragged.concatenate(parts).take(places) if parts else found


def batch_loss(model, task, data, rows, precision):
    """Compute the loss of some rows of training data, without gradients: float."""
    inputs, labels, weights = to_device(data.__getitems__(rows), model.device)
    with torch.inference_mode(), autocast(precision, model.device):
        outputs = task.forward(model, inputs)
    return float(task.loss(outputs, labels, weights))


def features(model, task, examples, *, precision, pad_id):
    """What the output layer of a model sees of each example.

    Returns
    -------
    ndarray of shape (n_examples, n_features), float64
    """
    seen = []
    hook = output_layer(model).register_forward_pre_hook(
        lambda layer, inputs: seen.append(inputs[0].cpu().double().numpy())
    )
    try:
        rows = [
            rows for rows, _ in forward(model, task, examples, precision=precision, pad_id=pad_id)
        ]
    finally:
        hook.remove()
    own = [batch[: len(some)] for batch, some in zip(seen, rows)]
    return np.concatenate(own)[np.argsort(np.concatenate(rows))]
