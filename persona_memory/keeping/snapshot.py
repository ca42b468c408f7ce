"""The ledger as of one moment, copied while others write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select

from persona_memory.ledger import Ledger, sealed
from persona_memory.ledger.keys import Vault
from persona_memory.ledger.naming import named_errors
from persona_memory.ledger.schema import metadata, vectors
from persona_memory.ledger.silent import create_engine

FROM_VECTORS = frozenset({("events", "embedded"), ("memories", "embedded"), ("users", "embedder")})
"""Columns that say what is embedded: in a copy nothing is, as vectors are computed again."""


def snapshot(ledger: Ledger, target: Path) -> dict[str, int]:
    """Copy the rows of all tables but the vectors into a new file, all as of one moment; returns how many, by table.

    Rows, not pages: nothing that was erased, and is still in a free page or the write-ahead log, comes along. What is
    encrypted is copied as it is stored. Readers and writers go on meanwhile.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with plain(target) as copied:
        metadata.create_all(copied)
    with ledger.translated(), closing(ledger.engine.raw_connection()) as connection:
        source: Any = connection.driver_connection
        connection.detach()  # the pool must not lend a connection that has a second file
        source.execute("ATTACH ? AS copy", (str(target),))
        source.execute("BEGIN")
        for table in _kept():
            source.execute(_copying(table))
        source.execute("COMMIT")
    with plain(target) as copied:
        return {table.name: copied.execute(select(func.count()).select_from(table)).scalar_one() for table in _kept()}


@contextmanager
def plain(file: Path, vault: Vault | None = None) -> Iterator[Connection]:
    """A transaction on a ledger's file that nobody else uses, without a write-ahead log beside it.

    Args:
        vault: keys to what is encrypted there; without it that is read as it is stored.
    """
    engine = create_engine(f"sqlite:///{file}")
    if vault is not None:
        sealed.use(engine.dialect, vault)
    try:
        with named_errors(str(file)), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _kept() -> list[Table]:
    return [table for table in metadata.sorted_tables if table is not vectors]


def _copying(table: Table) -> str:
    names = [column.name for column in table.columns]
    values = ["NULL" if (table.name, name) in FROM_VECTORS else f'"{name}"' for name in names]
    listed = ", ".join(f'"{name}"' for name in names)
    # Names come from our own schema, and nothing else is put in.
    into, taken = f'INSERT INTO copy."{table.name}" ({listed})', f"SELECT {', '.join(values)}"
    return f'{into} {taken} FROM main."{table.name}"'
