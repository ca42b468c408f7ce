"""Looking for a text where it must not be: in every row, and in every byte of every file of the home."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, LargeBinary, String, Table, cast, func, or_, select

from persona_memory.keeping.findings import Findings
from persona_memory.keeping.in_ledger import counted
from persona_memory.learning.context import Learning
from persona_memory.ledger.schema import metadata

SHORTEST = 4
"""Characters of a text that is worth looking for."""

PIECE = 1 << 22
"""Bytes of a file that are looked through at a time."""


def text(learning: Learning, wanted: str, findings: Findings) -> None:
    """No row and no byte holds the text, in whichever case of its ASCII letters.

    Rows are read as they are; a text that SQLite has broken over two pages is found in them, not in freed pages.
    """
    forms = _forms(wanted)
    with learning.ledger.read() as connection:
        for table in metadata.sorted_tables:
            held = _rows(connection, table, forms)
            if held:
                findings.found(f"{table.name}: {counted(held, 'row')} with the text")
    home = learning.adapters.folder.absolute().parent
    pattern = re.compile(b"|".join(re.escape(form.encode()) for form in forms), re.IGNORECASE)
    longest = max(len(form.encode()) for form in forms)
    for path in sorted(home.rglob("*")) if home.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            count = _count(path, pattern, longest)
            if count:
                findings.found(f"{path.relative_to(home)}: the text, {counted(count, 'time')}")


def _forms(wanted: str) -> list[str]:
    """The text as it is, and as JSON writes it."""
    return list(dict.fromkeys((wanted, json.dumps(wanted)[1:-1], json.dumps(wanted, ensure_ascii=False)[1:-1])))


def _rows(connection: Connection, table: Table, forms: list[str]) -> int:
    """How many rows of a table hold one of the forms."""
    texts = [func.lower(cast(one, String)) for one in table.columns if not isinstance(one.type, LargeBinary)]
    holds = [one.contains(form.lower(), autoescape=True) for one in texts for form in forms]
    return connection.execute(select(func.count()).select_from(table).where(or_(*holds))).scalar_one()


def _count(path: Path, pattern: re.Pattern[bytes], longest: int) -> int:
    """How often a file holds the pattern."""
    return sum(1 for piece, start in _pieces(path, longest) for match in pattern.finditer(piece) if match.end() > start)


def _pieces(path: Path, longest: int) -> Iterator[tuple[bytes, int]]:
    """A file in pieces that overlap, so that no match is cut; each with where what is new in it begins."""
    tail = b""
    with path.open("rb") as file:
        while new := file.read(PIECE):
            piece = tail + new
            yield piece, len(tail)
            tail = piece[-(longest - 1) :] if longest > 1 else b""
