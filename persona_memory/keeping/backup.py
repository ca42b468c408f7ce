"""A backup: the ledger as of one moment with the files of adapters and starts, and a manifest with all checksums.

Vectors stay out: they are computed again. So does what was erased: rows are copied, not pages. What is encrypted is
copied as it is, and its keys never are.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path

from sqlalchemy import Connection, select

from persona_memory import __version__
from persona_memory.adapters.files import FILES
from persona_memory.encryption import DataKey
from persona_memory.errors import AdapterRefused, InvalidInput, KeyDestroyed
from persona_memory.keeping import aside
from persona_memory.keeping.manifest import MANIFEST, BackupManifest, Kept, to_json
from persona_memory.keeping.revisions import damage, has_files
from persona_memory.keeping.snapshot import plain, snapshot
from persona_memory.ledger import Ledger, Person, people
from persona_memory.ledger import adapters as rows
from persona_memory.ledger.schema import SCHEMA_VERSION, adapters
from persona_memory.opening import ADAPTERS_FOLDER, LEDGER_FILE
from persona_memory.registry import STARTS_FOLDER, AdapterRegistry, take_back
from persona_memory.types import Adapter, Backup

PACKED = ".tar"
"""Ends the name of a backup that is one file."""


def backup(ledger: Ledger, registry: AdapterRegistry, target: Path, *, now: datetime) -> Backup:
    """Write a backup; other processes read and write meanwhile. It is there whole, or not at all.

    Args:
        target: a new folder, or a new file whose name ends in ".tar".

    Raises:
        InvalidInput: there is something already, it would lie in the home itself, or the ledger is on Postgres.
        AdapterRefused: the files of an adapter are damaged; `doctor` repairs that.
        LedgerError: the disk is full, or may not be written there.
    """
    target = target.expanduser().absolute()
    _check(ledger, registry, target)
    with aside.writing(target), aside.aside(target.parent) as folder:
        content = folder / "backup"
        content.mkdir(mode=0o700)
        made = _filled(content, ledger, registry, now=now)
        size = sum(kept.size for kept in made.files.values())
        if target.suffix == PACKED:
            content = _packed(content, folder / "backup.tar")
        aside.sync_tree(folder)
        if os.path.lexists(target):  # another backup was quicker
            raise InvalidInput(_there(target))
        os.rename(content, target)
        aside.sync(target.parent)
    return Backup(str(target), now, made.counts, size)


def _check(ledger: Ledger, registry: AdapterRegistry, target: Path) -> None:
    home = registry.folder.absolute().parent
    if not ledger.is_sqlite:
        raise InvalidInput(
            f"the ledger is on Postgres ({ledger.describe()}): back it up with pg_dump, and copy the folder "
            f"{str(registry.folder)!r} of its adapters"
        )
    if os.path.lexists(target):
        raise InvalidInput(_there(target))
    if not target.parent.is_dir():
        raise InvalidInput(f"there is no folder {str(target.parent)!r}; make it first, or name one that is there")
    if target.resolve().is_relative_to(home.resolve()):
        raise InvalidInput(f"{str(target)!r} lies in the home that it is a backup of; name a place outside")


def _there(target: Path) -> str:
    return f"{str(target)!r} is there already; a backup replaces nothing: give it a new name"


def _filled(content: Path, ledger: Ledger, registry: AdapterRegistry, *, now: datetime) -> BackupManifest:
    """The manifest of all that was written into the folder, itself included."""
    counts = snapshot(ledger, content / LEDGER_FILE)
    vault = None if ledger.vault is None else ledger.vault.apart()
    with plain(content / LEDGER_FILE, vault) as copied:
        files = _adapters(copied, content, ledger, registry.folder, now=now)
    files |= _starts(content / STARTS_FOLDER, registry)
    files[LEDGER_FILE] = aside.mark(content / LEDGER_FILE)
    kept = {name: Kept(one.size, one.sha256) for name, one in sorted(files.items())}
    made = BackupManifest(__version__, SCHEMA_VERSION, now, counts, kept, None if vault is None else vault.id)
    aside.write(BytesIO(to_json(made)), content / MANIFEST)
    return made


def _adapters(
    copied: Connection, content: Path, ledger: Ledger, store: Path, *, now: datetime
) -> dict[str, aside.Mark]:
    """Copy the files of all revisions that may be served; what was retired meanwhile is retired in the copy, too."""
    files: dict[str, aside.Mark] = {}
    everybody = select(adapters.c.namespace, adapters.c.user_id).distinct()
    for person in [Person(*row) for row in copied.execute(everybody)]:
        try:
            files |= _of_person(copied, person, content, ledger, store, now=now)
        except KeyDestroyed:  # deleted since the rows were copied: nobody can read them, nor the files
            for name in rows.names(copied, person):
                shutil.rmtree(content / ADAPTERS_FOLDER / name, ignore_errors=True)
    return files


def _of_person(
    copied: Connection, person: Person, content: Path, ledger: Ledger, store: Path, *, now: datetime
) -> dict[str, aside.Mark]:
    files: dict[str, aside.Mark] = {}
    people.lock_known(copied, person)
    key = people.data_key(copied, person)
    for one in filter(has_files, rows.read(copied, person)):
        found = _copied(store, one, content / ADAPTERS_FOLDER, key)
        if found is None and _still_served(ledger, person, one):
            problem = damage(store, one, key) or "its files cannot be read"
            raise AdapterRefused(one.adapter_id, f"{problem}; `persona-memory doctor --repair` retires it")
        if found is None:
            take_back(copied, person, one, how="retired", why="while a backup was made", now=now)
        else:
            files |= {f"{ADAPTERS_FOLDER}/{one.adapter_id}/{name}": mark for name, mark in found.items()}
    return files


def _copied(store: Path, one: Adapter, target: Path, key: DataKey | None) -> Mapping[str, aside.Mark] | None:
    """What was copied of a revision; None where its files are not what was registered."""
    folder = target / one.adapter_id
    folder.mkdir(parents=True, mode=0o700)
    target.chmod(0o700)
    try:
        marks = {name: aside.copy(store / one.adapter_id / name, folder / name) for name in sorted(FILES)}
    except OSError:  # retired at this moment, or damaged: the caller finds out
        marks = {}
    if marks and damage(target, one, key) is None:
        return marks
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return None


def _still_served(ledger: Ledger, person: Person, one: Adapter) -> bool:
    with ledger.read() as connection:
        return any(has_files(now) for now in rows.read(connection, person, name=one.adapter_id))


def _starts(target: Path, registry: AdapterRegistry) -> dict[str, aside.Mark]:
    """Copy the shared starts."""
    files: dict[str, aside.Mark] = {}

    def copy(source: Path, to: Path) -> None:
        files[f"{STARTS_FOLDER}/{to.relative_to(target)}"] = aside.copy(source, to)

    target.mkdir(mode=0o700)
    registry.starts.copy_to(target, copy)
    if not files:
        target.rmdir()
    return files


def _packed(content: Path, target: Path) -> Path:
    """The folder's files as one file."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(one for one in content.rglob("*") if one.is_file()):
                tar.add(path, arcname=str(path.relative_to(content)))
        file.flush()
        os.fsync(file.fileno())
    return target
