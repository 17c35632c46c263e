"""Prompts and completions as tokens and back: what stands before, between and behind texts."""

from dataclasses import dataclass
from typing import Any

from ..exceptions import TruncationWarning, warn_caller
from .blocks import Blocks
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
    """

    tokenizer: Any
    longest: int
    ends: list
    stops: list

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

    def blocks(self, prompts, *, share):
        """Rows as blocks of tokens, each with the first one that is predicted.

        Parameters
        ----------
        prompts : Prompts
            Texts, or prompts with completions.
        share : bool
            For training: short texts share blocks, and texts begin and end with a mark.
        """
        if prompts.completions is None:
            before = self.begin if share else self.bos
            after = self.ends[:1] if share else []
            texts = [
                (before + ids + after, max(1, len(before)))
                for ids in pieces(self.tokenizer, prompts.rows)
            ]
            return Blocks.of(texts, self.longest, share=share)
        completions = [ids + self.ends[:1] for ids in pieces(self.tokenizer, prompts.completions)]
        rooms = [max(1, self.longest - len(ids)) for ids in completions]
        firsts = self.encode(prompts, rooms)
        texts = [(first + ids, len(first)) for first, ids in zip(firsts, completions)]
        return Blocks.of(texts, self.longest, share=share)

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
