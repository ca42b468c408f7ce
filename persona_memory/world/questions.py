"""Questions about what a person has told, each with its answer, its evidence and the day it is right on."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from persona_memory.world.forms import Phrasing
from persona_memory.world.people import other_value
from persona_memory.world.slots import SLOTS
from persona_memory.world.speech import answer, answered_who, say
from persona_memory.world.telling import Telling, Told
from persona_memory.world.values import ME, Key, Kind, Question

KINDS: tuple[Kind, ...] = ("open", "need", "updated", "previous", "yes_no", "two_hop", "inverse", "unknown")


def ask(telling: Telling, kind: Kind, random: Random, *, phrasing: Phrasing | None = None) -> Question | None:
    """A question of this kind about what was told; None where none can be asked yet."""
    if kind == "unknown":
        return _unknown(telling, random, phrasing or telling.phrasing)
    candidates = [key for key, told in telling.told.items() if _suits(telling, kind, key, told)]
    return ask_about(telling, random.choice(candidates), kind, random, phrasing=phrasing) if candidates else None


def ask_about(
    telling: Telling,
    key: Key,
    kind: Kind,
    random: Random,
    *,
    phrasing: Phrasing | None = None,
    right: bool | None = None,
) -> Question:
    """A question of this kind about a key that was told.

    Args:
        right: whether a yes/no question names the right value; None leaves it to chance.
    """
    told, phrasing = telling.told[key], phrasing or telling.phrasing
    name = told.name
    if kind == "two_hop":
        name = None if told.name else telling.names[key.subject]
    if kind == "yes_no":
        return _yes_no(telling, random, phrasing, key, told, right)
    act = "open" if kind == "two_hop" or (kind == "updated" and random.random() < 0.5) else kind
    text = say(random, phrasing, act, key, told.value, name=name)
    reply = answer(key, told.value, name=name)
    if kind == "previous":
        reply = answer(key, told.old, name=name, verb="was")
    elif kind == "inverse":
        reply = answered_who(key.subject)
    return _question(telling, kind, key, text, reply, told)


def study(
    telling: Telling, keys: Iterable[Key], random: Random, *, views: int, phrasing: Phrasing | None = None
) -> tuple[Question, ...]:
    """Question/answer pairs about these keys, as many negative as positive (PLUM): what an adapter is trained on.

    Positive: the value is asked for or rightly named. Negative: it is wrongly named, or the same is asked about
    somebody of whom it was never told.
    """
    pairs: list[Question] = []
    phrasing = phrasing or telling.phrasing
    for key in keys:
        needs = _has_need(key, telling.told[key], phrasing)
        for view in range(views):
            kinds: tuple[Kind, ...] = ("open", "yes_no", "need" if needs else "open")
            pairs.append(ask_about(telling, key, kinds[view % 3], random, phrasing=phrasing, right=True))
            strangers = [other for other in telling.family if other.slot == key.slot and other not in telling.told]
            if view % 2 and strangers:
                pairs.append(_unknown(telling, random, phrasing, random.choice(strangers)))
            else:
                pairs.append(ask_about(telling, key, "yes_no", random, phrasing=phrasing, right=False))
    return tuple(pairs)


def _suits(telling: Telling, kind: Kind, key: Key, told: Told) -> bool:
    named = told.name is not None
    if kind in ("updated", "previous"):
        return told.old is not None and not (kind == "updated" and named)
    if kind == "two_hop":
        return key.subject in telling.names and key.slot != "name"
    if kind == "need":
        return _has_need(key, told, telling.phrasing)
    if kind == "inverse":
        values = [telling.told[other].value for other in telling.same_slot(key)]
        return not named and told.old is None and told.value not in values and key.slot != "name"
    return True


def _has_need(key: Key, told: Told, phrasing: Phrasing) -> bool:
    """Whether the value can be asked for by what it is needed for: the plain phrasing does not."""
    return bool(SLOTS[key.slot].need) and told.name is None and phrasing != "plain"


def _yes_no(telling: Telling, random: Random, phrasing: Phrasing, key: Key, told: Told, right: bool | None) -> Question:
    right = random.random() < 0.5 if right is None else right
    asked = told.value if right else wrong_value(telling, random, key)
    text = say(random, phrasing, "yes_no", key, asked, name=told.name)
    reply = answer(key, told.value, name=told.name, verdict="yes" if right else "no")
    return _question(telling, "yes_no", key, text, reply, told, asked)


def wrong_value(telling: Telling, random: Random, key: Key) -> str:
    """A value that the key does not have: its old one, another person's for the same slot, or any other."""
    told = telling.told[key]
    near = [telling.told[other].value for other in telling.same_slot(key)] + ([told.old] if told.old else [])
    near = [value for value in near if value != told.value]
    if near and random.random() < 0.6:
        return random.choice(near)
    return other_value(random, key, telling.person.split, told.value)


def _unknown(telling: Telling, random: Random, phrasing: Phrasing, key: Key | None = None) -> Question:
    """A question about what was never told, mostly near to what was."""
    key = key or _stranger(telling, random)
    name = telling.names.get(key.subject) if random.random() < 0.3 else None
    need = SLOTS[key.slot].need and phrasing != "plain"
    act = random.choice(("open", "open", "yes_no", "need" if need else "updated"))
    asked = other_value(random, key, telling.person.split) if act == "yes_no" else None
    text = say(random, phrasing, act, key, asked or "", name=name)
    return Question("unknown", key, text, answer(key, None, name=name), None, (), telling.on, asked)


def _stranger(telling: Telling, random: Random) -> Key:
    """A key that was never told: mostly of a slot or a subject that was spoken of."""
    slots, subjects = {key.slot for key in telling.told}, {key.subject for key in telling.told}
    untold = [key for key in telling.family if key not in telling.told]
    near = [key for key in untold if key.slot in slots or (key.subject in subjects and key.subject != ME)]
    return random.choice(near if near and random.random() < 0.7 else untold)


def _question(
    telling: Telling, kind: Kind, key: Key, text: str, reply: str, told: Told, asked: str | None = None
) -> Question:
    evidence = [*told.old_evidence, *told.evidence] if kind == "previous" else list(told.evidence)
    if kind == "two_hop":
        evidence = [*telling.told[Key(key.subject, "name")].evidence[:1], *evidence]
    return Question(kind, key, text, reply, told.value, tuple(dict.fromkeys(evidence)), telling.on, asked)
