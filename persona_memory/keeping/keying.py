"""The keys of an encrypted backup: it holds none, so they come from the store of the home that it is of."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select

from persona_memory.errors import EncryptionError, InvalidInput
from persona_memory.keeping.manifest import MANIFEST, BackupManifest
from persona_memory.keeping.snapshot import plain
from persona_memory.ledger import Ledger
from persona_memory.ledger.engine import keys_of
from persona_memory.ledger.keys import KEYS_FILE, key_file
from persona_memory.ledger.schema import users
from persona_memory.opening import LEDGER_FILE, ledger_url
from persona_memory.protocols import MasterKey


def is_home(place: Path) -> bool:
    """Whether it is a home, and no backup."""
    return (place / LEDGER_FILE).exists() and not (place / MANIFEST).exists()


def source(
    manifest: BackupManifest, backup: Path, home: Path, *, keys: Path | None, erased_since: Path | None
) -> Path | None:
    """The store with the keys of a backup: the one that is named, that lies in the home already, or of `erased_since`.

    Args:
        home: that is restored into; a store that lies there stays as it is.

    Raises:
        InvalidInput: there are keys for a backup that is not encrypted, or two stores.
        EncryptionError: there is no store, or it is another memory's.
    """
    there = home / KEYS_FILE
    if manifest.key_store is None:
        if keys is not None or there.exists():
            raise InvalidInput(
                f"{str(backup)!r} is not encrypted, and has no keys: leave {str(keys or there)!r} out, or move it away"
            )
        return None
    if keys is not None and there.exists():
        raise InvalidInput(f"{str(there)!r} is there already: leave --keys out to use it, or move it away")
    others = [] if erased_since is None else [erased_since.expanduser() / KEYS_FILE]
    named = [there, *others] if keys is None else [keys.expanduser()]
    found = next((path for path in named if path.exists()), None)
    if found is None:
        raise EncryptionError(
            f"{str(backup)!r} is encrypted, and its keys are in no backup: name the {KEYS_FILE} of the home that it "
            f"is of with keys=… (--keys), or put it into {str(home)!r}; there is no {str(named[0])!r}"
        )
    store = key_file(found)
    try:
        if store.ledger() != manifest.key_store:
            raise EncryptionError(
                f"{str(found)!r} holds the keys of another memory: name the {KEYS_FILE} of the home that "
                f"{str(backup)!r} is a backup of"
            )
    finally:
        store.close()
    return found


def opened(folder: Path, master: MasterKey | None, store: Path | None = None) -> Ledger:
    """The ledger in a folder, with the master key where it is encrypted.

    Args:
        store: what holds its keys, if they are not beside it: those of its people are copied there.

    Raises:
        EncryptionError: it is encrypted, and there is no master key, or it is another one; or there are no keys.
    """
    url = ledger_url(folder)
    encrypted = keys_of(url) is not None
    if encrypted and master is None:
        raise EncryptionError(
            "the memory is encrypted: pass its master key, encryption=… (--key-file), or set PERSONA_MEMORY_KEY to it"
        )
    if encrypted and store is not None:
        _copy(store, folder)
    return Ledger(url, master=master if encrypted else None)


def _copy(store: Path, folder: Path) -> None:
    """Only what is needed: people who are not in this ledger may have been deleted."""
    with plain(folder / LEDGER_FILE) as connection:
        named = set(connection.execute(select(users.c.key)).scalars())
    keys = key_file(store)
    try:
        keys.copy_to(folder / KEYS_FILE, named)
    finally:
        keys.close()


def destroy_unnamed(ledger: Ledger) -> Collection[str]:
    """Destroy the keys of people who are no longer in the ledger; returns their ids."""
    if ledger.vault is None:
        return ()
    with ledger.read() as connection:
        named = set(connection.execute(select(users.c.key)).scalars())
    gone = ledger.vault.owners().keys() - named
    ledger.vault.destroy(gone)
    return gone


def destroy(store: Path, ids: Collection[str]) -> None:
    """Destroy keys in a store that stays where it is."""
    keys = key_file(store)
    try:
        keys.destroy(ids)
    finally:
        keys.close()
