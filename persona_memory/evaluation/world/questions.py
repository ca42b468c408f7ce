"""Questions about what a person has told, each with its answer, its evidence and the day it is right on."""

from __future__ import annotations

from random import Random

from persona_memory.evaluation.world.forms import Phrasing
from persona_memory.evaluation.world.people import other_value
from persona_memory.evaluation.world.slots import SLOTS
from persona_memory.evaluation.world.speech import answer, answered_who, say
from persona_memory.evaluation.world.telling import Telling, Told
from persona_memory.evaluation.world.values import ME, Key, Kind, Question

KINDS: tuple[Kind, ...] = ("open", "need", "updated", "previous", "yes_no", "two_hop", "inverse", "unknown")


def ask(telling: Telling, kind: Kind, random: Random, *, phrasing: Phrasing | None = None) -> Question | None:
    """A question of this kind about what was told; None where none can be asked yet."""
    phrasing = phrasing or telling.phrasing
    if kind == "unknown":
        return _unknown(telling, random, phrasing)
    candidates = [(key, told) for key, told in telling.told.items() if _suits(telling, kind, key, told)]
    if not candidates:
        return None
    key, told = random.choice(candidates)
    name = told.name
    if kind == "two_hop":
        name = None if told.name else telling.names[key.subject]
    if kind == "yes_no":
        return _yes_no(telling, random, phrasing, key, told)
    acts: dict[Kind, str] = {"two_hop": "open"}
    act = acts.get(kind, kind)
    if kind == "updated" and random.random() < 0.5:
        act = "open"
    text = say(random, phrasing, act, key, told.value, name=name)
    right = answer(key, told.value, name=name)
    if kind == "previous":
        right = answer(key, told.old, name=name, verb="was")
    elif kind == "inverse":
        right = answered_who(key.subject)
    return _question(telling, kind, key, text, right, told)


def _suits(telling: Telling, kind: Kind, key: Key, told: Told) -> bool:
    named = told.name is not None
    if kind in ("updated", "previous"):
        return told.old is not None and not (kind == "updated" and named)
    if kind == "two_hop":
        return key.subject in telling.names and key.slot != "name"
    if kind == "need":
        return bool(SLOTS[key.slot].need) and not named and telling.phrasing != "plain"
    if kind == "inverse":
        values = [telling.told[other].value for other in telling.same_slot(key)]
        return not named and told.old is None and told.value not in values and key.slot != "name"
    return True


def _yes_no(telling: Telling, random: Random, phrasing: Phrasing, key: Key, told: Told) -> Question:
    asked = told.value if random.random() < 0.5 else wrong_value(telling, random, key)
    text = say(random, phrasing, "yes_no", key, asked, name=told.name)
    right = answer(key, told.value, name=told.name, verdict="yes" if asked == told.value else "no")
    return _question(telling, "yes_no", key, text, right, told, asked)


def wrong_value(telling: Telling, random: Random, key: Key) -> str:
    """A value that the key does not have: its old one, another person's for the same slot, or any other."""
    told = telling.told[key]
    near = [telling.told[other].value for other in telling.same_slot(key)] + ([told.old] if told.old else [])
    near = [value for value in near if value != told.value]
    if near and random.random() < 0.6:
        return random.choice(near)
    return other_value(random, key, telling.person.split, told.value)


def _unknown(telling: Telling, random: Random, phrasing: Phrasing) -> Question:
    """A question about what was never told, mostly near to what was."""
    slots, subjects = {key.slot for key in telling.told}, {key.subject for key in telling.told}
    untold = [key for key in telling.family if key not in telling.told]
    near = [key for key in untold if key.slot in slots or (key.subject in subjects and key.subject != ME)]
    key = random.choice(near if near and random.random() < 0.7 else untold)
    name = telling.names.get(key.subject) if random.random() < 0.3 else None
    need = SLOTS[key.slot].need and phrasing != "plain"
    act = random.choice(("open", "open", "yes_no", "need" if need else "updated"))
    asked = other_value(random, key, telling.person.split) if act == "yes_no" else None
    text = say(random, phrasing, act, key, asked or "", name=name)
    return Question("unknown", key, text, answer(key, None, name=name), None, (), telling.on, asked)


def _question(
    telling: Telling, kind: Kind, key: Key, text: str, right: str, told: Told, asked: str | None = None
) -> Question:
    evidence = [*told.old_evidence, *told.evidence] if kind == "previous" else list(told.evidence)
    if kind == "two_hop":
        evidence = [*telling.told[Key(key.subject, "name")].evidence[:1], *evidence]
    return Question(kind, key, text, right, told.value, tuple(dict.fromkeys(evidence)), telling.on, asked)
