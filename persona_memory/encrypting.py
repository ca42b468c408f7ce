"""Encrypting a memory that is there already, and changing the master key of one that is encrypted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from persona_memory.adapters import Starts, delete_folder, revisions, seal_revision
from persona_memory.encryption import KEY_BYTES, LocalKey, master_key
from persona_memory.errors import InvalidInput, WrongKey
from persona_memory.ledger import keys
from persona_memory.ledger.conversion import Conversion, converting
from persona_memory.opening import ADAPTERS_FOLDER, Encryption, home_folder, ledger_file, ledger_url
from persona_memory.protocols import MasterKey
from persona_memory.registry import STARTS_FOLDER, TRAINING


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What was encrypted.

    Attributes:
        people: who have a key now.
        values: of the ledger.
        adapters: revisions whose files were encrypted.
        left: what is in the folder and still is as it was.
    """

    people: int
    values: int
    adapters: int
    left: tuple[str, ...]


def encrypt(home: str | os.PathLike[str] | None = None, *, url: str | None = None, encryption: Encryption) -> Encrypted:
    """Encrypt a memory in place; no other process may have it open. After a kill, call it again: it goes on.

    Args:
        home, url: as for `PersonaMemory.open`.
        encryption: the master key from now on.

    Raises:
        InvalidInput: there is no such memory, or it is encrypted already.
        WrongKey: it was begun with another key.
        LedgerLocked: another process has it open.
    """
    folder, file = home_folder(home), ledger_file(home, url)
    if file is not None and not file.exists():
        raise InvalidInput(
            f"there is no memory in {str(file.parent)!r}; opened with a key, a new one is encrypted at once"
        )
    with converting(url or ledger_url(folder), master_key(encryption)) as conversion:
        conversion.run()
        count, unknown = _adapters(conversion, folder / ADAPTERS_FOLDER)
        Starts(folder / STARTS_FOLDER).drop_unfinished()
        conversion.finish()
    edge = [str(folder / "edge")] if (folder / "edge").exists() else []
    return Encrypted(conversion.people, conversion.values, count, (*unknown, *edge))


def rotate_key(
    home: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    encryption: Encryption,
    new: Encryption,
) -> int:
    """Change the master key; returns how many keys of people were wrapped anew. The old one opens nothing afterwards.

    Atomic: after a kill one of the two keys is the right one.

    Raises:
        WrongKey: `encryption` is not the master key of now.
        EncryptionError: the memory is not encrypted, or its keys are gone.
        InvalidInput: both are the same key.
    """
    before, after = master_key(encryption), master_key(new)
    if _same(before, after):
        raise InvalidInput("the new master key is the old one; `persona-memory keygen FILE` makes another")
    return keys.rotate(url or ledger_url(home_folder(home)), before, after)


def _same(one: MasterKey, other: MasterKey) -> bool:
    """Of a key service nobody can say: it may wrap with another key each time."""
    if not isinstance(one, LocalKey) or not isinstance(other, LocalKey):
        return False
    try:
        other.unwrap(one.wrap(bytes(KEY_BYTES)))
    except WrongKey:
        return False
    return True


def _adapters(conversion: Conversion, folder: Path) -> tuple[int, list[str]]:
    """How many revisions were encrypted, and folders of which nobody knows whose they are. Trainings begin anew."""
    owners, count, unknown = conversion.adapters(), 0, []
    for name in revisions(folder):
        if name in owners:
            count += seal_revision(folder, name, conversion.key(owners[name]))
        else:
            unknown.append(str(folder / name))
    for workspace in folder.glob(f"{TRAINING}*") if folder.is_dir() else ():
        delete_folder(folder, workspace.name)
    return count, unknown
