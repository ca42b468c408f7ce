"""Meta-learning in its own process, for a test that kills it: python -m tests.parametric.meta_child BASE FILE"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.encoding import Reading, encode
from persona_memory.parametric.inner import Task
from persona_memory.parametric.meta import MetaProgress, MetaSettings, MetaTrained, meta_train
from persona_memory.protocols import Example

from .checkpoints import SPEC

SETTINGS = MetaSettings(steps=6, batch=2, inner=2, rate=0.3, tokens=120, at_once=2, save_every=2)
KILLED_AT = 5


def child_tasks(base: BaseModel) -> list[Task]:
    """Four people with two facts each, asked about in other words in the query."""
    readings = encode(base, [Reading("Eva plays squash.", "What does Eva play?", "Squash.")])
    towns, foods = ("Porto", "Rome", "Oslo", "Bern"), ("curry", "rice", "bread", "soup")
    return [
        Task(
            encode(base, [_pair("Where do I live?", town), _pair("What do I eat?", food)]),
            encode(base, [_pair("What is my town?", town), _pair("Which food is mine?", food)]),
            readings,
            seed,
        )
        for seed, (town, food) in enumerate(zip(towns, foods, strict=True))
    ]


def learnt(
    base: BaseModel, checkpoint: Path | None, progress: Callable[[MetaProgress], None] | None = None
) -> MetaTrained:
    """A start by the method that has most to keep."""
    return meta_train(
        base, child_tasks(base), method="meta-sgd", spec=SPEC, settings=SETTINGS, checkpoint=checkpoint,
        progress=progress,
    )  # fmt: skip


def _pair(question: str, answer: str) -> Example:
    return Example("positive", question, f"{answer}.", (1,))


def _killed(now: MetaProgress) -> None:
    if now.step == KILLED_AT:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    path, file = sys.argv[1:]
    learnt(BaseModel.load(path, dtype="float32"), Path(file), _killed)
