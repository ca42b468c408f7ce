"""What the bars are measured on, frozen: a change of the world that alters it changes the hash, and a test notices."""

from __future__ import annotations

import hashlib

from persona_memory.world.contexts import pair, scene
from persona_memory.world.drift import Schedule, history
from persona_memory.world.people import person
from persona_memory.world.questions import KINDS

SEED = 7_000_000
"""Of the first scene of a measurement."""
DIGEST = "ea6b6001389ba565"
"""Of the first scenes of each kind and phrasing, of pairs, of a person's facts and of a history."""


def digest(scenes: int = 5) -> str:
    """The hash of what is measured on."""
    seen: list[object] = [person("test", 0), pair(SEED, split="test", phrasing="train")]
    seen += [
        scene(kind, SEED + place, split="test", phrasing=phrasing)
        for kind in KINDS
        for phrasing in ("train", "combined", "test")
        for place in range(scenes)
    ]
    seen += history(person("test", 1), Schedule(), seed=0, phrasing="train", asked="test")
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
