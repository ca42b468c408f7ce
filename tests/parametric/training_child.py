"""Training in its own process, for tests that kill it: python -m tests.parametric.training_child BASE HOW FILE"""

from __future__ import annotations

import os
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Lesson, Settings
from persona_memory.parametric.encoding import Encoded, Reading, encode
from persona_memory.parametric.training import Progress, Trained, train_together
from persona_memory.protocols import Example

from .checkpoints import SPEC

SETTINGS = Settings(epochs=4, lr=1e-2, tokens=100, save_every=2)
KILLED_AT = 7


def lessons(base: BaseModel) -> list[Lesson]:
    """Two people, of whom one is done earlier."""
    facts = [
        Example("positive", f"What is my {x}?", f"It is {y}.", (1,)) for x, y in zip("abcdef", "uvwxyz", strict=True)
    ]
    readings = encode(base, [Reading("Eva plays squash.", "What does Eva play?", "Squash.")])
    return [Lesson(encode(base, facts), readings, seed=1), Lesson(encode(base, facts[:2]), readings, seed=2)]


def trained(base: BaseModel, checkpoint: Path | None, *, killed_at: int = 0) -> list[Trained]:
    """The result, unless the process is killed after a step."""

    def progress(now: Progress) -> None:
        if now.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return train_together(base, lessons(base), spec=SPEC, settings=SETTINGS, progress=progress, checkpoint=checkpoint)


def starved(base: BaseModel) -> None:
    """Train on more tokens at a time than the memory has room for."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    long = Encoded(tuple(range(5, 385)), (0.0, *[1.0] * 379))
    train_together(base, [Lesson([long] * 20)], spec=SPEC, settings=replace(SETTINGS, tokens=10_000))


if __name__ == "__main__":
    torch.set_num_threads(1)
    path, how, file = sys.argv[1:]
    loaded = BaseModel.load(path, dtype="float32")
    if how == "starved":
        starved(loaded)
    else:
        trained(loaded, Path(file), killed_at=KILLED_AT)
