"""Prompts and completions as tokens and back: what stands before, between and behind texts."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import TruncationWarning, warn_caller
from .blocks import Blocks, shared_size
from .pieces import Frame, pieces

__all__ = ["Writing"]

_NEAR = 16  # tokens of a prompt that tell how the next ones are to be read


@dataclass(frozen=True)
class Writing:
    """How a decoder's texts become tokens, and its tokens text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    longest : int
        Tokens that the model reads at once.
    ends : list of int
        The marks that end a text; the first one is written in training.
    stops : list of str
        What ends a completion.
    window : int or None
        Tokens that one can look back over, if not all.
    """

    tokenizer: Any
    longest: int
    ends: list
    stops: list
    window: int | None = None

    @property
    def bos(self):
        """What the tokenizer itself puts before a text."""
        return Frame.of(self.tokenizer).before

    @property
    def begin(self):
        """What stands before a text: BOS; without one the end mark of the text before."""
        return self.bos or self.ends[:1]

    @property
    def pad_id(self):
        """What fills batches; it is masked, and may be any token."""
        pad = self.tokenizer.pad_token_id
        return (self.ends or [0])[0] if pad is None else pad

    def encode(self, prompts, rooms):
        """Token ids of prompts; of those longer than their room the beginning is left out.

        Parameters
        ----------
        prompts : Prompts
        rooms : list of int

        Returns
        -------
        list of list of int
        """
        before = self.bos
        if prompts.are_messages:
            found = self._of_messages(prompts.rows)
        else:
            found = [before + ids or self.begin for ids in pieces(self.tokenizer, prompts.rows)]
        n_cut = sum(len(ids) > room for ids, room in zip(found, rooms))
        if n_cut:
            warn_caller(
                f"{n_cut} of {len(found)} texts ({n_cut / len(found):.1%}) leave no room in "
                f"max_length={self.longest} tokens for what follows them: their beginnings were "
                "not read. Shorten them, or what follows.",
                TruncationWarning,
            )
        return [
            ids if len(ids) <= room else _last(ids, room, before) for ids, room in zip(found, rooms)
        ]

    def _of_messages(self, rows):
        if getattr(self.tokenizer, "chat_template", None) is None:
            raise ValueError(
                "X must hold texts, for this model's tokenizer has no chat template, but it holds "
                "messages. Pass texts, or use a model that was trained on chats."
            )
        return [
            self.tokenizer.apply_chat_template(
                row, add_generation_prompt=True, tokenize=True, return_dict=False
            )
            for row in rows
        ]

    def blocks(self, prompts, *, training):
        """Rows as blocks of tokens, each with the first one that is predicted.

        Parameters
        ----------
        prompts : Prompts
            Texts, or prompts with completions.
        training : bool
            Short texts share blocks, and texts end with a mark. Where the tokenizer has no BOS
            every second one begins with that mark too: ``predict`` goes on from words alone,
            ``sample`` from the mark.
        """
        if prompts.completions is None:
            after = self.ends[:1] if training else []
            texts = []
            for row, ids in enumerate(pieces(self.tokenizer, prompts.rows)):
                before = self.begin if training and row % 2 else self.bos
                texts.append((before + ids + after, max(1, len(before))))
        else:
            completions = [ids + self.ends[:1] for ids in self._goes_on(prompts.completions)]
            rooms = [max(1, self.longest - len(ids)) for ids in completions]
            firsts = self.encode(prompts, rooms)
            texts = [(first + ids, len(first)) for first, ids in zip(firsts, completions)]
        share = training and (self.window is None or self.window >= shared_size(self.longest))
        return Blocks.of(texts, self.longest, overlap=not training, share=share)

    def _goes_on(self, texts):
        """Piece ids of texts that stand behind others.

        Some tokenizers put a space before all that they read: there a line feed is read first,
        and taken away.
        """
        (alone,), (feed,), (both,) = (pieces(self.tokenizer, [t]) for t in ("a", "\n", "\na"))
        spaced = self.tokenizer.decode(alone + alone) != "aa"
        if not spaced or both[: len(feed)] != feed:
            return pieces(self.tokenizer, texts)
        found = pieces(self.tokenizer, ["\n" + text for text in texts])
        return [
            ids[len(feed) :] if ids[: len(feed)] == feed else own
            for ids, own in zip(found, pieces(self.tokenizer, texts))
        ]

    def n_predicted(self, texts):
        """Characters of texts whose tokens are predicted: without BOS not those of the first."""
        counts = np.array([len(text) for text in texts])
        if self.bos:
            return counts
        firsts = [ids[:1] for ids in pieces(self.tokenizer, texts)]
        return counts - [len(self.tokenizer.decode(ids)) for ids in firsts]

    def text(self, prompt, tokens):
        """What tokens add to a prompt: with the space between, which some tokenizers leave out."""
        told = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        near = list(prompt)[-_NEAR:]
        before = self.tokenizer.decode(near, **told)
        whole = self.tokenizer.decode(near + list(tokens), **told)
        if whole.startswith(before):
            return whole[len(before) :]
        return self.tokenizer.decode(tokens, **told)

    def cut(self, text):
        """A text before the first stop, and whether there was one."""
        places = [text.find(stop) for stop in self.stops if stop and stop in text]
        return (text[: min(places)], True) if places else (text, False)

    def is_open(self, token):
        """Whether a token is one byte of a character, as some tokenizers write rare ones."""
        return re.fullmatch("<0x[0-9A-F]{2}>", self.tokenizer.convert_ids_to_tokens(token))

    def unsure(self, text):
        """How many characters at the end the next tokens may change, or show to be a stop."""
        unsure = len(text) - len(text.rstrip("\ufffd"))
        for stop in self.stops:
            starts = [n for n in range(1, len(stop)) if text.endswith(stop[:n])]
            unsure = max([unsure, *starts])
        return unsure


def _last(ids, room, before):
    """The last tokens of a prompt, behind what stands before every text."""
    kept = before if len(before) < room else []
    return kept + ids[len(ids) - (room - len(kept)) :]
