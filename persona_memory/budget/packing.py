"""Packing: the best set of hits, and the best part of a profile, that fit a budget of tokens."""

from __future__ import annotations

import heapq
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from persona_memory.errors import InvalidInput
from persona_memory.types import Hit, Profile, ProfileEntry

if TYPE_CHECKING:
    from persona_memory.protocols import TokenCounter

USEFUL_TOKENS = 20
"""A text is shortened only where at least so many tokens of it remain."""

SHORTENED = " … (shortened)"
LEFT_OUT = "… "
"""Before a passage that is not the beginning of its text."""

_LINE_OVERHEAD = 16
"""About what a line spends on its dash, day and speaker."""

_LONGEST_TOKEN = 24
"""Characters; hardly any token is longer, so a text cut to budget * 24 of them still fills the budget."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The hits that fit, with the text they make.

    Attributes:
        chosen: best first; the text of one that was shortened ends in "… (shortened)", and begins with "… " where what
            is kept of it is not its beginning.
        left_out: best first, as they came.
        text: what `render` made of `chosen`.
        tokens: of `text`; never above the budget.
        needed: tokens of the text with all hits.
    """

    chosen: tuple[Hit, ...]
    left_out: tuple[Hit, ...]
    text: str
    tokens: int
    needed: int


Render = Callable[[Sequence[Hit]], str]

Passage = Callable[[str], int]
"""The offset in characters at which a text says what matters."""


def from_the_start(text: str) -> int:
    """The passage of a text of which nothing is known: its beginning."""
    return 0


Words = Callable[[str], Set[str]]
"""The words of a text by which two texts say the same."""


def no_words(text: str) -> Set[str]:
    """The words of a text of which nothing is known: no two say the same."""
    return frozenset()


def pack(
    hits: Sequence[Hit],
    *,
    budget: int,
    count: TokenCounter,
    render: Render,
    passage: Passage = from_the_start,
    words: Words = no_words,
) -> Packed:
    """The best set of hits whose rendered text, with all that is around it, stays within the budget.

    The best score goes first, then whatever adds most to what is chosen and still fits: score · (1 − r), r being 2a − 1
    where the most alike of the chosen says more than half of the same (a > ½), else 0 (maximal marginal relevance,
    Carbonell and Goldstein 1998). A memory says what a turn says that it was learnt from: both are paid for only where
    room is left over. Value per token, the usual rule for a knapsack, buys many short remarks for the one that matters
    (docs/lab-log.md). As the tokens of parts do not add up to those of the whole, the whole text is counted, and what
    adds least dropped until it fits. A hit that is too large even alone is shortened to the passage that matters. Ties
    go by recency, then by id.

    Args:
        budget: in tokens.
        count: counts for the model that will read the text.
        render: the whole text for a set of hits, guards included. With no hits it may return text that is there in any
            case (a profile); if that alone exceeds the budget, nothing is chosen and `text` is "".
        passage: where to begin in a text that has to be shortened.
        words: what a text says, for finding out what others say already.

    Raises:
        InvalidInput: the budget is negative.
    """
    if budget < 0:
        raise InvalidInput(f"the budget is {budget!r} tokens; pass 0 or more")
    ranked = sorted(hits, key=_rank)
    chosen, text = ranked, render(ranked)
    needed = tokens = count(text)
    if tokens > budget:
        chosen = _best(ranked, _Room(budget, count(render([])), count, render, passage, words))
        text = render(chosen)
        tokens = count(text)
    if tokens > budget:
        chosen, text, tokens = [], "", 0
    kept = {hit.id for hit in chosen}
    left_out = tuple(hit for hit in ranked if hit.id not in kept)
    return Packed(tuple(chosen), left_out, text, tokens, needed)


def fit_profile(profile: Profile, *, budget: int, count: TokenCounter, render: Callable[[Profile], str]) -> Profile:
    """The profile without the entries that have to go for `render` to stay within the budget.

    Inferred entries go first, then the least certain, then the oldest. Empty when nothing fits.
    """

    def first(kept: int) -> Profile:
        paths = {entry.field for entry in ranked[:kept]}
        return Profile({path: entry for path, entry in profile.entries.items() if entry.field in paths})

    ranked = sorted(profile.entries.values(), key=_lasting)
    few, many = 0, len(ranked)
    while few < many:
        middle = (few + many + 1) // 2
        few, many = (middle, many) if count(render(first(middle))) <= budget else (few, middle - 1)
    return first(few)


@dataclass(frozen=True, slots=True)
class _Room:
    """What a text may take, and what it takes without any hit."""

    budget: int
    base: int
    count: TokenCounter
    render: Render
    passage: Passage
    words: Words

    def holds(self, hits: Sequence[Hit]) -> bool:
        return self.count(self.render(hits)) <= self.budget


def _rank(hit: Hit) -> tuple[float, float, str]:
    """Sorts by score, then recency, then id."""
    return -hit.score, -hit.at.timestamp(), hit.id


def _lasting(entry: ProfileEntry) -> tuple[bool, float, float, str]:
    return entry.basis == "inferred", -entry.confidence, -entry.at.timestamp(), entry.field


def _best(ranked: Sequence[Hit], room: _Room) -> list[Hit]:
    """The set that is worth most, best first, with what is too large shortened."""
    candidates: list[Hit] = []
    costs: dict[str, int] = {}
    for hit in ranked:
        cost = room.count(hit.text) + _LINE_OVERHEAD
        if 2 * cost > room.budget - room.base and not room.holds([hit]):
            if sum(costs.values()) >= room.budget - room.base:
                continue  # better ones fill the room already, and shortening is dear
            shorter = _shorten(hit, room, alone=len(ranked) == 1)
            if shorter is None:
                continue
            hit, cost = shorter, room.count(shorter.text) + _LINE_OVERHEAD
        candidates.append(hit)
        costs[hit.id] = cost
    return sorted(_fill(candidates, costs, room), key=_rank)


def _fill(candidates: Sequence[Hit], costs: Mapping[str, int], room: _Room) -> list[Hit]:
    """Hits in order of what they add as long as there is room, then what still fits."""
    chosen: list[Hit] = []
    spent = room.base
    for hit in _by_gain(candidates, chosen, room.words):
        if spent + costs[hit.id] <= room.budget:
            chosen.append(hit)
            spent += costs[hit.id]
    while chosen and not room.holds(chosen):
        chosen.pop()
    left = room.budget - room.count(room.render(chosen))
    taken = {hit.id for hit in chosen}
    waiting = [hit for hit in candidates if hit.id not in taken and costs[hit.id] <= left + _LINE_OVERHEAD]
    for hit in waiting[:_TRIES]:
        if room.holds([*chosen, hit]):
            chosen.append(hit)
    return chosen


def _by_gain(candidates: Sequence[Hit], chosen: Sequence[Hit], words: Words) -> Iterator[Hit]:
    """The candidates, best first, each by what it adds to those that were chosen of the ones before it.

    What a hit adds only shrinks as others are chosen, so it is weighed again only when it seems to be the best.
    """
    said = [words(hit.text) for hit in candidates]
    told = [0.0] * len(candidates)
    heap = [(-hit.score, place, 0) for place, hit in enumerate(candidates)]
    heapq.heapify(heap)
    places = {hit.id: place for place, hit in enumerate(candidates)}
    while heap:
        _, place, seen = heap[0]
        hit = candidates[place]
        if seen == len(chosen):
            heapq.heappop(heap)
            yield hit
            continue
        for other in chosen[seen:]:
            told[place] = max(told[place], _alike(hit, said[place], other, said[places[other.id]]))
        heapq.heapreplace(heap, (-hit.score * (1 - max(0.0, 2 * told[place] - 1)), place, len(chosen)))


def _alike(hit: Hit, said: Set[str], other: Hit, theirs: Set[str]) -> float:
    """How far two hits say the same, in [0, 1]: Dice's share of their words; 1 where one was learnt from the other."""
    if hit.kind != other.kind and not set(hit.sources).isdisjoint(other.sources):
        return 1.0
    return 2 * len(said & theirs) / (len(said) + len(theirs)) if said or theirs else 0.0


def _shorten(hit: Hit, room: _Room, *, alone: bool) -> Hit | None:
    """The passage that matters, as much as fits half of the room (all of it if alone); None if too little remains."""
    limit = room.budget if alone else (room.budget + room.base) // 2
    start = room.passage(hit.text)

    def cut(length: int) -> Hit:
        return replace(hit, text=_excerpt(hit.text, start, length))

    few, many = 0, min(len(hit.text), limit * _LONGEST_TOKEN)
    while few < many:
        middle = (few + many + 1) // 2
        few, many = (middle, many) if room.count(room.render([cut(middle)])) <= limit else (few, middle - 1)
    return cut(few) if room.count(cut(few).text.removesuffix(SHORTENED)) >= USEFUL_TOKENS else None


def _excerpt(text: str, start: int, length: int) -> str:
    """At most `length` characters from `start` on, or the last ones where fewer follow, marked as an excerpt."""
    if start + length >= len(text):
        start = _word_start(text, max(0, len(text) - length))
    return f"{LEFT_OUT if start else ''}{_clean_cut(text[start:], length)}{SHORTENED}"


def _word_start(text: str, at: int) -> int:
    """The first place from `at` on where a word begins, if one is near, else a letter with all of its marks."""
    if at and not text[at - 1].isspace():
        space = _SPACE.search(text, at, at + _LONGEST_TOKEN)
        if space:
            return space.end()
        while at < len(text) and _belongs_to_the_letter_before(text[at]):
            at += 1
    return at


def _clean_cut(text: str, length: int) -> str:
    """At most `length` first characters, back to the end of a sentence, else of a word, where one is near."""
    start = text[:length]
    if length >= len(text):
        return start.rstrip()
    ends = [match.end() for match in _SENTENCE_END.finditer(start, length * 2 // 3)]
    if ends:
        return start[: ends[-1]].rstrip()
    words, space, _ = start.rpartition(" ")
    if space and len(words) > length * 2 // 3:
        return words.rstrip()
    while length and _belongs_to_the_letter_before(text[length]):
        length -= 1
    return text[:length].rstrip(_JOINERS).rstrip()


def _belongs_to_the_letter_before(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character)[0] == "M"


_SENTENCE_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s|$)|[。！？।؟]|\n")  # noqa: RUF001
_SPACE = re.compile(r"\s+")
_JOINERS = "\u200c\u200d"
_TRIES = 4
