"""Random scripts of calls, and what has to be there after each of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from persona_memory.types import Role

Kind = Literal[
    "observe", "import", "flush", "recall", "forget", "forget memory", "delete", "replay", "field", "consolidate",
    "backup", "restore", "rebuild",
]  # fmt: skip

WEIGHTS: dict[Kind, int] = {
    "observe": 12, "import": 3, "flush": 6, "recall": 2, "forget": 4, "forget memory": 3, "delete": 2, "replay": 2,
    "field": 2, "consolidate": 3, "backup": 3, "restore": 2, "rebuild": 1,
}  # fmt: skip

USERS = ("ana", "ben", "cleo")
STATEMENTS = (
    "I live in {}.", "My dog is called {}.", "I work as a {}.", "I play the {}.", "I am allergic to {}.",
    "My sister is called {}.", "I moved to {} last week.", "I know {} well.", "I drive a {} to work every day.",
)  # fmt: skip
REPLIES = ("All right, {} it is.", "Noted: {}.")


@dataclass(frozen=True, slots=True)
class Said:
    """One message; its mark occurs nowhere else."""

    role: Role
    text: str
    mark: str
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script.

    Attributes:
        said: for "observe", "replay" and "import": the messages.
        mark: for "forget" and "forget memory": of the message that goes; for "field" the value.
        name: for "backup" and "restore": of the folder.
    """

    kind: Kind
    user_id: str = ""
    thread_id: str = ""
    said: tuple[Said, ...] = ()
    mark: str = ""
    name: str = ""


def some_mark(chance: random.Random) -> str:
    """A word that nobody says: a capital, then letters only, so that it is a name to whoever reads it."""
    return "Q" + "".join(chance.choice("bcdfghjkmnprstvwxz") for _ in range(11))


def write(chance: random.Random, length: int) -> list[Call]:
    """A script of so many calls, which ends as it began: with something said and learnt."""
    spoken: list[tuple[str, str, Said]] = []
    backups: list[str] = []
    calls = [_talk(chance, spoken, "observe")]
    if chance.random() < 0.35:  # an adapter is served, and what it was trained on is erased
        calls += [_talk(chance, spoken, "import", user=USERS[0]) for _ in range(2)]
        calls += [Call("flush"), Call("consolidate", USERS[0])]
        learnt = [said.mark for user, _, said in spoken if user == USERS[0] and said.role == "user"]
        calls += [Call("forget", USERS[0], mark=chance.choice(learnt)) for _ in range(2)]
    while len(calls) < length:
        calls.append(_call(chance, spoken, backups))
    return calls


def _call(chance: random.Random, spoken: list[tuple[str, str, Said]], backups: list[str]) -> Call:
    kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    user = chance.choice(USERS)
    if kind in ("observe", "import"):
        return _talk(chance, spoken, kind)
    if kind in ("forget", "forget memory"):
        own = [one for one in spoken if one[2].role == "user"]
        user, _, said = chance.choice(own)
        return Call(kind, user, mark=said.mark)
    if kind == "replay":
        again = [one for one in spoken if one[2].message_id is not None and one[2].role == "user"]
        if not again:
            return _talk(chance, spoken, "observe")
        user, thread, said = chance.choice(again)
        return Call(kind, user, thread, (said,))
    if kind == "field":
        return Call(kind, user, mark=some_mark(chance))
    if kind == "backup":
        backups.append(f"backup-{len(backups)}" + chance.choice(("", ".tar")))
        return Call(kind, name=backups[-1])
    if kind == "restore":
        return Call(kind, name=chance.choice(backups)) if backups else Call("flush")
    return Call(kind, user)


def _talk(chance: random.Random, spoken: list[tuple[str, str, Said]], kind: Kind, *, user: str = "") -> Call:
    user, thread = user or chance.choice(USERS), f"t{chance.randrange(3)}"
    named, said = kind == "import" or chance.random() < 0.5, []
    for place in range(chance.randint(1, 4) if kind == "observe" else chance.randint(3, 8)):
        role: Role = "user" if place % 2 == 0 else "assistant"
        mark = some_mark(chance)
        text = chance.choice(STATEMENTS if role == "user" else REPLIES).format(mark)
        said.append(Said(role, text, mark, f"m{mark}" if named else None))
        spoken.append((user, thread, said[-1]))
    return Call(kind, user, thread, tuple(said))


@dataclass(slots=True)
class Held:
    """A message, and what has to have become of it: "held", "gone", or either ("maybe") after a kill in its call.

    Attributes:
        group: messages with the same number are there together, or none of them is.
    """

    said: Said
    group: int
    state: Literal["held", "gone", "maybe"]
    was_there: bool = False


@dataclass(slots=True)
class Expected:
    """What a memory has to hold, by what its calls have acknowledged."""

    people: dict[str, list[Held]] = field(default_factory=dict)
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: int = 0

    def begun(self, call: Call) -> None:
        """The process was killed in this call: it has happened as a whole, or not at all."""
        self._apply(call, certain=False)

    def done(self, call: Call) -> None:
        """The call was acknowledged."""
        self._apply(call, certain=True)

    def _apply(self, call: Call, *, certain: bool) -> None:
        theirs = self.people.setdefault(call.user_id, [])
        if call.kind in ("observe", "import", "replay"):
            self._say(theirs, call, certain=certain)
        elif call.kind in ("forget", "forget memory"):
            for one in theirs:
                if one.said.mark == call.mark:
                    _erase(one, certain=certain)
        elif call.kind == "delete":
            for one in theirs:
                _erase(one, certain=certain)
            self.fields[call.user_id] = ("",) if certain else ("", *self.fields.get(call.user_id, ()))
        elif call.kind == "field":
            before = self.fields.get(call.user_id, ("",))
            self.fields[call.user_id] = (call.mark,) if certain else (*before, call.mark)

    def _say(self, theirs: list[Held], call: Call, *, certain: bool) -> None:
        """A message that is known is not stored again: not even one that was erased."""
        self.groups += 1
        known = {one.said.mark: one for one in theirs}
        for said in call.said:
            one = known.get(said.mark)
            if one is None:
                theirs.append(Held(said, self.groups, "held" if certain else "maybe", was_there=certain))
            elif one.was_there:
                continue
            elif one.state == "gone":  # it was erased before it was ever stored, if it was not
                one.state, one.group = "maybe", self.groups
            elif certain:
                one.state, one.was_there = "held", True

    def gone(self, user_id: str) -> list[str]:
        """Marks that nobody may be able to read any more."""
        return [one.said.mark for one in self.people.get(user_id, []) if one.state == "gone"]

    def problems(self, user_id: str, texts: Sequence[str]) -> Iterator[str]:
        """What is wrong with these messages of a person, in the order in which they are stored."""
        theirs = self.people.get(user_id, [])
        there = set(texts)
        if len(there) != len(texts):
            yield f"{user_id}: stored twice: {sorted(one for one in there if texts.count(one) > 1)}"
        if unknown := there - {one.said.text for one in theirs}:
            yield f"{user_id}: nobody said {sorted(unknown)}"
        if lost := [one.said.text for one in theirs if one.state == "held" and one.said.text not in there]:
            yield f"{user_id}: acknowledged and lost: {lost}"
        if back := [one.said.text for one in theirs if one.state == "gone" and one.said.text in there]:
            yield f"{user_id}: erased and still there: {back}"
        if [one for one in texts if one in there] != [one.said.text for one in theirs if one.said.text in there]:
            yield f"{user_id}: not in the order in which it was said: {list(texts)}"
        for group in {one.group for one in theirs}:
            fresh = [one for one in theirs if one.group == group and one.state == "maybe" and not one.was_there]
            if len({one.said.text in there for one in fresh}) > 1:
                yield f"{user_id}: a call was stored in part: {[one.said.text for one in fresh]}"


def _erase(one: Held, *, certain: bool) -> None:
    if certain:
        one.state = "gone"
    elif one.state == "held":
        one.state = "maybe"
