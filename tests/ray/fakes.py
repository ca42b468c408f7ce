"""Memories as a fleet's workers open them, with parts that kill their process or never end. Needs no torch."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from persona_memory import PersonaMemory, Retry
from persona_memory.protocols import Studied, Study
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.memory.test_consolidating import ByHeart, Trainer


@dataclass(frozen=True)
class Place:
    """Where a fleet's memory is: what is passed to its workers."""

    url: str
    namespace: str
    home: Path

    def open(self, **options: Any) -> PersonaMemory:
        """The memory with its worker at rest, without pauses."""
        settings: dict[str, Any] = {
            "embeddings": HashingEmbedder(), "worker": False, "retry": Retry(backoff=0.0), "quiet": timedelta(),
        }  # fmt: skip
        home = options.pop("home", self.home)
        return PersonaMemory.open(home, url=self.url, namespace=self.namespace, **{**settings, **options})

    def learning(self) -> PersonaMemory:
        """Of a worker that learns, and is killed in the middle of it, once."""
        return self.open(embeddings=Deadly(self.home))

    def training(self) -> PersonaMemory:
        """Of a worker that trains, and is killed in the middle of it, once."""
        return self.open(parametric=DeadlyTrainer(home=self.home), teacher=ByHeart())

    def endless(self) -> PersonaMemory:
        """Of a worker whose trainings never end."""
        return self.open(parametric=EndlessTrainer(), teacher=ByHeart())

    def apart(self) -> PersonaMemory:
        """Of a worker that keeps adapters in a folder of its own."""
        return self.open(home=self.home / str(os.getpid()), parametric=EndlessTrainer(), teacher=ByHeart())


def die_once(home: Path) -> None:
    """Kill this process, unless that was done before."""
    try:
        (home / "killed").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(HashingEmbedder):
    """Kills its process where a cello is to be embedded."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As hashed words, if it lives."""
        if any("cello" in text for text in texts):
            die_once(self._home)
        return super().embed_documents(texts)


@dataclass
class DeadlyTrainer(Trainer):
    """Kills its process in the middle of a training."""

    home: Path = Path()

    async def train(self, study: Study) -> Studied:
        """As told, if it lives."""
        study.workspace.mkdir(parents=True, exist_ok=True)
        die_once(self.home)
        return await super().train(study)


@dataclass
class EndlessTrainer(Trainer):
    """Says that it has begun, and never ends."""

    async def train(self, study: Study) -> Studied:
        """Nothing, ever."""
        study.workspace.mkdir(parents=True, exist_ok=True)
        await asyncio.Event().wait()
        raise AssertionError
