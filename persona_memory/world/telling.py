"""Somebody tells of themselves, fact by fact: what is said, what is true after it, and what can be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random

from persona_memory.world import noise
from persona_memory.world.forms import Phrasing
from persona_memory.world.people import BEGIN, other_value
from persona_memory.world.slots import SLOTS
from persona_memory.world.speech import cue, say
from persona_memory.world.values import ME, Interaction, Key, Label, Person

CUED = 0.25
"""How often the assistant asked for what is told."""
BY_NAME = 0.5
"""How often somebody whose name is known is spoken of by name."""
NEAR = 0.55
"""How often a new fact shares the slot or the subject with an earlier one: other people's same-slot facts."""


@dataclass(slots=True)
class Told:
    """What was told about a key: its value, the one before, the name it was told under, and by which interactions."""

    value: str
    old: str | None = None
    name: str | None = None
    evidence: list[str] = field(default_factory=list)
    old_evidence: list[str] = field(default_factory=list)


class Telling:
    """What a person has said so far. Each `tell` adds one interaction and returns it.

    Args:
        keys: what the person may tell, in this order of preference; None for all facts of the person.
    """

    def __init__(
        self, person: Person, random: Random, phrasing: Phrasing, *, keys: tuple[Key, ...] | None = None
    ) -> None:
        self.person, self.random, self.phrasing = person, random, phrasing
        self.facts = {fact.key: fact.value for fact in person.facts}
        self.untold = list(self.facts if keys is None else keys)
        self.told: dict[Key, Told] = {}
        self.names: dict[str, str] = {}
        self.interactions: list[Interaction] = []
        self.session, self.on = 0, BEGIN

    def tell(self, label: Label) -> Interaction | None:
        """Say something of this label; None where nothing of the kind is left to say."""
        if label == "noise":
            return self._noise()
        if label == "new":
            key = self._next_key()
            return None if key is None else self.tell_new(key)
        key = self.random.choice(list(self.told)) if self.told else None
        if key is None or (label in ("shift", "one_off") and key.slot == "name"):
            return None
        return self._again(label, key)

    def tell_new(self, key: Key) -> Interaction:
        """State a fact that was not stated before."""
        self.untold.remove(key)
        value = self.facts[key]
        name = self.names.get(key.subject) if key.slot != "name" and self.random.random() < BY_NAME else None
        text = say(self.random, self.phrasing, "new", key, value, name=name)
        made = self._add("new", text, key, value, cued=name is None)
        self.told[key] = Told(value, name=name, evidence=[*self._name_evidence(key, name), made.id])
        if key.slot == "name" and key.subject != ME:
            self.names[key.subject] = value
        return made

    def _again(self, label: Label, key: Key) -> Interaction:
        told = self.told[key]
        value = told.value
        if label != "repeat":
            value = other_value(self.random, key, self.person.split, told.value, told.old or told.value)
        act = (
            "new" if label == "shift" and self.random.random() < 0.15 else label
        )  # a plain contradiction: the later wins
        text = say(self.random, self.phrasing, act, key, value, name=told.name, old=told.value)
        made = self._add(label, text, key, value)
        if label == "shift":
            names = self._name_evidence(key, told.name)
            self.told[key] = Told(value, told.value, told.name, [*names, made.id], told.evidence)
        elif label == "repeat":
            told.evidence.append(made.id)
        return made

    def _noise(self) -> Interaction:
        text = noise.nonsense(self.random) if self.random.random() < 0.4 else noise.small_talk(self.random)
        return self._add("noise", text)

    def _add(
        self, label: Label, text: str, key: Key | None = None, value: str | None = None, *, cued: bool = False
    ) -> Interaction:
        asked = cue(key) if cued and key is not None and self.random.random() < CUED else ""
        made = Interaction(str(len(self.interactions)), self.session, self.on, label, asked, text, key, value)
        self.interactions.append(made)
        return made

    def _name_evidence(self, key: Key, name: str | None) -> list[str]:
        return list(self.told[Key(key.subject, "name")].evidence[:1]) if name else []

    def _next_key(self) -> Key | None:
        if not self.untold:
            return None
        if self.told and self.random.random() < NEAR:
            slots, subjects = {key.slot for key in self.told}, {key.subject for key in self.told} - {ME}
            like = self.random.random() < 0.5
            near = [key for key in self.untold if (key.slot in slots if like else key.subject in subjects)]
            if near:
                return self.random.choice(near)
        if self.random.random() < 0.2:
            names = [key for key in self.untold if key.slot == "name"]
            if names:
                return self.random.choice(names)
        return self.random.choice(self.untold)

    def begin_session(self, number: int, on: date) -> None:
        """What is told from now on belongs to this session of this day."""
        self.session, self.on = number, on

    def same_slot(self, key: Key) -> list[Key]:
        """The told facts of other people with the same slot."""
        return [other for other in self.told if other.slot == key.slot and other != key]

    @property
    def family(self) -> list[Key]:
        """All keys that the person could be asked about: told or not."""
        return [Key(subject, slot) for subject in (ME, *self.person.mates) for slot in SLOTS]
