"""What a person's adapter may learn from: their conversations, what a teacher made of them, and what feedback says.

Each conversation is put to the teacher once; its examples are recorded in the person's log, as every answer is. Only
what still stands, is still true and is open counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from persona_memory.adapters.matching import words
from persona_memory.errors import LearningError
from persona_memory.learning.teaching import LONGEST_ANSWER, LONGEST_QUESTION, balanced, rated
from persona_memory.ledger import Person, derived, events, people
from persona_memory.profile import ProfileSchema
from persona_memory.profile.statements import closed_by
from persona_memory.protocols import Example, ExampleKind
from persona_memory.quoting import without_marks
from persona_memory.types import Event, Memory, Policy, Role, Turn

RATED_UP, RATED_DOWN, CORRECTED = 1.5, 0.5, 2.0
"""What more ratings up than down, or down than up, or being a correction, makes of the weight of the examples that rest
on the same turns."""

TOLD_AGAIN = 0.5
"""Share of the words of what is over, from which an example tells it."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What the ledger holds of the person.

    Attributes:
        turns: without those that speak of something that the person has closed.
        untaught: conversations that the teacher has not seen as they are now.
        examples: what was taught of the others, the oldest conversation first.
        ratings: by turn, a factor for the weight of its examples.
        replies: that were rated, as examples "up" and "down"; they rest on what they were given with, too.
        last_seq: number of the newest event.
    """

    turns: Sequence[Turn]
    untaught: Sequence[tuple[Turn, ...]]
    examples: Sequence[Sequence[Example]]
    memories: Sequence[Memory]
    ratings: Mapping[int, float]
    replies: Sequence[Example]
    policy: Policy
    last_seq: int

    def current(self) -> list[Example]:
        """What is to be learnt: of questions that are asked again the newest answer, of what changed the newest state.

        What was true once stays findable in the history; weights can only say what is true now.
        """
        holds = self._holds()
        newest = {_asked(one): place for place, taught in enumerate(self.examples) for one in taught}
        found: list[Example] = []
        for place, taught in enumerate(self.examples):
            kept = [one for one in taught if newest[_asked(one)] == place and holds(one)]
            found += balanced(rated(kept, self.ratings))
        return found

    def preferences(self) -> list[Example]:
        """The rated replies that rest on nothing that is over, and tell nothing of it."""
        holds, over = self._holds(), [_telling(memory.text) for memory in self.memories if not memory.current]
        return [one for one in self.replies if holds(one) and not _tells(one, over)]

    def _holds(self) -> Callable[[Example], bool]:
        """Whether all that an example rests on still stands, and it tells nothing of those turns that is over."""
        standing = {turn.seq for turn in self.turns}
        over: dict[int, list[set[str]]] = {}
        for memory in self.memories:
            for seq in () if memory.current else memory.sources:
                over.setdefault(seq, []).append(_telling(memory.text))
        current = {seq for memory in self.memories if memory.current for seq in memory.sources}

        def holds(one: Example) -> bool:
            if not standing.issuperset(one.turns) or not over.keys().isdisjoint(set(one.turns) - current):
                return False
            return not _tells(one, [said for seq in one.turns for said in over.get(seq, ())])

        return holds

    def outdated(self, watermark: int) -> bool:
        """Whether something that was true up to this event was replaced or ended since: weights have to unlearn it."""
        known = {memory.id: memory for memory in self.memories}
        until = max((turn.at for turn in self.turns if turn.seq <= watermark), default=None)

        def over(old: Memory) -> bool:
            if min(old.sources) > watermark or old.current:
                return False
            new = known.get(old.superseded_by or "")
            if new is not None:
                return watermark < min(new.sources)
            return until is not None and old.valid_to is not None and old.valid_to > until

        return any(map(over, self.memories))


def read(connection: Connection, person: Person, *, schema: ProfileSchema, teacher: str) -> Lessons:
    """The person's lessons as they stand.

    Args:
        teacher: by whom; what another one has written does not count.
    """
    found = people.counters(connection, person)
    policy = people.policy_of(found)
    told = [one for one in events.turns(connection, person) if one.state != "discarded"]
    turns = [one for one in told if not closed_by(one.text, schema, policy)]
    memories = derived.read_memories(connection, person)
    marks = events.in_order(connection, person, kinds=("feedback", "statement"))
    taught: dict[str, Event] = {}
    for answer in events.in_order(connection, person, kinds=("answer",)):
        if answer.data["job"] == "teach" and answer.data["by"] == teacher:
            taught[answer.data["talk"]] = answer
    spoken: defaultdict[str, list[Turn]] = defaultdict(list)  # the oldest conversation first, as turns are in order
    for turn in turns:
        spoken[_talk(turn)].append(turn)
    talks = {name: tuple(talk) for name, talk in spoken.items() if any(one.role == "user" and one.text for one in talk)}
    fresh = [talk for name, talk in talks.items() if not _is_taught(talk, taught.get(name))]
    examples = [_examples(taught[name]) for name in talks if name in taught]
    replies = rated_replies(marks, turns, memories)
    return Lessons(turns, fresh, examples, memories, ratings(marks, memories), replies, policy, found.last_seq)


def answer(talk: Sequence[Turn], examples: Iterable[Example], *, teacher: str, problem: str = "") -> dict[str, Any]:
    """What is recorded of a conversation that was taught, or could not be.

    Raises:
        LearningError: an example names no turn, or one that the teacher was not shown.
    """
    shown = {turn.seq for turn in talk}
    held = list(examples)
    for one in held:
        if not one.turns or not shown.issuperset(one.turns):
            raise LearningError(f"the teacher's example rests on turns {one.turns}, of {min(shown)} … {max(shown)}")
    return {
        "job": "teach", "by": teacher, "talk": _talk(talk[0]), "read": sorted(shown), "problem": problem,
        "examples": [
            {
                "kind": one.kind, "question": one.question, "answer": one.answer, "sources": list(one.turns),
                "context": one.context, "weight": one.weight,
            }
            for one in held
        ],
    }  # fmt: skip


def ratings(marks: Iterable[Event], memories: Iterable[Memory]) -> dict[int, float]:
    """By turn, what feedback makes of its examples' weights: by which rating prevails; corrections count most."""
    sources = {memory.id: memory.sources for memory in memories}
    votes: Counter[int] = Counter()
    corrections: dict[int, float] = {}
    for mark in marks:
        if mark.kind == "statement":
            corrections |= {mark.seq: CORRECTED} if "replaces" in mark.data else {}
        elif (rating := mark.data.get("rating")) is not None:
            turns = {seq for one in mark.data.get("memories", ()) for seq in sources.get(one, ())}
            for seq in turns:
                votes[seq] += 1 if rating == "up" else -1
    found = {seq: RATED_UP if vote > 0 else RATED_DOWN for seq, vote in votes.items() if vote}
    return found | corrections


def rated_replies(marks: Iterable[Event], turns: Sequence[Turn], memories: Iterable[Memory]) -> list[Example]:
    """The last replies before a rating in its thread, each after what the person had said; the last rating counts."""
    sources = {memory.id: memory.sources for memory in memories}
    found: dict[int, Example] = {}
    for mark in marks:
        if mark.kind != "feedback" or not mark.data.get("reply"):
            continue
        before = [turn for turn in turns if turn.thread_id == mark.thread_id and turn.seq < mark.seq]
        asked, reply = (_last(before, role) for role in ("user", "assistant"))
        if asked is None or reply is None or not asked.seq < reply.seq or asked.session != reply.session:
            continue
        question, answer = without_marks(asked.text).strip(), without_marks(reply.text).strip()
        if question and len(question) <= LONGEST_QUESTION and answer and len(answer) <= LONGEST_ANSWER:
            used = {seq for name in mark.data.get("memories", ()) for seq in sources.get(name, ())}
            kind: ExampleKind = "up" if mark.data["rating"] == "up" else "down"
            found[reply.seq] = Example(kind, question, answer, (asked.seq, reply.seq, *sorted(used)))
    return list(found.values())


def _last(turns: Sequence[Turn], role: Role) -> Turn | None:
    return next((turn for turn in reversed(turns) if turn.role == role), None)


def _talk(turn: Turn) -> str:
    """The conversation that a turn belongs to; what was stated outside of one goes by its day."""
    return str(turn.session) if turn.session else f"{turn.at:%Y-%m-%d}"


def _is_taught(talk: Sequence[Turn], taught: Event | None) -> bool:
    return taught is not None and taught.data["read"] == [turn.seq for turn in talk]


def _examples(taught: Event) -> list[Example]:
    return [
        Example(one["kind"], one["question"], one["answer"], tuple(one["sources"]), one["weight"], one["context"])
        for one in taught.data["examples"]
    ]


def _asked(one: Example) -> tuple[str, ...]:
    """What is alike in two examples of which only the newer one holds."""
    group = one.kind if one.kind in ("view", "update") else "pair"
    return (group, *words(one.context), *words(one.question or one.answer))


def _tells(one: Example, over: Iterable[set[str]]) -> bool:
    """Whether the example's answer tells what is over."""
    told = _telling(one.answer)
    return any(said and len(said & told) >= TOLD_AGAIN * len(said) for said in over)


def _telling(text: str) -> set[str]:
    """The words of a text that tell something: short ones are in every sentence."""
    return {word for word in words(text) if len(word) > 2}
