"""A synthetic world of people whose facts, drifts and words are known: made from seeds, the same on every machine.

`person` makes somebody with 420 keyed facts; `history` their dated sessions, whose interactions are labelled new,
repeat, shift, one-off or noise; `scene` a short conversation with one question; `dialogue` an endless one. Words,
values, people and phrasings are split: what development and test hold out is never in training in the same frame, but
every word of it is.
"""

from persona_memory.world.contexts import Scene, dialogue, noted, pair, scene, spoken
from persona_memory.world.drift import Schedule, Session, history
from persona_memory.world.people import person
from persona_memory.world.questions import KINDS
from persona_memory.world.slots import SLOTS
from persona_memory.world.values import (
    Fact,
    Interaction,
    Key,
    Message,
    Person,
    Question,
)

__all__ = [
    "KINDS",
    "SLOTS",
    "Fact",
    "Interaction",
    "Key",
    "Message",
    "Person",
    "Question",
    "Scene",
    "Schedule",
    "Session",
    "dialogue",
    "history",
    "noted",
    "pair",
    "person",
    "scene",
    "spoken",
]
