"""A teacher for people of the world: it knows what can be studied of each thing that they say (PLUM, arXiv 2411.13405).

It stands where a chat model stands for real people, so that what an adapter learns is not mixed with how well a
teacher writes. It writes in training's phrasing, and never sees the questions that are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from persona_memory.protocols import Example
from persona_memory.types import Turn
from persona_memory.world.contexts import recalled
from persona_memory.world.drift import LASTING, Session
from persona_memory.world.people import other_value
from persona_memory.world.slots import SLOTS
from persona_memory.world.speech import answer, say
from persona_memory.world.values import Interaction, Key, Question, Split


@dataclass(frozen=True, slots=True)
class WorldTeacher:
    """The `Teacher` of a person's history; what is not in it teaches nothing.

    Attributes:
        sessions: of the history.
        split: from which what was never said has its values.
    """

    sessions: Sequence[Session]
    split: Split = "train"
    name: str = "world"

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        """The examples of the session that this conversation is, as far as it holds their evidence; see `Teacher`."""
        said = {turn.text: turn.seq for turn in conversation if turn.role == "user"}
        session = max(self.sessions, key=lambda one: sum(told.text in said for told in one.interactions))
        seqs = {told.id: said[told.text] for told in session.interactions if told.text in said}
        return taught(self.sessions, session.number, seqs, self.split)


def taught(
    sessions: Sequence[Session], number: int, seqs: Mapping[str, int], split: Split = "train"
) -> tuple[Example, ...]:
    """The examples of a session: pairs to study, then for each fact what would be right if the person said otherwise.

    Args:
        sessions: the history up to this session, or more of it.
        number: of the session.
        seqs: of interactions that count as said, by their ids, the sequence numbers of their turns.
        split: as in `WorldTeacher`.
    """
    said = sessions[number].interactions
    near = _near(said, seqs)
    pairs = (_example(one, _turns(one, seqs, near)) for one in pairs_of(sessions, number, split))
    return tuple(one for one in (*pairs, *_updates(said, seqs, split)) if one.turns)


def pairs_of(sessions: Sequence[Session], number: int, split: Split = "train") -> tuple[Question, ...]:
    """The history's pairs of a session; and for each fact one more question for it, and one for another fact of the
    same person that was never told: without these an adapter has an answer for whatever it is asked.
    """
    session = sessions[number]
    known = {one.key for before in sessions[: number + 1] for one in before.interactions if one.label in LASTING}
    further: list[Question] = []
    for key, told in _told(session.interactions).items():
        random = Random(f"further|{key}|{told.value}|{told.id}")
        text, reply = say(random, "train", "open", key), answer(key, told.value)
        further.append(Question("open", key, text, reply, told.value, (told.id,), session.on))
        other = Key(key.subject, random.choice([slot for slot in SLOTS if Key(key.subject, slot) not in known]))
        further.append(_never_told(random, other, key, session, split))
    return (*session.pairs, *further)


def _never_told(random: Random, key: Key, near: Key, session: Session, split: Split) -> Question:
    act = random.choice(("open", "open", "yes_no", "need" if SLOTS[key.slot].need else "open"))
    asked = other_value(random, key, split) if act == "yes_no" else None
    evidence = (_told(session.interactions)[near].id,)
    text = say(random, "train", act, key, asked or "")
    return Question("unknown", key, text, answer(key, None), None, evidence, session.on, asked)


def _example(pair: Question, turns: tuple[int, ...]) -> Example:
    """Positive is what asks for a value or rightly names it."""
    right = pair.value is not None and (pair.asked is None or pair.yes)
    return Example("positive" if right else "negative", pair.text, pair.answer, turns)


def _turns(pair: Question, seqs: Mapping[str, int], near: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The turns that a pair rests on; of what was never said, those that it is near to."""
    if not pair.evidence:
        return near.get(pair.key.slot, ())
    return tuple(seqs[one] for one in pair.evidence if one in seqs)


def _near(said: Iterable[Interaction], seqs: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """By slot, the turns that tell of it."""
    found: dict[str, tuple[int, ...]] = {}
    for one in said:
        if one.key is not None and one.id in seqs and one.label in LASTING:
            found[one.key.slot] = (*found.get(one.key.slot, ()), seqs[one.id])
    return found


def _told(said: Iterable[Interaction]) -> dict[Key, Interaction]:
    """By key, what was said of it last, but for what holds once only."""
    return {one.key: one for one in said if one.key is not None and one.label in LASTING}


def _updates(said: Iterable[Interaction], seqs: Mapping[str, int], split: Split) -> Iterator[Example]:
    for key, one in _told(said).items():
        if one.id in seqs:
            random = Random(f"update|{key}|{one.value}|{one.id}")
            other = other_value(random, key, split, one.value or "")
            text = say(random, "train", "new", key, other)
            context = recalled([replace(one, text=text, value=other, cue="")])
            asked = say(random, "train", "open", key)
            yield Example("update", asked, answer(key, other), (seqs[one.id],), context=context)
