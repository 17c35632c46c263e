"""What a language model says of hidden tokens, and of pairs."""

import math
from contextlib import contextmanager

import numpy as np
import torch

from ..data.batching import batches, pad
from .device import autocast, weights_cast_once
from .parts import Fitting

__all__ = ["apart", "fill", "likelihoods", "next_likelihoods"]


def fill(model, task, examples, masker, *, k, precision, pad_id):
    """Find the most probable tokens for each mask.

    Returns
    -------
    rows : ndarray of shape (n_masks,), int
    tokens, probabilities : ndarray of shape (n_masks, k)
        In the order of rows, and of masks in a row.
    """
    rows, tokens, probabilities = [], [], []
    with _forwarding(model, task, precision) as forward:
        for chosen, n_own in batches(examples, model.device):
            inputs = pad(examples, chosen, pad_id)
            hidden = inputs["input_ids"].numpy() == masker.mask_id
            hidden[n_own:] = False
            if hidden.any():
                logits = forward(inputs, hidden)["words"]
                found = _most_probable(logits, k)
                rows.append(chosen[np.nonzero(hidden)[0]])
                tokens.append(found[0])
                probabilities.append(found[1])
    if not rows:
        return np.zeros(0, dtype=int), np.zeros((0, k), dtype=int), np.zeros((0, k))
    order = np.argsort(np.concatenate(rows), kind="stable")
    return tuple(np.concatenate(parts)[order] for parts in (rows, tokens, probabilities))


def likelihoods(model, task, examples, masker, *, precision, pad_id):
    """Hide each token once, a share of them at a time, and see how likely it was.

    "Pseudo-log-likelihood" (Salazar et al., 2020, arXiv:1910.14659), but with several hidden at
    once: as many passes as make every token's share the one that the model was trained with.

    Returns
    -------
    sums : ndarray of shape (n_examples,), float64
        Of the natural logarithms of the tokens' probabilities.
    counts : ndarray of shape (n_examples,), int
    """
    sums, counts = np.zeros(len(examples)), np.zeros(len(examples), dtype=int)
    n_passes = math.ceil(1 / masker.probability)
    with _forwarding(model, task, precision) as forward:
        for chosen, n_own in batches(examples, model.device):
            inputs = pad(examples, chosen, pad_id)
            ids = inputs["input_ids"].numpy().copy()
            eligible = masker.eligible(inputs)
            eligible[n_own:] = False
            place = np.cumsum(eligible, axis=1) - 1
            for turn in range(min(n_passes, int(place.max(initial=0)) + 1)):
                hidden = eligible & (place % n_passes == turn)
                if not hidden.any():
                    continue
                inputs["input_ids"] = torch.from_numpy(np.where(hidden, masker.mask_id, ids))
                logits = forward(inputs, hidden)["words"]
                of = chosen[np.nonzero(hidden)[0]]
                np.add.at(sums, of, _log_likelihoods(logits, ids[hidden]))
            counts[chosen[:n_own]] = eligible[:n_own].sum(axis=1)
    return sums, counts


def apart(model, task, examples, *, precision, pad_id):
    """Logits of pairs, to be neighbours and to be apart: ndarray of shape (n_examples, 2)."""
    found = np.zeros((len(examples), 2))
    with _forwarding(model, task, precision) as forward:
        for chosen, n_own in batches(examples, model.device):
            inputs = pad(examples, chosen, pad_id)
            nothing = np.zeros(inputs["input_ids"].shape, dtype=bool)
            logits = forward(inputs, nothing)["next"]
            found[chosen[:n_own]] = logits[:n_own].double().cpu().numpy()
    return found


def next_likelihoods(model, task, blocks, *, n_rows, precision, pad_id):
    """How likely each row's tokens were, given those before them.

    Parameters
    ----------
    blocks : Blocks
        One text or a part of one in each.
    n_rows : int

    Returns
    -------
    sums : ndarray of shape (n_rows,), float64
        Of the natural logarithms of the tokens' probabilities.
    counts : ndarray of shape (n_rows,), int
    """
    sums, counts = np.zeros(n_rows), np.zeros(n_rows, dtype=int)
    with _forwarding(model, task, precision) as forward:
        for chosen, n_own in batches(blocks.examples, model.device):
            inputs, ids, rows = blocks.batch(chosen, pad_id)
            own = np.nonzero(inputs["hidden"].numpy())[0] < n_own
            logs = _log_likelihoods(forward(inputs, inputs["hidden"])["words"], ids)
            np.add.at(sums, rows[own], logs[own])
            np.add.at(counts, rows[own], 1)
    return sums, counts


@contextmanager
def _forwarding(model, task, precision):
    """Give a function of inputs and of which of their tokens are hidden: the outputs."""
    fitting = Fitting()

    def forward(inputs, hidden):
        given = {**inputs, "hidden": torch.as_tensor(hidden)}
        given = {name: values.to(model.device) for name, values in given.items()}
        with torch.no_grad(), autocast(precision, model.device):
            return fitting(lambda part: task.forward(model, part), given)

    with weights_cast_once():
        yield forward


def _most_probable(logits, k):
    """The k most probable tokens at each place and their probabilities, as arrays."""
    found = logits.double().softmax(dim=-1).topk(k, dim=-1)
    return found.indices.cpu().numpy(), found.values.cpu().numpy()


def _log_likelihoods(logits, ids):
    """Natural logarithm of each token's probability: ndarray of shape (n_tokens,)."""
    logs = logits.double().log_softmax(dim=-1)
    return np.asarray(logs.gather(1, torch.as_tensor(ids, device=logs.device)[:, None])[:, 0].cpu())
