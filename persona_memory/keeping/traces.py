"""Looking for a text where it must not be: in every row, and in every byte of every file of the home.

What is encrypted is looked through twice: as it is stored, where nothing may be readable, and opened with its key.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, String, Table, cast, func, or_, select

from persona_memory.adapters import read_revision, revisions
from persona_memory.adapters.files import FILES
from persona_memory.errors import AdapterRefused
from persona_memory.keeping import sealed_values
from persona_memory.keeping.findings import Findings
from persona_memory.keeping.in_ledger import counted, everybody, named
from persona_memory.learning.context import Learning
from persona_memory.ledger import Person
from persona_memory.ledger.schema import metadata
from persona_memory.ledger.sealed import SealedBytes

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
        if learning.ledger.vault is not None:
            for person in everybody(connection, learning.ledger):
                _opened_values(connection, person, forms, findings)
            _opened_files(learning, forms, findings)
    home = learning.adapters.folder.absolute().parent
    pattern = _pattern(forms)
    longest = max(len(form.encode()) for form in forms)
    for path in sorted(home.rglob("*")) if home.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            count = _count(path, pattern, longest)
            if count:
                findings.found(f"{path.relative_to(home)}: the text, {counted(count, 'time')}")


def _forms(wanted: str) -> list[str]:
    """The text as it is, and as JSON writes it."""
    return list(dict.fromkeys((wanted, json.dumps(wanted)[1:-1], json.dumps(wanted, ensure_ascii=False)[1:-1])))


def _opened_values(connection: Connection, person: Person, forms: list[str], findings: Findings) -> None:
    """What of the person is encrypted does not hold one of the forms."""
    held, closed = Counter[str](), Counter[str]()
    for value in sealed_values.of(connection, person):
        if not value.opens():
            closed[value.table.name] += 1
        elif _holds(value.opened(), forms):
            held[value.table.name] += 1
    for table, count in held.items():
        findings.found(f"{table}: {counted(count, 'encrypted value')} of {named(person)} with the text")
    for table, count in closed.items():
        findings.found(f"{table}: {counted(count, 'value')} of {named(person)} cannot be opened to look for it")


def _opened_files(learning: Learning, forms: list[str], findings: Findings) -> None:
    """Nor do the files of adapters."""
    store, pattern = learning.adapters.folder, _pattern(forms)
    for name in revisions(store):
        sizes = {path.name: path.lstat().st_size for path in (store / name).iterdir()}
        if sizes.keys() != FILES:
            findings.found(f"{name}: its files cannot be opened to look for it")
            continue
        try:
            files = read_revision(store, name, sizes, opener=learning.adapters.opener)
        except AdapterRefused as error:
            findings.found(f"{name} cannot be opened to look for it: {error.problem}")
            continue
        count = sum(len(pattern.findall(data)) for data in files.values())
        if count:
            findings.found(f"{name}: the text, {counted(count, 'time')}")


def _holds(value: Any, forms: list[str]) -> bool:
    if isinstance(value, bytes):
        return _pattern(forms).search(value) is not None
    text = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode("utf-8", "surrogatepass")
    return _pattern(forms).search(text) is not None


def _pattern(forms: list[str]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(re.escape(form.encode()) for form in forms), re.IGNORECASE)


def _rows(connection: Connection, table: Table, forms: list[str]) -> int:
    """How many rows of a table hold one of the forms."""
    texts = [
        func.lower(cast(one, String)) for one in table.columns if not isinstance(one.type, LargeBinary | SealedBytes)
    ]
    # SQLite lowers ASCII letters only, Postgres as its locale says.
    lowered = {low for form in forms for low in (form.lower(), "".join(c.lower() if c.isascii() else c for c in form))}
    holds = [one.contains(form, autoescape=True) for one in texts for form in lowered]
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
