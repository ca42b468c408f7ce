"""What commands print: results on stdout, everything about the work itself on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.segment import Segment

from persona_memory.errors import InvalidInput
from persona_memory.quoting import UNPRINTABLE, printable


@dataclass(frozen=True, slots=True)
class _Printable:
    """Something to print, without what was stored to take hold of the terminal; the styles around it stay."""

    what: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.what, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class _OnlyText(RenderHook):
    """Passes everything that a console prints through `printable`."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(one) for one in renderables]


def _console(**options: Any) -> Console:
    made = Console(**options)
    made.push_render_hook(_OnlyText())
    return made


out = _console()
err = _console(stderr=True)


def complain(message: str, *, style: str = "red") -> None:
    """One line on stderr that says what is wrong, never broken by the terminal's width."""
    err.print(f"persona-memory: {message}", style=style, markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """One line on stderr about the work."""
    err.print(message, markup=False, highlight=False, soft_wrap=True)


class _Notes(logging.Handler):
    """Shows log records as lines about the work."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def logged() -> Iterator[None]:
    """What is logged inside the block is shown as everything else is: Python's own way may print what was stored."""
    log, shown = logging.getLogger("persona_memory"), _Notes(logging.WARNING)
    log.addHandler(shown)
    try:
        yield
    finally:
        log.removeHandler(shown)


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        InvalidInput: it cannot be written; the message says why.
    """
    with _named(path):
        path.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """As `write_text`, for bytes; only its owner can read a new file."""
    with _named(path):
        path.touch(mode=0o600)
        path.write_bytes(data)


def check_writable(path: Path) -> None:
    """Pass if the file could be written; it is left as it is.

    Raises:
        InvalidInput: it cannot; the message says why.
    """
    with _named(path):
        new = not path.exists()
        path.open("a").close()
        if new:
            path.unlink()


def check_folder(path: Path) -> None:
    """Pass if files can be written into the folder.

    Raises:
        InvalidInput: there is no such folder, or they cannot; the message says why.
    """
    if not path.exists():
        raise InvalidInput(f"there is no folder {str(path)!r}; make it first, or pass one that is there")
    with _named(path):
        TemporaryFile(dir=path).close()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"cannot write {str(path)!r}: {error.strerror}") from error


def print_json(value: Any) -> None:
    """The value as JSON on stdout; times in ISO 8601, characters that stdout's encoding may lack as \\u…."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    sys.stdout.write(as_json(value, escaped=not unicode) + "\n")


def as_json(value: Any, *, escaped: bool = False) -> str:
    """The value as indented JSON; times in ISO 8601, any script as it is, or escaped; what a terminal obeys, always."""
    written = json.dumps(value, ensure_ascii=escaped, indent=2, default=_plain)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")
