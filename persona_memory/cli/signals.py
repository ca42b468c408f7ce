"""What Ctrl-C and SIGTERM mean to commands that work for long: they end after the batch under way, and say so.

A second Ctrl-C does not wait. That loses nothing: what was stored is durable, and jobs of a process that is gone are
taken over.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from persona_memory import PersonaMemory
from persona_memory.cli.output import err, note

INTERRUPTED = 130
STOPPING = "stopping after the current batch … (Ctrl-C again to stop now; nothing is lost)"
STOPPED = "stopped at once; nothing is lost: what is left waits, and the same command goes on with it"


class Interrupted(Exception):
    """A command was interrupted, and says itself what is kept and how to go on."""


def raise_on(number: signal.Signals) -> None:
    """End as with Ctrl-C: what was claimed is given back."""

    def interrupt(number: int, *_: Any) -> None:
        raise KeyboardInterrupt(signal.Signals(number))

    signal.signal(number, interrupt)


def stop_on_signals(memory: PersonaMemory) -> None:
    """The first Ctrl-C or SIGTERM ends a running worker after its batches; the second one does not wait for them."""

    def stop(number: int, *_: Any) -> None:
        raise_on(signal.Signals(number))
        memory.stop_worker()
        if number == signal.SIGINT:
            note(STOPPING)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside the block Ctrl-C and SIGTERM raise KeyboardInterrupt, which says at once that work ends soon."""
    raise_on(signal.SIGTERM)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        _leave_at_once_on_signals()
        if signal.SIGTERM not in interrupt.args:  # nobody is there to press Ctrl-C again
            note(STOPPING)
        raise


def _leave_at_once_on_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(*_: Any) -> None:
    """End the process now, as a kill would, but with the terminal as it was."""
    err.show_cursor(True)
    with suppress(OSError):  # past the buffer, which the interrupted code may be writing to
        os.write(2, f"{STOPPED}\n".encode())
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a stream that nobody takes any more
            stream.flush()
    os._exit(INTERRUPTED)
