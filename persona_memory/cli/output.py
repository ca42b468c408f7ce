"""What commands print: results on stdout, everything about the work itself on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console

from persona_memory.errors import InvalidInput

out = Console()
err = Console(stderr=True)


def complain(message: str, *, style: str = "red") -> None:
    """One line on stderr that says what is wrong, never broken by the terminal's width."""
    err.print(f"persona-memory: {message}", style=style, markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """One line on stderr about the work."""
    err.print(message, markup=False, highlight=False, soft_wrap=True)


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        InvalidInput: it cannot be written; the message says why.
    """
    with _named(path):
        path.write_text(text, encoding="utf-8")


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
    """The value as indented JSON; times in ISO 8601, any script as it is, or escaped."""
    return json.dumps(value, ensure_ascii=escaped, indent=2, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")
