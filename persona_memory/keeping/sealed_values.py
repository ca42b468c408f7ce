"""What of a person is encrypted in the ledger, value by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from persona_memory.encryption import key_id
from persona_memory.errors import EncryptionError
from persona_memory.ledger import Person
from persona_memory.ledger.schema import PER_USER
from persona_memory.ledger.sealed import Closed, opened, sealed_columns


@dataclass(frozen=True, slots=True)
class Value:
    """One encrypted value.

    Attributes:
        row: the primary key of its row, by column.
    """

    table: Table
    column: str
    row: dict[str, Any]
    person: Person
    closed: Closed

    @property
    def key(self) -> str:
        """The id of the key that it was encrypted with; "" where it is none that was encrypted."""
        return key_id(self.closed.column.sealed_bytes(self.closed.stored)).hex()

    def opened(self) -> Any:
        """What was written there.

        Raises:
            EncryptionError: it was changed or moved, or its key is gone.
        """
        return opened(self.closed, self.person)

    def opens(self) -> bool:
        """Whether it does."""
        try:
            self.opened()
        except EncryptionError:
            return False
        return True


def of(connection: Connection, person: Person) -> Iterator[Value]:
    """Everything of the person that is encrypted; what is empty is not."""
    for table in PER_USER:
        columns = sealed_columns(table)
        if columns:
            keys = list(table.primary_key)
            for row in connection.execute(select(*keys, *columns).where(person.owns(table))).mappings():
                where = {one.name: row[one] for one in keys}
                held = ((one.name, row[one]) for one in columns)
                yield from (Value(table, name, where, person, value) for name, value in held if _is_closed(value))


def _is_closed(value: object) -> bool:
    return isinstance(value, Closed)
