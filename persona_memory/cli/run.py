"""From the command's end to an exit code: what is foreseen ends in one line on stderr, never in a traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

from persona_memory.cli.app import app
from persona_memory.cli.output import complain, logged
from persona_memory.cli.signals import INTERRUPTED, Interrupted
from persona_memory.cli.wording import as_options
from persona_memory.errors import PersonaMemoryError


def run() -> int:
    """The exit code of the command that `sys.argv` names, after it has run.

    0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.
    """
    _print_anywhere()
    with warnings.catch_warnings(), logged():
        warnings.showwarning = _show_warning
        return _flushed(_code())


def _code() -> int:
    try:
        app(prog_name="persona-memory")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        if code == INTERRUPTED:
            complain("interrupted; what was said is kept, what was not learnt waits", style="yellow")
        return code
    except Interrupted as interrupted:
        complain(str(interrupted), style="yellow")
        return INTERRUPTED
    except PersonaMemoryError as error:
        complain(as_options(str(error)))
        return 1
    except OSError as error:  # what is printed, or a file of the user's, cannot be written
        complain((f"{error.filename!r}: " if error.filename else "") + (error.strerror or str(error)))
        return 1
    return 0


def _print_anywhere() -> None:
    """A terminal whose encoding lacks a character is shown "?" in its place: that is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _flushed(code: int) -> int:
    """The code, once all output is written; output that nobody takes is thrown away instead of failing at exit."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        if error.errno != errno.EPIPE:
            complain(f"the output cannot be written: {error.strerror}")
        return code or 1
    return code


def _discard_output() -> None:
    with suppress(OSError, ValueError):  # ValueError: stdout is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a line for the user, without the place in the code that raised it."""
    complain(as_options(str(message)), style="yellow")
