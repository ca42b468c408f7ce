"""One worker of a fleet: a process of the cluster that opens the memory and does the jobs of its queue."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import ray

from persona_memory import LedgerError, PersonaMemory, Workload

MARK = ".fleet"
"""A file in the adapters' folder that tells it from every other folder, on whichever machine it is looked at."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of life.

    Attributes:
        incarnation: another one after each restart.
        at_work: its memory is open.
        folder: the adapters' folder with its mark; None where the worker trains nothing.
        trained: adapters since it was opened.
    """

    incarnation: str
    node: str
    at_work: bool
    folder: tuple[str, str] | None
    trained: int


class Worker:
    """An actor. What it has in hand is a row of the ledger under a lease: it can be killed at any moment.

    Args:
        open_memory: opens the memory, here, with a worker that does not run yet.
    """

    def __init__(self, open_memory: Callable[[], PersonaMemory]) -> None:
        self._open = open_memory
        self._incarnation, self._node = secrets.token_hex(8), ray.get_runtime_context().get_node_id()
        self._memory: Future[PersonaMemory] = Future()
        self._folder: tuple[str, str] | None = None
        self._ended = threading.Event()

    def work(self) -> None:
        """Do what is queued until `stop`, or until the process ends: then Ray calls it again in the next one."""
        try:
            memory = self._open()
        except BaseException as error:  # who waits for the memory hears of it, too
            self._memory.set_exception(error)
            raise
        with memory:
            if memory.adapters_folder is not None:
                self._folder = (str(memory.adapters_folder), mark_of(memory.adapters_folder))
            self._memory.set_result(memory)
            if not self._ended.is_set():
                memory.run_worker()

    def sign(self) -> Sign:
        """Who it is and what it has done; answered while it works, and asks nobody else."""
        at_work = self._memory.done() and not self._memory.exception() and not self._ended.is_set()
        trained = self._memory.result().trained if at_work else 0
        return Sign(self._incarnation, self._node, at_work, self._folder, trained)

    def workload(self) -> Workload | None:
        """What is left in the queue, for whichever worker; None while the ledger cannot be read."""
        with suppress(LedgerError):
            return self._memory.result().workload()
        return None

    def consolidate(self, user_ids: Sequence[str] | None) -> int:
        """Queue the trainings of these people, or of all; returns how many they are. Waits until the memory is open."""
        memory = self._memory.result()
        everybody = memory.users() if user_ids is None else user_ids
        for user_id in everybody:
            memory.consolidate(user_id=user_id)
        return len(everybody)

    def stop(self) -> None:
        """End `work` at the next safe point; what is not done by then is given back."""
        self._ended.set()
        if self._memory.done() and not self._memory.exception():
            self._memory.result().stop_worker()


def mark_of(folder: Path) -> str:
    """What the folder is told by from others: whoever comes first marks it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder / f"{MARK}-{secrets.token_hex(8)}"
    aside.touch(mode=0o600)
    aside.write_text(aside.name, encoding="ascii")
    try:
        os.link(aside, folder / MARK)  # whole or not at all
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return (folder / MARK).read_text(encoding="ascii")
