"""Masked words: which tokens are hidden in a batch, and what is put in their place."""

from dataclasses import dataclass

import numpy as np
import torch

from .batching import TrainingData, pad

__all__ = ["MaskedData", "Masker"]

_MARKS = (("##", True), ("\u0120", False), ("\u2581", False))  # of pieces that go on, or begin


@dataclass(frozen=True)
class Masker:
    """What must be known of a tokenizer to hide words.

    Parameters
    ----------
    probability : float
        How likely a word is to be hidden.
    mask_id : int
    ordinary : ndarray of int
        Ids of the tokens that are no special ones.
    is_special, goes_on : ndarray of shape (vocab_size,), bool
        Which tokens are special ones; which are no beginning of a word.
    """

    probability: float
    mask_id: int
    ordinary: np.ndarray
    is_special: np.ndarray
    goes_on: np.ndarray

    @classmethod
    def of(cls, tokenizer, probability):
        """Learn the vocabulary of a tokenizer."""
        if tokenizer.mask_token_id is None:
            raise ValueError(
                "model must have a tokenizer with a mask token, but this one has none. Use an "
                "encoder that was trained on masked words, such as BERT or RoBERTa."
            )
        vocabulary = tokenizer.get_vocab()
        size = max(vocabulary.values()) + 1
        is_special = np.zeros(size, dtype=bool)
        is_special[tokenizer.all_special_ids] = True
        if tokenizer.unk_token_id is not None:
            is_special[tokenizer.unk_token_id] = False  # it stands for a word of the text
        goes_on = np.zeros(size, dtype=bool)
        for mark, marks_going_on in _MARKS:
            marked = [i for token, i in vocabulary.items() if token.startswith(mark)]
            if len(marked) > len(vocabulary) / 100:
                goes_on[:] = not marks_going_on
                goes_on[marked] = marks_going_on
                break
        known = np.array(sorted(vocabulary.values()))
        ordinary = known[~is_special[known] & (known != tokenizer.unk_token_id)]
        if len(ordinary) == 0:
            raise ValueError(
                "X must hold words to learn a vocabulary from, but there are none in it. Pass "
                "texts that are not empty."
            )
        return cls(probability, tokenizer.mask_token_id, ordinary, is_special, goes_on)

    def eligible(self, inputs):
        """Tokens that may be hidden: ndarray of shape (n_rows, width), bool."""
        ids = inputs["input_ids"].numpy()
        return (inputs["attention_mask"].numpy() > 0) & ~self.is_special[ids]

    def draw(self, ids, eligible, rng):
        """Draw the tokens to hide: whole words, at least one in each row that has some.

        Parameters
        ----------
        ids : ndarray of shape (n_rows, width), int
        eligible : ndarray of shape (n_rows, width), bool
        rng : Generator

        Returns
        -------
        ndarray of shape (n_rows, width), bool
        """
        before = np.pad(eligible[:, :-1], ((0, 0), (1, 0)))
        begins = eligible & (~self.goes_on[ids] | ~before)
        word = np.cumsum(begins, axis=1) - 1
        n_words = begins.sum(axis=1)
        luck = rng.random((len(ids), max(1, n_words.max())))
        luck[np.arange(luck.shape[1]) >= n_words[:, None]] = 2.0
        chosen = luck < self.probability
        some = n_words > 0
        chosen[some, luck[some].argmin(axis=1)] = True
        return eligible & np.take_along_axis(chosen, word.clip(min=0), axis=1)

    def hide(self, ids, hidden, rng):
        """Replace hidden tokens: 80 % by the mask, 10 % by any token, 10 % stay.

        That is BERT's rule (Devlin et al., 2018, arXiv:1810.04805): a model that only ever learnt
        at masks would be lost where there are none.
        """
        luck, anything = rng.random(ids.shape), rng.choice(self.ordinary, ids.shape)
        found = np.where(hidden & (luck < 0.8), self.mask_id, ids)
        return np.where(hidden & (luck >= 0.9), anything, found)


class MaskedData(TrainingData):
    """Training data whose words are hidden anew each time that they are drawn.

    Parameters
    ----------
    examples : Examples
        Blocks of text, or pairs.
    targets : ndarray of shape (n_examples,), int, or None
        Of pairs: 0 where the second text follows the first, 1 where it does not.
    weights : ndarray of shape (n_examples,) or None
    pad_id : int
    masker : Masker
    seed : int
    """

    has_row_outputs = False

    def __init__(self, examples, targets, weights, pad_id, masker, seed):
        known = np.zeros(len(examples), dtype=np.int64) if targets is None else targets
        super().__init__(examples, known, weights, pad_id, torch.from_numpy)
        self.masker = masker
        self.of_pairs = targets is not None
        self.seed = seed
        self.start_again()

    def start_again(self):
        """Draw the same words again from here on."""
        self.rng = np.random.default_rng(self.seed)

    def state(self):
        """Where the generator is that hides words."""
        return self.rng.bit_generator.state

    def go_on(self, state):
        """Hide the words that would have been hidden after a state."""
        self.rng.bit_generator.state = state

    def __getitems__(self, rows):
        rows = np.asarray(rows)
        inputs = pad(self.examples, rows, self.pad_id)
        ids = inputs["input_ids"].numpy()
        hidden = self.masker.draw(ids, self.masker.eligible(inputs), self.rng)
        inputs["input_ids"] = torch.from_numpy(self.masker.hide(ids, hidden, self.rng))
        inputs["hidden"] = torch.from_numpy(hidden)
        of_rows = self.weights[rows]
        labels = {"words": torch.from_numpy(ids[hidden])}
        weights = {"words": torch.from_numpy(of_rows[np.nonzero(hidden)[0]])}
        if self.of_pairs:
            labels["next"] = self.collate(self.targets[rows])
            weights["next"] = torch.from_numpy(of_rows)
        return inputs, labels, weights
