"""Simulated people with known profiles: what is true of them when, and how they say it, all from one seed.

`generate` makes them; `Person.stream` gives their sessions plainly worded, partly paraphrased, or with noise in
between; `Person.golden` is what is true after a session. `oracle` understands it all: an upper bound for any learner.
"""

from persona_memory.evaluation.people.generate import SESSIONS, SIZES, generate
from persona_memory.evaluation.people.person import Label, Person, Saying, Session, Stream, Words, golden_profile

__all__ = ["SESSIONS", "SIZES", "Label", "Person", "Saying", "Session", "Stream", "Words", "generate", "golden_profile"]
