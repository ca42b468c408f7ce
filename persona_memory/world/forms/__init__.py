"""Sentence frames by split and act. Frames of development and test are never in training; their words are.

Besides, a tenth of the combinations of training's own parts is held out: `combined` are those.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import accumulate
from typing import Literal

from persona_memory.world.forms import dev, more, test, train
from persona_memory.world.forms.parts import Frame, Parts, compose

Phrasing = Literal["plain", "train", "varied", "combined", "dev", "test"]
"""Where a frame is from: one plain frame for each act, training, training and further parts, training's held-out
combinations, development's parts, the test's parts. The reference model begins with the plain ones, as what is asked is
found sooner where it is said in few words, and ends with the varied ones, so that it reads what it never read."""

VARIED = {act: parts + more.ACTS[act] for act, parts in train.ACTS.items()}
PARTS: dict[str, dict[str, Parts]] = {"train": train.ACTS, "varied": VARIED, "dev": dev.ACTS, "test": test.ACTS}
PLAIN = 8.0
"""How much commoner a frame is for beginning without an opener, and for ending without more than its mark."""
CLAUSES = ("{says}", "{asks}", "{need}", "{who}")


@cache
def frames(phrasing: Phrasing, act: str) -> tuple[Frame, ...]:
    """All frames of an act."""
    if phrasing == "plain":
        parts = train.ACTS[act]
        return (Frame("", parts.bodies[0], parts.closers[0]),)
    if phrasing in ("dev", "test"):
        return compose(PARTS[phrasing][act])
    parts = VARIED[act] if phrasing == "varied" else train.ACTS[act]
    return tuple(frame for frame in compose(parts) if _kept_back(act, frame) == (phrasing == "combined"))


@cache
def fitting(phrasing: Phrasing, act: str, clause: bool) -> tuple[tuple[Frame, ...], tuple[float, ...]]:
    """The frames with a clause of the slot's own ("where I live"), or those with its noun ("my home town").

    With them their cumulated weights: plain openers and closers are commoner, as they are among people.
    """
    found = tuple(frame for frame in frames(phrasing, act) if any(name in frame.body for name in CLAUSES) == clause)
    return found, tuple(accumulate(_weight(frame) for frame in found))


def _weight(frame: Frame) -> float:
    return (PLAIN if not frame.opener else 1.0) * (PLAIN if frame.closer in (".", "?") else 1.0)


def _kept_back(act: str, frame: Frame) -> bool:
    if not frame.opener and frame.closer == train.ACTS[act].closers[0]:
        return False  # the plain frames
    digest = hashlib.blake2b(f"{act}|{frame.template}".encode(), digest_size=2).digest()
    return int.from_bytes(digest) % 10 == 0
