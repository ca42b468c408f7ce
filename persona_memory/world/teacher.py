"""A teacher for people of the world: it knows what can be studied of each thing that they say (PLUM, arXiv 2411.13405).

It stands where a chat model stands for real people, so that what an adapter learns is not mixed with how well a
teacher writes. It writes in the phrasing that the history was told in, and never sees the questions that are asked.
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
from persona_memory.world.speech import answer, say
from persona_memory.world.values import Interaction, Key, Question, Split


@dataclass(frozen=True, slots=True)
class WorldTeacher:
    """The `Teacher` of one or more people's histories; what they did not say teaches nothing.

    Attributes:
        sessions: of the histories. Two people who say the same thing in the same words are told apart by what else is
            said in the conversation.
        split: from which what could be said one day has its values.
    """

    sessions: Sequence[Session]
    split: Split = "train"
    name: str = "world"

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        """The examples of the session that this conversation is, as far as it holds their evidence; see `Teacher`."""
        said = {turn.text: turn.seq for turn in conversation if turn.role == "user"}
        session = max(self.sessions, key=lambda one: sum(told.text in said for told in one.interactions))
        return taught(
            session, {told.id: said[told.text] for told in session.interactions if told.text in said}, self.split
        )


def taught(session: Session, seqs: Mapping[str, int], split: Split = "train") -> tuple[Example, ...]:
    """The examples of a session: its pairs, then for each fact what would be right if the person said otherwise.

    Args:
        session: what was said, with its pairs.
        seqs: of interactions that count as said, by their ids, the sequence numbers of their turns.
        split: as in `WorldTeacher`.
    """
    near = _near(session.interactions, seqs)
    pairs = (_example(one, _turns(one, seqs, near)) for one in session.pairs)
    return tuple(one for one in (*pairs, *_updates(session.interactions, seqs, split)) if one.turns)


def kind_of(pair: Question) -> str:
    """Whether a pair is about what was said ("positive") or about what was not."""
    right = pair.asked is None or pair.yes
    return "positive" if pair.value is not None and right else "negative"


def _example(pair: Question, turns: tuple[int, ...]) -> Example:
    return Example(kind_of(pair), pair.text, pair.answer, turns)  # type: ignore[arg-type]


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


def _updates(said: Sequence[Interaction], seqs: Mapping[str, int], split: Split) -> Iterator[Example]:
    told: dict[Key, Interaction] = {one.key: one for one in said if one.key is not None and one.label in LASTING}
    for key, one in told.items():
        if one.id not in seqs:
            continue
        random = Random(f"update|{key}|{one.value}|{one.id}")
        other = other_value(random, key, split, one.value or "")
        text = say(random, "train", "new", key, other)
        context = recalled([replace(one, text=text, value=other, cue="")])
        yield Example("update", say(random, "train", "open", key), answer(key, other), (seqs[one.id],), context=context)
