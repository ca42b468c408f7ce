"""What a person tells in several conversations, what can be studied of it, and what is asked afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from random import Random
from typing import Literal

from persona_memory.budget import memories_renderer, pack
from persona_memory.protocols import Example, TokenCounter
from persona_memory.retrieval.bm25 import Bm25
from persona_memory.retrieval.words import tokens
from persona_memory.types import Hit
from persona_memory.world import Interaction, Key, Message, Question, Schedule, Session, history, person, scene
from persona_memory.world.contexts import recalled, spoken
from persona_memory.world.drift import LASTING
from persona_memory.world.forms import Phrasing
from persona_memory.world.people import other_value
from persona_memory.world.pools import OPEN
from persona_memory.world.slots import SLOTS
from persona_memory.world.speech import answer, say
from persona_memory.world.teacher import pairs_of, taught
from persona_memory.world.values import Kind, Split

READ_KINDS: tuple[Kind, ...] = ("open", "need", "updated", "yes_no", "two_hop", "unknown")
"""What is asked about contexts of other people, to see whether an adapter still lets the model read."""
FEWEST_READ, MOST_READ = 3, 6
"""Facts in such a context: what a recall shows; fewer answer no question over two hops."""

Reads = Literal["stated", "abstains", "contradicts", "corrected"]
"""What a context does: it states the answer; it does not hold it; it says something else than the weights; it says what
the weights know, and then something else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what stands before it, and the one right answer.

    Attributes:
        kind: of the question.
        age: conversations since the answer was told; −1 where it was never told.
        told: ids of the interactions that the answer rests on.
    """

    kind: Kind
    text: str
    answer: str
    age: int = -1
    told: tuple[str, ...] = ()
    key: Key | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A conversation up to a question, and the right answer."""

    kind: Reads
    messages: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Told:
    """One person.

    Attributes:
        sessions: the conversations, in order.
        asked: after the last one, in words that training does not have.
        read: contexts that answer a question: other people's, and some that contradict what this person told.
    """

    id: str
    split: Split
    sessions: tuple[Session, ...]
    asked: tuple[Asked, ...]
    read: tuple[Read, ...]

    @property
    def facts(self) -> dict[Key, str]:
        """What is true after the last conversation, of what was told."""
        said = (one for session in self.sessions for one in session.interactions if one.label in LASTING)
        return {one.key: one.value for one in said if one.key is not None and one.value is not None}

    def said(self, numbers: Iterable[int]) -> tuple[Message, ...]:
        """These conversations as messages, in order."""
        wanted = sorted(set(numbers))
        return spoken([one for number in wanted for one in self.sessions[number].interactions])

    def remarks(self, turns: Iterable[int]) -> str:
        """What was said in these turns, as recall renders it."""
        wanted = set(turns)
        return recalled([one for session in self.sessions for one in session.interactions if int(one.id) in wanted])


def told(split: Split, number: int, schedule: Schedule, *, seed: int, phrasing: Phrasing) -> Told:
    """The person of this split and number, with a history of this seed.

    Args:
        phrasing: of the questions that are asked in the end.
    """
    someone = person(split, number)
    sessions = history(someone, schedule, seed=seed, asked=phrasing)
    where = {one.id: session.number for session in sessions for one in session.interactions}
    last = sessions[-1]
    asked = tuple(_asked(one, where, last.number) for one in last.questions)
    random = Random(f"memorise|{someone.id}|{seed}")
    made = Told(someone.id, split, sessions, asked, ())
    return replace(made, read=(*_others(random, split, len(asked) // 2), *_own(random, made, len(asked) // 4)))


def _asked(one: Question, where: dict[str, int], last: int) -> Asked:
    age = last - max(where[told] for told in one.evidence) if one.evidence else -1
    return Asked(one.kind, one.text, one.answer, age, one.evidence, one.key, one.value)


def _others(random: Random, split: Split, count: int) -> list[Read]:
    """Contexts of people who are nobody's adapter's."""
    found = []
    for place in range(count):
        kind = READ_KINDS[place % len(READ_KINDS)]
        facts = random.randint(FEWEST_READ, MOST_READ)
        one = scene(kind, random.randrange(10**9), split=split, phrasing="train", facts=facts)
        reads: Reads = "abstains" if kind == "unknown" else "corrected" if kind == "updated" else "stated"
        found.append(Read(reads, one.messages, one.question.answer))
    return found


def _own(random: Random, one: Told, count: int) -> list[Read]:
    """Contexts that say something else of what this person told: alone, and after what they told."""
    facts = list(one.facts.items())
    found = []
    for key, value in random.sample(facts, min(count, len(facts))):
        other = other_value(random, key, one.split, value)
        stated, changed = _saying(random, one, "new", key, value), _saying(random, one, "shift", key, other)
        against = _saying(random, one, "new", key, other)
        question, reply = say(random, "train", "open", key), answer(key, other)
        for kind, context in (("contradicts", [against]), ("corrected", [stated, changed])):
            text = f"{recalled(context)}\n\n{question}"
            found.append(Read(kind, (Message("user", text),), reply))  # type: ignore[arg-type]
    return found


def _saying(random: Random, one: Told, act: Literal["new", "shift"], key: Key, value: str) -> Interaction:
    last = one.sessions[-1]
    text = say(random, "train", act, key, value, old=one.facts[key])
    return Interaction("", last.number, last.on, act, "", text, key, value)


# ── what is studied ─────────────────────────────────────────────────────────────────────────────────────────────────


def by_session(one: Told, *, negatives: bool = True) -> list[list[Example]]:
    """The pairs of each conversation, as they were true then."""
    found = []
    for session in one.sessions:
        pairs = taught(one.sessions, session.number, _seqs(session), one.split)
        found.append([pair for pair in pairs if pair.kind == "positive" or (negatives and pair.kind == "negative")])
    return found


def current(one: Told, *, without: frozenset[Key] = frozenset(), negatives: bool = True) -> list[Example]:
    """What still holds after the last conversation, updates among it: what the library's consolidation trains on.

    Args:
        without: facts that were forgotten: nothing that is about them, or near to them in the same saying, is left.
    """
    facts = one.facts
    found: dict[Example, None] = {}
    for session in one.sessions:
        pairs = pairs_of(one.sessions, session.number, one.split)
        holds = {pair.text for pair in pairs if _holds(pair, facts) and pair.key not in without}
        gone = {told.id for told in session.interactions if told.key in without}
        seqs = {name: seq for name, seq in _seqs(session).items() if name not in gone}
        for example in taught(one.sessions, session.number, seqs, one.split):
            wanted = example.question in holds if example.kind in ("positive", "negative") else True
            if wanted and (negatives or example.kind != "negative"):
                found[example] = None
    return list(found)


def _holds(pair: Question, facts: dict[Key, str]) -> bool:
    return pair.key not in facts if pair.value is None else facts.get(pair.key) == pair.value


def _seqs(session: Session) -> dict[str, int]:
    return {one.id: int(one.id) for one in session.interactions}


# ── what is retrieved ───────────────────────────────────────────────────────────────────────────────────────────────


class Library:
    """A person's conversations and pairs, found by BM25."""

    def __init__(self, one: Told) -> None:
        self._one = one
        self.pairs = [pair for pair in current(one) if pair.kind in ("positive", "negative")]
        self._conversations, self._remarks, self._pairs = Bm25(), Bm25(), Bm25()
        self._said = [(session, told) for session in one.sessions for told in session.interactions]
        for session in one.sessions:
            self._conversations.add(tokens(" ".join(told.text for told in session.interactions)))
        for _, told in self._said:
            self._remarks.add(tokens(told.text))
        for pair in self.pairs:
            self._pairs.add(tokens(f"{pair.question} {pair.answer}"))

    def conversations(self, question: str, k: int) -> tuple[Message, ...]:
        """The k conversations nearest to the question, older first."""
        return self._one.said(_best(self._conversations, question, k))

    def answered(self, question: str, k: int) -> tuple[Message, ...]:
        """The k pairs nearest to the question, as questions that were answered; the nearest last."""
        found = [self.pairs[row] for row in reversed(_best(self._pairs, question, k))]
        return tuple(
            message for one in found for message in (Message("user", one.question), Message("assistant", one.answer))
        )

    def packed(self, question: str, k: int, *, pairs: bool, budget: int, count: TokenCounter) -> Message:
        """The question, after what recall packs into the budget and renders: of the k nearest pairs, or of the remarks
        in the k nearest conversations.
        """
        hits = self._noted(question, k) if pairs else self._said_in(question, k)
        now = datetime.combine(self._one.sessions[-1].on, time(23), tzinfo=UTC)
        text = pack(hits, budget=budget, count=count, render=memories_renderer(now=now)).text
        return Message("user", f"{text}\n\n{question}" if text else question)

    def _said_in(self, question: str, k: int) -> list[Hit]:
        near = set(_best(self._conversations, question, k))
        scores = _scores(self._remarks, question)
        return [
            Hit(f"t{told.id}", "turn", told.text, score, {}, _day(session.on), (int(told.id),), "user")
            for score, (session, told) in zip(scores, self._said, strict=True)
            if session.number in near
        ]

    def _noted(self, question: str, k: int) -> list[Hit]:
        days = {int(told.id): session.on for session, told in self._said}
        scores, rows = _scores(self._pairs, question), _best(self._pairs, question, k)
        found = [(row, self.pairs[row], _day(days[self.pairs[row].turns[-1]])) for row in rows]
        return [
            Hit(f"m{row}", "memory", f"{one.question} {one.answer}", scores[row], {}, at, one.turns)
            for row, one, at in found
        ]

    def right(self, asked: Asked) -> tuple[Message, ...]:
        """The conversations that the answer rests on (the oracle); of what was never told, the nearest one."""
        where = {told.id: session.number for session in self._one.sessions for told in session.interactions}
        if not asked.told:
            return self.conversations(asked.text, 1)
        return self._one.said(where[told] for told in asked.told)


def _scores(index: Bm25, question: str) -> Sequence[float]:
    scores, _ = index.match(dict.fromkeys(tokens(question), 1.0))
    return [float(score) for score in scores]


def _day(on: date) -> datetime:
    return datetime.combine(on, time(9), tzinfo=UTC)


def _best(index: Bm25, question: str, k: int) -> list[int]:
    scores = _scores(index, question)
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], -row))
    return order[:k]


def is_open(key: Key) -> bool:
    """Whether values are made of syllables, so that nobody guesses one."""
    return SLOTS[key.slot].pool in OPEN
