"""Choosing one of several options: by a letter that a chat model writes, or by how likely a model finds each option."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from persona_memory.budget import counter_for, estimate
from persona_memory.errors import InvalidInput
from persona_memory.evaluation.calls import answered, reply
from persona_memory.evaluation.local_lm import LocalLM, load
from persona_memory.evaluation.settings import Settings
from persona_memory.protocols import TokenCounter

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Messages = Sequence[Mapping[str, str]]
"""A conversation: {"role": "system" | "user" | "assistant", "content": …}, the question last."""

ASK_FOR_LETTER = """\
{question}

{options}

Answer with the letter of the best option and nothing else."""
"""What a chat model is asked."""

CHAT_WINDOW = 32_000
"""Tokens of history that a chat model is shown at most; its own window is not known here."""

_WAYS_OUT = "use --by letter, or a local model with --local FOLDER"
_LETTER = re.compile(r"(?<![A-Za-z])\(?([A-Za-z])\)?(?![A-Za-z'’])")
_ANSWER = re.compile(r"\b(?:answer|option|choice)\b\W*(?:is\b)?\W*\(?([A-Za-z])\)?(?![A-Za-z'’])", re.IGNORECASE)


class Chooser(Protocol):
    """Chooses one of the options as the reply to a conversation."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def how(self) -> str:
        """How it chooses, for the report."""

    @property
    def window(self) -> int:
        """Tokens that it reads at most."""

    @property
    def count(self) -> TokenCounter:
        """Counts tokens as it reads them."""

    @property
    def reader(self) -> Any:
        """What `PersonaMemory.open` takes as `reader`, to keep its budget in this model's tokens."""

    def choose(self, messages: Messages, options: Sequence[str]) -> int | None:
        """The option's place from 0; None where the answer names none of them."""


@dataclass(frozen=True, slots=True)
class LetterChooser:
    """Any chat model: the options are listed with letters, and it writes one of them."""

    model: BaseChatModel
    name: str
    how: str = "by the letter that it writes"
    window: int = CHAT_WINDOW
    count: TokenCounter = estimate

    @property
    def reader(self) -> Any:
        """The chat model."""
        return self.model

    def choose(self, messages: Messages, options: Sequence[str]) -> int | None:
        """The place of the letter that the reply names."""
        return letter_in(reply(self.model, _lettered(messages, options)), len(options))


@dataclass(frozen=True, slots=True)
class LetterProbabilityChooser:
    """A chat model that tells log-probabilities (`logprobs=True`, as OpenAI-style servers do): the likeliest letter."""

    model: BaseChatModel
    name: str
    how: str = "by the likeliest letter"
    window: int = CHAT_WINDOW
    count: TokenCounter = estimate

    @property
    def reader(self) -> Any:
        """The chat model."""
        return self.model

    def choose(self, messages: Messages, options: Sequence[str]) -> int | None:
        """The place of the likeliest letter as the reply's first token.

        Raises:
            InvalidInput: the model tells no log-probabilities.
        """
        first = _first_token(self.model, _lettered(messages, options))
        if first is None:
            raise InvalidInput(f"the model {self.name!r} tells no log-probabilities; {_WAYS_OUT}")
        scores = [_best(first.get("top_logprobs") or [first], letter) for letter in _letters(len(options))]
        best = max(scores)
        return scores.index(best) if best > -math.inf else None


@dataclass(frozen=True, slots=True)
class LikelihoodChooser:
    """A local causal language model: the option whose tokens it finds likeliest as the reply, on average per token."""

    lm: LocalLM
    name: str
    listed: bool = False
    how: str = "by the option that it finds likeliest, per token"

    @property
    def reader(self) -> Any:
        """The model's tokenizer."""
        return self.lm.tokenizer

    @property
    def window(self) -> int:
        """The model's own window."""
        return self.lm.window

    @property
    def count(self) -> TokenCounter:
        """The model's own tokenizer."""
        return self.lm.count

    def choose(self, messages: Messages, options: Sequence[str]) -> int | None:
        """The place of the option with the highest log-likelihood per token; with `listed`, of its letter."""
        if self.listed:
            prompt = self.lm.prompt(_lettered(messages, options))
            found = self.lm.log_likelihoods(prompt, [f" {letter}" for letter in _letters(len(options))])
        else:
            found = self.lm.log_likelihoods(self.lm.prompt(messages), [f" {option}" for option in options])
        scores = [total / size for total, size in found]
        return scores.index(max(scores))


def chooser(settings: Settings, *, listed: bool = False) -> Chooser:
    """Who chooses in this run: the local model where one is given, else the chat model.

    Args:
        listed: a local model compares the letters of listed options, not the options' own texts.

    Raises:
        InvalidInput: neither is given.
    """
    if settings.local is not None:
        return LikelihoodChooser(load(settings.local), settings.local.name, listed)
    return chat_chooser(settings)


def chat_chooser(settings: Settings) -> Chooser:
    """The chat model as a chooser, by letters or by their probabilities; by letters, too, where it tells none.

    Raises:
        InvalidInput: there is no chat model.
    """
    if settings.model is None:
        raise InvalidInput("pass a chat model with --model provider:name, or a local model with --local FOLDER")
    model, name, count = settings.model, name_of(settings.model), counter_for(settings.model)
    if settings.by == "letter":
        return LetterChooser(model, name, count=count)
    reason = _silent(model)
    if reason is None:
        return LetterProbabilityChooser(model, name, count=count)
    how = f"by the letter that it writes, because it tells no log-probabilities ({reason}); {_WAYS_OUT}"
    return LetterChooser(model, name, how, count=count)


def _silent(model: BaseChatModel) -> str | None:
    """Why the model tells no log-probabilities, found by asking it once; None where it tells them."""
    try:
        told = _first_token(model, _lettered([{"role": "user", "content": "Which letter is it?"}], ["this", "that"]))
    except Exception as error:  # providers refuse the request, each with errors of its own
        cause = error.__cause__ or error
        return f"{type(cause).__name__}: {next(iter(str(cause).splitlines()), '')}"
    return "the reply has none" if told is None else None


def _first_token(model: BaseChatModel, messages: Messages) -> Mapping[str, Any] | None:
    """The reply's first token with its alternatives, as OpenAI-style servers tell them; None where they do not."""
    asking: Any = model.bind(logprobs=True, top_logprobs=20, max_tokens=1)
    answer = answered(asking, [dict(one) for one in messages])
    told = (answer.response_metadata or {}).get("logprobs") or {}
    first: Mapping[str, Any] | None = next(iter(told.get("content") or ()), None)
    return first


def name_of(model: BaseChatModel) -> str:
    """The chat model's name, as reports show it."""
    named: Any = getattr(model, "model_name", None) or getattr(model, "model", None) or model._llm_type
    return str(named)


def letter_in(text: str, options: int) -> int | None:
    """The place of the option that a reply names: after "answer is", else its only or last single letter.

    A reply that is cut short, refuses, or names another letter gives None.
    """
    within = partial(_place, options=options)
    named = [place for place in map(within, _ANSWER.findall(text)) if place is not None]
    if named:
        return named[-1]
    alone = _LETTER.fullmatch(text.strip().rstrip(".:"))
    if alone:
        return within(alone[1])
    marked = [
        within(letter)
        for letter in re.findall(r"\(([A-Za-z])\)|^([A-Za-z])[).:]", text, re.MULTILINE)
        for letter in letter
        if letter
    ]
    found = [place for place in marked if place is not None]
    return found[-1] if found else None


def _place(letter: str, options: int) -> int | None:
    place = ord(letter.lower()) - ord("a")
    return place if place < options else None


def _lettered(messages: Messages, options: Sequence[str]) -> list[dict[str, str]]:
    """The conversation with the options listed below its last message."""
    listed = "\n".join(f"({letter}) {option}" for letter, option in zip(_letters(len(options)), options, strict=True))
    *before, last = messages
    asked = ASK_FOR_LETTER.format(question=last["content"], options=listed)
    return [*map(dict, before), {**last, "content": asked}]


def _letters(count: int) -> list[str]:
    return [chr(ord("a") + place) for place in range(count)]


def _best(told: Sequence[Mapping[str, Any]], letter: str) -> float:
    """The highest log-probability of a token that is this letter, in whatever case and brackets."""
    return max(
        (float(one["logprob"]) for one in told if str(one["token"]).strip(" ().").casefold() == letter),
        default=-math.inf,
    )
