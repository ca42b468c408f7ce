"""Columns that are encrypted where the ledger is: what goes in says whose it is, what comes out is opened for somebody.

    insert(events).values(text=Owned(person, "I live in Porto."))
    opened(row.text, person)

Without encryption both are the value itself. With it a value that does not say whose it is, is refused, and one that
somebody has moved into another person's row does not open. What is empty stays empty, so that SQL can ask for it.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, Column, Dialect, LargeBinary, Table, Text, TypeDecorator

from persona_memory.errors import EncryptionError

if TYPE_CHECKING:
    from persona_memory.ledger.keys import Vault
    from persona_memory.ledger.people import Person

_EMPTY = frozenset({type(None), str, bytes, dict, list})
_VAULTS: WeakKeyDictionary[Dialect, Vault] = WeakKeyDictionary()


def use(dialect: Dialect, vault: Vault) -> None:
    """Encrypt with these keys from now on; to be said before the first statement. A dialect belongs to one engine."""
    _VAULTS[dialect] = vault


def vault_of(dialect: Dialect) -> Vault | None:
    """The keys of this engine; None where nothing is encrypted."""
    return _VAULTS.get(dialect)


@dataclass(frozen=True, slots=True, repr=False)
class Owned:
    """A value on its way in, and whose it is."""

    person: Person
    value: Any


@dataclass(slots=True, repr=False)  # frozen, it would take longer to make than to decrypt
class Closed:
    """An encrypted value on its way out."""

    vault: Vault
    column: Sealed
    stored: Any


def opened(value: Any, person: Person) -> Any:
    """The value of a column of this person's row.

    Raises:
        EncryptionError: it was changed, moved here from somebody else's row, or its key is gone.
    """
    if type(value) is not Closed:
        return value
    column = value.column
    return column.unpack(value.vault.open_for(person, column.place, column.sealed_bytes(value.stored)))


class Sealed(TypeDecorator[Any]):
    """A column that is encrypted where the ledger is.

    Args:
        place: "table.column": a value opens in no other.
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encrypt."""
        return _bound(self, value, dialect)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """What reads it."""
        return _reader(self, dialect, coltype)

    def pack(self, value: Any) -> bytes:
        """What is encrypted."""
        raise NotImplementedError

    def unpack(self, data: bytes) -> Any:
        """The value again."""
        raise NotImplementedError

    def stored(self, sealed: bytes) -> Any:
        """How it is stored: as base64."""
        return base64.b64encode(sealed).decode()

    def sealed_bytes(self, stored: Any) -> bytes:
        """What was stored; b"" where it was not encrypted."""
        return _from_base64(stored)


class SealedText(Sealed):
    """Text."""

    impl = Text
    cache_ok = True

    def pack(self, value: str) -> bytes:
        """As UTF-8."""
        return value.encode("utf-8", "surrogatepass")

    def unpack(self, data: bytes) -> str:
        """The text."""
        return data.decode("utf-8", "surrogatepass")


class SealedJSON(Sealed):
    """JSON; encrypted, it is a JSON string."""

    impl = JSON
    cache_ok = True

    def pack(self, value: Any) -> bytes:
        """As JSON."""
        return json.dumps(value).encode()

    def unpack(self, data: bytes) -> Any:
        """The value."""
        return json.loads(data)


class SealedBytes(Sealed):
    """Bytes, encrypted as they are."""

    impl = LargeBinary
    cache_ok = True

    def pack(self, value: bytes) -> bytes:
        """As they are."""
        return value

    def unpack(self, data: bytes) -> bytes:
        """As they were."""
        return data

    def stored(self, sealed: bytes) -> bytes:
        """As they are."""
        return sealed

    def sealed_bytes(self, stored: Any) -> bytes:
        """What was stored."""
        return bytes(stored)


def sealed_columns(table: Table) -> list[Column[Any]]:
    """The columns that an encrypted ledger encrypts."""
    return [one for one in table.c if isinstance(one.type, Sealed)]


def _bound(column: Sealed, value: Any, dialect: Dialect) -> Any:
    owned = type(value) is Owned
    plain = value.value if owned else value
    vault = vault_of(dialect)
    if vault is None or _is_empty(plain):
        return plain
    if not owned:
        raise EncryptionError(f"a value of {column.place} does not say whose it is, and so is not stored")
    return column.stored(vault.seal_for(value.person, column.place, column.pack(plain)))


def _reader(column: Sealed, dialect: Dialect, coltype: Any) -> Any:
    read = column.impl_instance.result_processor(dialect, coltype)
    vault = vault_of(dialect)
    if vault is None:
        return read

    def process(value: Any) -> Any:
        found = read(value) if read is not None else value
        return found if _is_empty(found) else Closed(vault, column, found)

    return process


def _is_empty(value: Any) -> bool:
    """Whether it holds nothing that could be kept secret; 0 and False say something."""
    return not value and type(value) in _EMPTY


def _from_base64(stored: Any) -> bytes:
    try:
        return base64.b64decode(stored, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return b""
