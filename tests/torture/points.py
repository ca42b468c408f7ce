"""Named points at which a process kills itself: before a statement, within one, at a change of a file, after a call."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import threading
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import event
from sqlalchemy.engine import Engine

Point = Literal["statement", "commit", "within", "file", "done", "time"]
POINTS: tuple[Point, ...] = ("statement", "commit", "within", "file", "done", "time")

STEPS = 300
"""Steps of SQLite's virtual machine between two points within a statement."""

FILE_EVENTS = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "shutil.rmtree"})

MOST = {"statement": 120, "commit": 12, "within": 400, "file": 40, "done": 1, "time": 1}


@dataclass(frozen=True, slots=True)
class Kill:
    """When a process is to die: at the `number`th point of a kind, counted from the beginning of a call.

    Attributes:
        call: number of the call; where it has fewer such points, the process dies when the next call begins.
        seconds: after the beginning of the call, for "time".
    """

    call: int
    point: Point
    number: int
    seconds: float


def some_kill(chance: random.Random, calls: range) -> Kill:
    """A random one; early points, which every call has, are as likely as late ones, and later calls likelier."""
    point = chance.choice(POINTS)
    number = int(MOST[point] ** chance.random())
    return Kill(max(chance.choice(calls), chance.choice(calls)), point, max(1, number), chance.uniform(0.0, 0.15))


class Points:
    """Counts the points that this process passes, and ends it at the one that is meant."""

    def __init__(self, kill: Kill) -> None:
        self._kill, self._left = kill, kill.number
        self._armed = False

    def watch(self) -> None:
        """Be told of everything that happens from now on, in all threads."""
        event.listen(Engine, "connect", self._watch_connection)
        if self._kill.point == "file":
            sys.addaudithook(lambda name, _: self.hit("file") if name in FILE_EVENTS else None)

    def enter(self, call: int) -> None:
        """A call begins."""
        if self._armed:
            die()
        self._armed = call >= self._kill.call
        if self._armed and self._kill.point == "time":
            timer = threading.Timer(self._kill.seconds, die)
            timer.daemon = True
            timer.start()

    def hit(self, point: Point) -> None:
        """Such a point is passed."""
        if self._armed and point == self._kill.point:
            self._left -= 1
            if not self._left:
                die()

    def _watch_connection(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.set_trace_callback(self._traced)
        if self._kill.point == "within":
            connection.set_progress_handler(self._stepped, STEPS)

    def _traced(self, statement: str) -> None:
        self.hit("statement")
        if statement.startswith("COMMIT"):
            self.hit("commit")

    def _stepped(self) -> int:
        self.hit("within")
        return 0


def die() -> None:
    """As if somebody had pulled the plug: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)
