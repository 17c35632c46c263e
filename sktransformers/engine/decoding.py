"""Text from a causal language model: many rows at once, with a cache of keys and values."""

from dataclasses import dataclass

import numpy as np
import torch

from ..output_layer import only_at
from .device import autocast
from .parts import does_not_fit, give_back, named_if_alone, tell_of_parts

__all__ = ["Sampling", "decode", "row_generators"]

_LARGEST = 1e30  # of a logit
_TOKENS = {"cpu": 4096}  # of prompts and of what is to come, in a batch


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen, with the meanings that ``transformers.generate`` gives them.

    Parameters
    ----------
    temperature : float
        0 takes the most probable token.
    top_k : int or None
    top_p : float or None
    repetition_penalty : float
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0

    def choose(self, logits, seen, generators):
        """Choose a token for each row.

        Parameters
        ----------
        logits : Tensor of shape (n_rows, vocab_size)
        seen : Tensor of shape (n_rows, vocab_size), bool, or None
            Tokens that are in the row already; for the penalty.
        generators : list of Generator
            One a row, so that what a row draws depends on it alone.

        Returns
        -------
        ndarray of shape (n_rows,), int
        """
        if self.repetition_penalty != 1.0:
            # Keskar et al., 2019, arXiv:1909.05858
            penalty = torch.where(
                logits < 0, logits * self.repetition_penalty, logits / self.repetition_penalty
            )
            logits = torch.where(seen, penalty, logits).clamp(-_LARGEST, _LARGEST)
        if self.temperature == 0:
            return logits.argmax(dim=-1).cpu().numpy()
        logits = logits.double()
        # From the largest down: of a tiny temperature all others become minus infinity.
        logits = (logits - logits.amax(dim=-1, keepdim=True)) / self.temperature
        ordered, tokens = logits.sort(dim=-1, descending=True, stable=True)
        kept = torch.ones_like(ordered, dtype=torch.bool)
        if self.top_k is not None:
            kept[:, self.top_k :] = False
        if self.top_p is not None:
            # The fewest tokens that reach top_p together (Holtzman et al., 2019, arXiv:1904.09751).
            shares = ordered.masked_fill(~kept, -torch.inf).softmax(dim=-1)
            kept &= shares.cumsum(dim=-1) - shares < self.top_p
        shares = ordered.masked_fill(~kept, -torch.inf).softmax(dim=-1).cumsum(dim=-1)
        luck = torch.tensor([g.random() for g in generators], dtype=shares.dtype)
        luck = luck.to(shares.device)[:, None] * shares[:, -1:]
        place = torch.searchsorted(shares, luck, right=True).clamp(max=shares.shape[1] - 1)
        return tokens.gather(1, place)[:, 0].cpu().numpy()


def row_generators(seed, prompts):
    """A random stream for each row, from the seed, its prompt and how often that came before.

    Parameters
    ----------
    seed : int
    prompts : list of ndarray of int
        Token ids.
    """
    seen, generators = {}, []
    for ids in prompts:
        key = tuple(np.asarray(ids).tolist())
        count = seen[key] = seen.get(key, -1) + 1
        generators.append(np.random.default_rng([seed, count, len(key), *key]))
    return generators


def decode(model, prompts, *, limits, sampling, ends, pad_id, precision, generators, is_done=None):
    """Yield the tokens of rows step by step, rows of like length together.

    Parameters
    ----------
    model : PreTrainedModel
    prompts : list of ndarray of int
        Token ids, at least one each.
    limits : list of int
        The most tokens to add to each row.
    sampling : Sampling
    ends : set of int
        Tokens that end a row; they are not part of it.
    pad_id : int
    precision : str
    generators : list of Generator
        One a row.
    is_done : callable, default=None
        Of a row's number and its tokens so far: whether it is finished.

    Yields
    ------
    row : int
    token : int
        In the order of rows only within a row.
    """
    lengths = np.array([len(ids) for ids in prompts])
    order = np.argsort(-lengths, kind="stable")
    most = _TOKENS.get(model.device.type, 65536)
    state = _State(prompts, limits, generators)
    settings = (sampling, ends, pad_id, precision, is_done)
    start = 0
    while start < len(order):
        size = max(1, most // int(lengths[order[start]] + limits[order[start]]))
        yield from _decode_fitting(model, state, order[start : start + size].tolist(), *settings)
        start += size


@dataclass
class _State:
    """How far rows are."""

    prompts: list
    limits: list
    generators: list

    def __post_init__(self):
        self.found = [[] for _ in self.prompts]
        self.finished, self.told = set(), False

    def read(self, row):
        """All tokens of a row so far, its prompt's first."""
        return np.concatenate([self.prompts[row], np.array(self.found[row], dtype=np.int64)])


def _decode_fitting(model, state, rows, *settings):
    """Rows side by side; where they do not fit into memory, one half after the other."""
    fits = True
    try:
        yield from _decode_batch(model, state, rows, *settings)
    except (RuntimeError, MemoryError) as error:
        if not does_not_fit(error) or len(rows) == 1:
            raise
        fits = False
    if fits:
        return
    give_back(model.device)
    left = [row for row in rows if row not in state.finished]
    half = -(-len(rows) // 2)
    if not state.told:
        state.told = True
        tell_of_parts(len(rows), half)
    for start in range(0, len(left), half):
        yield from _decode_fitting(model, state, left[start : start + half], *settings)


def _decode_batch(model, state, rows, sampling, ends, pad_id, precision, is_done):
    """Rows side by side, padded on the left; those that end leave the batch."""
    from transformers.cache_utils import DynamicCache

    prompts = [state.read(row) for row in rows]
    device, width = model.device, max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad_id)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for place, prompt in enumerate(prompts):
        ids[place, width - len(prompt) :] = torch.as_tensor(prompt)
        mask[place, width - len(prompt) :] = 1
    ids, mask = ids.to(device), mask.to(device)
    seen = None
    if sampling.repetition_penalty != 1.0:
        seen = torch.zeros(len(prompts), model.config.vocab_size, dtype=torch.bool, device=device)
        for place, prompt in enumerate(prompts):
            seen[place, torch.as_tensor(prompt, device=device)] = True
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    alive = np.array(rows)
    while True:
        with named_if_alone({"input_ids": ids, "attention_mask": mask[:, -ids.shape[1] :]}):
            logits = _last_logits(model, ids, mask, positions, cache, precision)
        chosen = sampling.choose(logits, seen, [state.generators[row] for row in alive])
        stays = np.ones(len(alive), dtype=bool)
        for i, (row, token) in enumerate(zip(alive.tolist(), chosen.tolist())):
            found = state.found[row]
            if token not in ends:
                found.append(token)
                yield row, token
            is_full = len(found) == state.limits[row]
            if token in ends or is_full or (is_done is not None and is_done(row, found)):
                stays[i] = False
                state.finished.add(row)
        if not stays.any():
            return
        kept = torch.from_numpy(np.flatnonzero(stays)).to(device)
        ids = torch.from_numpy(chosen).to(device)[kept][:, None]
        if not stays.all():
            cache.batch_select_indices(kept)
            mask, positions = mask[kept], positions[kept]
            seen = None if seen is None else seen[kept]
            alive = alive[stays]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions[:, -1:] + 1
        if seen is not None:
            seen = seen.scatter(1, ids, True)


def _last_logits(model, ids, mask, positions, cache, precision):
    """Logits of each row's next token: Tensor of shape (n_rows, vocab_size), float32 or better."""
    last = torch.zeros(ids.shape, dtype=torch.bool, device=ids.device)
    last[:, -1] = True
    with torch.no_grad(), autocast(precision, model.device), only_at(last):
        return model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).logits
