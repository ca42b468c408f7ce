"""The offline optimiser: what the person states plainly, as edits of the profile, without a model."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from persona_memory.profile.answers import answered
from persona_memory.profile.corrections import is_retraction, named_exchange
from persona_memory.profile.english.grammar import first_person
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.fold import apply
from persona_memory.profile.schema import fold_key
from persona_memory.profile.statements import Change, Statement, corrected, statements
from persona_memory.protocols import ProfileView
from persona_memory.types import Memory, Profile, ProfileEdit, Turn

CONFIDENCE: Final = 0.9
_OF_THE_USER = Regex(r"\s*(?:the )?user(?:'s)?\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RuleOptimizer:
    """Proposes what plain English statements in the person's turns mean for the default schema's fields.

    Fields that the host's own schema does not have are left out.
    """

    every: int = 1
    name: str = "rules"

    async def propose(self, view: ProfileView) -> Sequence[ProfileEdit]:
        """One stated edit per change, in the order of the turns; what would change nothing is left out."""
        profile, edits = view.profile, list[ProfileEdit]()
        replies = _replies(view.turns)
        for turn, said in stated(view.turns, view.memories, view.statements):
            exchanged: set[tuple[str, str]] = set()
            for edit in () if said else _corrected(turn, replies.get(turn.seq, ""), profile):
                profile = apply(profile, edit, view.schema)
                edits.append(edit)
            for statement in said:
                for change in statement.changes:
                    if (statement.quote, str(change.value)) in exchanged:
                        continue  # "I moved from Siemens to Bosch" of who works at Siemens is no change of home
                    if not _is_meant(statement, change, profile):
                        continue
                    for edit in _edits(change, turn, profile) if change.field in view.schema else ():
                        profile = apply(profile, edit, view.schema)
                        edits.append(edit)
                        if change.instead is not None:
                            exchanged.add((statement.quote, change.instead))
        return tuple(edits)


def stated(
    turns: Sequence[Turn], memories: Sequence[Memory] = (), saved: Collection[int] = ()
) -> list[tuple[Turn, tuple[Statement, ...]]]:
    """The person's turns with what each states, by itself or as a short answer to the turn before it.

    A turn that only says "just kidding" takes back what the person's turn before it in the same thread said. What a
    turn says only in the light of one that is not among these ("Sorry, I meant Porto") is taken from its memories.

    Args:
        saved: sequence numbers of turns that are no part of a conversation: "User lives in Porto" is believed in these.
    """
    found: list[tuple[Turn, tuple[Statement, ...]]] = []
    last: dict[str, Turn] = {}
    own: dict[str, Turn] = {}
    for turn in turns:
        before = last.get(turn.thread_id)
        if turn.role == "user":
            if is_retraction(turn.text):
                found = _without_last(found, turn.thread_id)
            else:
                told = first_person(turn.text) if turn.seq in saved and _OF_THE_USER.match(turn.text) else ""
                said = statements(told) if told else _of_turn(turn, before, own.get(turn.thread_id))
                said = said or _of_memories(turn, memories)
                found.append((turn, said))
            own[turn.thread_id] = turn
        last[turn.thread_id] = turn
    return found


def _of_turn(turn: Turn, before: Turn | None, own: Turn | None) -> tuple[Statement, ...]:
    said = statements(turn.text)
    if not said and before is not None and before.role == "assistant":
        said = answered(before.text, turn.text)
    return said or (corrected(own.text, turn.text) if own is not None else ())


def _of_memories(turn: Turn, memories: Sequence[Memory]) -> tuple[Statement, ...]:
    told = [one.text for one in memories if one.sources == (turn.seq,) and one.kind == "semantic"]
    return tuple(statement for text in told for statement in statements(first_person(text)))


def _without_last(
    found: list[tuple[Turn, tuple[Statement, ...]]], thread_id: str
) -> list[tuple[Turn, tuple[Statement, ...]]]:
    latest = max((number for number, (turn, _) in enumerate(found) if turn.thread_id == thread_id), default=None)
    return found if latest is None else found[:latest] + found[latest + 1 :]


def _replies(turns: Sequence[Turn]) -> dict[int, str]:
    """What the assistant said right before a turn in its thread, by the turn's number."""
    found: dict[int, str] = {}
    last: dict[str, Turn] = {}
    for turn in turns:
        before = last.get(turn.thread_id)
        if before is not None and before.role == "assistant":
            found[turn.seq] = before.text
        last[turn.thread_id] = turn
    return found


def _corrected(turn: Turn, reply: str, profile: Profile) -> Iterator[ProfileEdit]:
    """What "I said 3 April, I meant 4 April" makes of the one value of the profile that it names as wrong."""
    named = named_exchange(turn.text, reply)
    if named is None:
        return
    old, new = named
    changes = {field: Change(field, "remove", old, instead=new) for field in profile.entries}
    hit = [(change, item) for field, change in changes.items() for item in _held(profile, field) if change.means(item)]
    if len(hit) == 1:
        yield from _edits(hit[0][0], turn, profile)


def _is_meant(statement: Statement, change: Change, profile: Profile) -> bool:
    """Whether the change is meant for who has this profile."""
    if change.given is not None:
        return change.given.holds(_held(profile, change.given.field))
    return change.op == "remove" or not statement.presupposes or bool(_held(profile, change.field))


def _held(profile: Profile, field: str) -> list[str]:
    held = profile.get(field)
    return [str(item) for item in (held if isinstance(held, tuple) else () if held is None else (held,))]


def _edits(change: Change, turn: Turn, profile: Profile) -> Iterator[ProfileEdit]:
    """The change as edits of this profile: removals name the items that are there."""
    held = profile.get(change.field)
    items = held if isinstance(held, tuple) else () if held is None else (held,)
    if change.op != "remove":
        known = any(fold_key(item).startswith(f"{fold_key(change.value)} ") for item in items)
        if not (change.vague and known):
            yield _edit(change.field, change.op, change.value, turn)
        return
    for item in items:
        if change.means(str(item)):
            yield _edit(change.field, "remove", item, turn)
            if (instead := change.replaced(str(item))) is not None:
                yield _edit(change.field, "add", instead, turn)


def _edit(field: str, op: Literal["set", "add", "remove"], value: object, turn: Turn) -> ProfileEdit:
    return ProfileEdit(field, op, value, (turn.seq,), CONFIDENCE, "stated", turn.at)
