"""What commands print: results on stdout, everything about the work itself on stderr."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from rich.console import Console

out = Console()
err = Console(stderr=True)


def complain(message: str, *, style: str = "red") -> None:
    """One line on stderr that says what is wrong, never broken by the terminal's width."""
    err.print(f"persona-memory: {message}", style=style, markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """One line on stderr about the work."""
    err.print(message, markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """The value as JSON on stdout; times in ISO 8601."""
    sys.stdout.write(as_json(value) + "\n")


def as_json(value: Any) -> str:
    """The value as indented JSON; times in ISO 8601, any script as it is."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")
