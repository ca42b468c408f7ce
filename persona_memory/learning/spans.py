"""Which sentences of a text go when something is forgotten: those that say it, that ask for it, that say it again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from persona_memory.learning.consolidation import content_words
from persona_memory.profile.statements import statements
from persona_memory.retrieval import tokens

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|\n|$)|[^\n]+")

_ASKS = re.compile(r"\b(?:forget|delete|erase|remove|don't (?:remember|store|keep|save))\b", re.IGNORECASE)

_PLAIN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

MEANT = 0.6
"""Share of a request's words that a memory must hold to be meant by it."""

ECHO = 0.6
"""Share of the forgotten words that a sentence must hold to count as an echo of them."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Words of sentences that went, laid out so that another sentence is compared with all of them at once.

    Attributes:
        runs: three words in a row, of any of the sentences.
        said: the distinct words of each sentence.
        places: the sentences that hold a word.
    """

    runs: frozenset[tuple[str, str, str]]
    said: tuple[frozenset[str], ...]
    places: dict[str, list[int]]


def sentences(text: str) -> list[str]:
    """The text's sentences, in order; joined they are the text again."""
    pieces: list[str] = []
    end = 0
    for match in _SENTENCE.finditer(text):
        pieces.append(text[end : match.end()])
        end = match.end()
    if end < len(text):
        pieces.append(text[end:])
    return pieces


def without_quote(left: str, original: str, quote: str, memory_text: str) -> str:
    """The text without the sentences that hold the quote; without a quote, or if it is not there, nothing is left.

    A memory that merged several turns has one quote, from its first; in the others the sentences that share its words
    go.
    """
    if quote and quote in original:
        pieces = [piece for piece in sentences(left) if quote not in piece and piece.strip() not in quote]
        return "".join(pieces) if quote not in "".join(pieces) else ""
    if not quote:
        return ""
    shared = content_words(quote) | content_words(memory_text)
    rest = [piece for piece in sentences(left) if len(content_words(piece) & shared) < 2]
    return "".join(rest) if len(rest) < len(sentences(left)) else ""


def without_phrases(text: str, phrases: Sequence[str]) -> str:
    """The text without the sentences that hold most of a phrase's words; nothing is left where none can be told."""
    rest = [piece for piece in sentences(text) if not any(holds(piece, phrase) for phrase in phrases)]
    return "".join(rest) if len(rest) < len(sentences(text)) else ""


def without_field(text: str, field: str, values: Sequence[str]) -> str:
    """The text without the sentences that state a profile field: in words of its values, or as the rules read them.

    Nothing is left where none can be told.
    """
    rest = [piece for piece in sentences(text) if not _states(piece, field, values)]
    return "".join(rest) if len(rest) < len(sentences(text)) else ""


def without_request(text: str, about: str) -> str:
    """The text without its sentences that ask to forget: they name again what is to go. "" where none can be told."""
    pieces = sentences(text)
    asks = [bool(_ASKS.search(piece)) or holds(piece, about) for piece in pieces]
    return "".join(piece for piece, goes in zip(pieces, asks, strict=True) if not goes) if any(asks) else ""


def without_echoes(text: str, lost: Lost) -> str:
    """A reply's text without the sentences that take up the lost words: three in a row, or most of them.

    Of a sentence with one telling word ("I'm pregnant.") that word is enough.
    """
    return _without(text, lambda words: _echoes(words, lost))


def without_repeats(text: str, lost: Lost) -> str:
    """A person's text without the sentences that say the same as a lost one, small words aside. No looser than that:
    people say many things in like words ("I ran 5 km with Tom", "I ran 10 km with Eva")."""
    return _without(text, lambda words: bool(words) and frozenset(words) in lost.said)


def holds(text: str, phrase: str) -> bool:
    """Whether the text holds most of the phrase's words."""
    words = set(tokens(phrase))
    return bool(words) and len(words.intersection(tokens(text))) >= MEANT * len(words)


def names(text: str, phrase: str) -> bool:
    """Whether the text has the phrase's words in a row, small words included, and at least two of them."""
    wanted = _PLAIN.findall(phrase.casefold())
    words = _PLAIN.findall(text.casefold())
    rows = zip(*(words[place:] for place in range(len(wanted))), strict=False)
    return len(wanted) > 1 and any(list(row) == wanted for row in rows)


def lost_words(pairs: Iterable[tuple[str, str]]) -> Lost:
    """The words of the sentences that went, from pairs of (what a text was, what is left of it)."""
    runs: set[tuple[str, str, str]] = set()
    said: list[frozenset[str]] = []
    places: defaultdict[str, list[int]] = defaultdict(list)
    for original, left in pairs:
        kept = {piece.strip() for piece in sentences(left)}
        for words in (tokens(piece) for piece in sentences(original) if piece.strip() not in kept):
            runs.update(_runs(words))
            said.append(frozenset(words))
            for word in said[-1]:
                places[word].append(len(said) - 1)
    return Lost(frozenset(runs), tuple(said), places)


def _states(sentence: str, field: str, values: Sequence[str]) -> bool:
    changes = (change for statement in statements(sentence) for change in statement.changes)
    return any(holds(sentence, value) for value in values) or any(change.field == field for change in changes)


def _without(text: str, goes: Callable[[Sequence[str]], bool]) -> str:
    pieces = sentences(text)
    rest = [piece for piece in pieces if not goes(tokens(piece))]
    return text if len(rest) == len(pieces) else "".join(rest)


def _echoes(words: Sequence[str], lost: Lost) -> bool:
    if not lost.runs.isdisjoint(_runs(words)):
        return True
    shared = Counter(place for word in set(words) for place in lost.places.get(word, ()))
    return any(_takes_up(count, len(lost.said[place])) for place, count in shared.items())


def _takes_up(shared: int, size: int) -> bool:
    return shared >= ECHO * size and (shared > 1 or size == 1)


def _runs(words: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    return zip(words, words[1:], words[2:], strict=False)
