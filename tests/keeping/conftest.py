"""Homes with a memory that knows two people, and adapters whose files are what was registered."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from persona_memory import PersonaMemory
from persona_memory.adapters import Fingerprint, LoraSpec, Manifest
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import to_json
from persona_memory.types import Adapter
from tests.memory.conftest import Clock, Open, clock, memory, open_memory

__all__ = ["Clock", "Open", "clock", "memory", "open_memory"]

BASE = {"base": "b" * 64, "tokenizer": "c" * 64, "template": "d" * 64}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the test's memories."""
    return tmp_path / "home"


@pytest.fixture
def known(memory: PersonaMemory, clock: Clock) -> PersonaMemory:
    """A memory that has learnt from Ana and Ben."""
    say(memory, "ana", "I live in Porto. I work as a nurse.", "My dog is called Rex.")
    say(memory, "ben", "I live in Bergen.", "My locker code is xylophone7.")
    clock.move(minutes=1)
    return memory


def say(memory: PersonaMemory, user_id: str, *texts: str, thread: str = "t1") -> None:
    """Messages of a person, learnt and embedded."""
    memory.observe([("user", text) for text in texts], user_id=user_id, thread_id=thread)
    memory.flush(timeout=60)


def adapter(memory: PersonaMemory, user_id: str, *, turns: tuple[int, ...] = (1,)) -> Adapter:
    """A revision that is served, with files that have their checksums."""
    registry, now = memory._learning.adapters, memory._learning.clock()
    before = registry.active(user_id)
    begun = registry.begin(user_id, base_model="tiny", fingerprint=BASE, turns=turns, memory_ids=[], now=now)
    weights, config = f"weights of {begun.adapter_id}".encode(), b"{}"
    manifest = Manifest(
        begun.adapter_id, hashlib.sha256(weights).hexdigest(), hashlib.sha256(config).hexdigest(),
        Fingerprint(**BASE), LoraSpec(), "tiny", "float32", now.isoformat(),
    )  # fmt: skip
    files = {WEIGHTS: weights, CONFIG: config, MANIFEST: to_json(manifest)}
    registry.evaluate(user_id, begun.adapter_id, files, report={"passed": True})
    replacing = None if before is None else before.adapter_id
    return registry.promote(user_id, begun.adapter_id, now=now, replacing=replacing)


def everything(memory: PersonaMemory) -> dict[str, object]:
    """All that is stored of everybody, as `export` gives it."""
    return {user: memory.export(user_id=user) for user in memory.users()}


def raw(place: Path) -> bytes:
    """Every byte of a file, or of every file below a folder."""
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


@contextmanager
def by_hand(home: Path) -> Iterator[sqlite3.Connection]:
    """The ledger's file, to break something in it."""
    with closing(sqlite3.connect(home / "memory.db")) as database:
        yield database
        database.commit()
