"""Facts and questions as sentences: a frame, filled with the words of the slot and of the person it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from random import Random

from persona_memory.world.forms import Phrasing, fitting
from persona_memory.world.forms.parts import Frame
from persona_memory.world.slots import SLOTS, Slot
from persona_memory.world.values import ME, UNKNOWN, Key

CLAUSES = 0.4
"""How often a slot that has a clause of its own is spoken of with it."""
NEEDED = {"new": "says", "repeat": "says", "shift": "says", "open": "asks", "need": "need", "updated": "asks",
          "yes_no": "says", "inverse": "says"}  # fmt: skip
"""The slot's clause that an act's frames may use; the acts that are not named here use the noun alone."""
_VERB = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Speaker:
    """How somebody is spoken of: as "I", as "my sister", or by name."""

    subject: str
    name: str | None = None

    @property
    def nominative(self) -> str:
        """As the subject of a sentence."""
        return self.name or ("I" if self.subject == ME else f"my {self.subject}")

    @property
    def accusative(self) -> str:
        """As an object."""
        return self.name or ("me" if self.subject == ME else f"my {self.subject}")

    @property
    def possessive(self) -> str:
        """Before a noun."""
        return "my" if self.subject == ME and not self.name else f"{self.nominative}'s"


def say(
    random: Random, phrasing: Phrasing, act: str, key: Key, value: str = "", *, name: str | None = None, old: str = ""
) -> str:
    """A sentence of this act about a fact.

    Args:
        value: what the fact is worth, or the value that a yes/no or an inverse question names.
        name: speak of the subject by this name instead of as "my sister".
        old: the value before a lasting shift.
    """
    slot = SLOTS[key.slot]
    needed = NEEDED.get(act)
    clause = act == "need" or (
        needed is not None and bool(getattr(slot, needed)) and phrasing != "plain" and random.random() < CLAUSES
    )
    choices, weights = fitting(phrasing, act, clause)
    frame = random.choices(choices, cum_weights=weights)[0]
    return fill(frame, slot, Speaker(key.subject, name), value, old)


def fill(frame: Frame, slot: Slot, speaker: Speaker, value: str, old: str) -> str:
    """The frame with its words, beginning with a capital letter."""
    text = frame.template.format(
        ref=f"{speaker.possessive} {slot.noun}",
        noun=slot.noun,
        v=value,
        old=old,
        says=_clause(slot.says, speaker).format(v=value),
        asks=_clause(slot.asks, speaker),
        need=slot.need.format(o=speaker.accusative),
        who=conjugated(slot.says, first=False).format(s="who", v=value),
    )
    return text[0].upper() + text[1:]


def _clause(template: str, speaker: Speaker) -> str:
    first = speaker.subject == ME and speaker.name is None
    return conjugated(template, first=first).replace("{s}", speaker.nominative)


@cache
def conjugated(template: str, *, first: bool) -> str:
    """The clause with the verb after "I", or after anybody else."""
    return _VERB.sub(lambda match: match[1 if first else 2], template)


def cue(key: Key) -> str:
    """What an assistant asks so that the person tells this fact."""
    whose = "your" if key.subject == ME else f"your {key.subject}'s"
    return f"What is {whose} {SLOTS[key.slot].noun}?"


def answer(key: Key, value: str | None, *, name: str | None = None, verb: str = "is", verdict: str = "") -> str:
    """The answer in a whole sentence: it says first what it is about, so that a small model looks it up as it speaks.

    Args:
        value: what the key is worth; None where it was never told.
        name: the name under which the question spoke of the subject.
        verdict: "yes" or "no", which follows from the value.
    """
    whose = f"{name}'s" if name else "Your" if key.subject == ME else f"Your {key.subject}'s"
    end = f", so {verdict}." if verdict else "."
    return f"{whose} {SLOTS[key.slot].noun} {verb} {UNKNOWN if value is None else value}{end}"


def answered_who(subject: str) -> str:
    """The answer to an inverse question."""
    return "you." if subject == ME else f"your {subject}."
