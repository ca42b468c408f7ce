"""Which sentences of a text go when something is forgotten: those that say it, that ask for it, that say it again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from persona_memory.learning.consolidation import content_words
from persona_memory.profile.english.sentences import goes_on
from persona_memory.profile.statements import statements
from persona_memory.retrieval import tokens

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|\n|$)|[^\n]+")

_ASKS = re.compile(r"\b(?:forget|delete|erase|remove|don't (?:remember|store|keep|save))\b", re.IGNORECASE)

_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w'’-]+|\b\d{3,}\b|\b\w*\d\w*[a-z]\w*\b", re.UNICODE)

_PLAIN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

MEANT = 0.6
"""Share of a request's words that a memory must hold to be meant by it."""

ECHO = 0.6
"""Share of the forgotten words that a sentence must hold to count as an echo of them."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Words of sentences that went, laid out so that another sentence is compared with all of them at once.

    Attributes:
        pairs, runs: two and three words in a row, of any of the sentences.
        names: words with a capital inside a sentence, and numbers of three digits and more.
        said: the distinct words of each sentence.
        places: the sentences that hold a word.
    """

    pairs: frozenset[tuple[str, ...]]
    runs: frozenset[tuple[str, ...]]
    names: frozenset[str]
    said: tuple[frozenset[str], ...]
    places: dict[str, list[int]]


def sentences(text: str) -> list[str]:
    """The text's sentences, in order; joined they are the text again. "St. Mary's" is not two of them."""
    pieces: list[str] = []
    end = 0
    for match in _SENTENCE.finditer(text):
        if text.endswith(".", end, match.end()) and goes_on(text, match.end() - 1):
            continue
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
    return _without(left, lambda piece: len(content_words(piece) & shared) >= 2, untold="")


def without_phrase(text: str, phrase: str) -> str:
    """The text without the sentences that hold most of a phrase's words; nothing is left where none can be told."""
    return _without(text, lambda piece: holds(piece, phrase), untold="")


def without_field(text: str, field: str, values: Sequence[str]) -> str:
    """The text without the sentences that state a profile field: in words of its values, or as the rules read them.

    Nothing is left where none can be told.
    """
    return _without(text, lambda piece: _states(piece, field, values), untold="")


def without_withdrawn(left: str, original: str) -> str:
    """What is left of a text without the sentences that would now say what the whole text had taken back.

    "I live in Leipzig. No wait, I live in Kraków." says nothing of Leipzig; without its second sentence it would.
    """
    told = {statement.text for statement in statements(original)}
    while again := [one.quote for one in statements(left) if one.text not in told]:
        rest = "".join(piece for piece in sentences(left) if not any(quote in piece for quote in again))
        if rest == left:
            return ""
        left = rest
    return left


def without_request(text: str, about: str) -> str:
    """The text without its sentences that ask to forget: they name again what is to go. "" where none can be told."""
    return _without(text, lambda piece: bool(_ASKS.search(piece)) or holds(piece, about), untold="")


def without_echoes(text: str, lost: Lost, *, near: bool) -> str:
    """A reply's text without the sentences that take up the lost words: most of them, three in a row, or a name.

    Of a sentence with one telling word ("I'm pregnant.") that word is enough.

    Args:
        near: the reply is of the same conversation, so that two words in a row are enough.
    """
    return _without(text, lambda piece: _echoes(tokens(piece), lost, near=near), untold=text)


def without_repeats(text: str, lost: Lost) -> str:
    """A person's text without the sentences that say the same as a lost one, small words aside.

    No looser than that: people say many things in like words ("I ran 5 km with Tom", "I ran 10 km with Eva").
    """
    return _without(text, lambda piece: frozenset(tokens(piece)) in lost.said, untold=text)


def holds(text: str, phrase: str) -> bool:
    """Whether the text holds most of the phrase's words."""
    words = set(tokens(phrase))
    return bool(words) and len(words.intersection(tokens(text))) >= MEANT * len(words)


def names(text: str, phrase: str) -> bool:
    """Whether the text has the phrase's words in a row, small words included, and at least two of them."""
    wanted = tuple(_PLAIN.findall(phrase.casefold()))
    return len(wanted) > 1 and wanted in _rows(_PLAIN.findall(text.casefold()), len(wanted))


def lost_words(pairs: Iterable[tuple[str, str]], *, told: str | None = None) -> Lost:
    """The words of the sentences that went, from pairs of (what a text was, what is left of it).

    Args:
        told: what is to be forgotten, where a part of a sentence is meant: only names that it holds count.
    """
    gone = [piece for original, left in pairs for piece in _gone(original, left)]
    words = [found for piece in gone if (found := tokens(piece))]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(words):
        for word in set(one):
            places[word].append(place)
    names = {word for piece in gone for name in _NAME.findall(piece) for word in tokens(name)}
    return Lost(
        frozenset(pair for one in words for pair in _rows(one, 2)),
        frozenset(run for one in words for run in _rows(one, 3)),
        frozenset(names if told is None else names.intersection(tokens(told))),
        tuple(map(frozenset, words)),
        places,
    )


def _gone(original: str, left: str) -> list[str]:
    kept = {piece.strip() for piece in sentences(left)}
    return [piece for piece in sentences(original) if piece.strip() not in kept]


def _states(sentence: str, field: str, values: Sequence[str]) -> bool:
    about = (field in statement.about for statement in statements(sentence))
    return any(holds(sentence, value) for value in values) or any(about)


def _without(text: str, goes: Callable[[str], bool], *, untold: str) -> str:
    """The text without the sentences that go; `untold` where none does."""
    pieces = sentences(text)
    rest = [piece for piece in pieces if not goes(piece)]
    return "".join(rest) if len(rest) < len(pieces) else untold


def _echoes(words: Sequence[str], lost: Lost, *, near: bool) -> bool:
    rows, size = (lost.pairs, 2) if near else (lost.runs, 3)
    if not lost.names.isdisjoint(words) or not rows.isdisjoint(_rows(words, size)):
        return True
    shared = Counter(place for word in set(words) for place in lost.places.get(word, ()))
    return any(_takes_up(count, len(lost.said[place])) for place, count in shared.items())


def _takes_up(shared: int, size: int) -> bool:
    return shared >= ECHO * size and (shared > 1 or size == 1)


def _rows(words: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    """So many words in a row."""
    return zip(*(words[place:] for place in range(size)), strict=False)
