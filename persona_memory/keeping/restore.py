"""Bringing a backup back into a home that holds nothing; what was erased since the backup is erased in it again."""

from __future__ import annotations

import os
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select, update

from persona_memory.errors import InvalidInput, LedgerTooNew
from persona_memory.keeping import aside, keying
from persona_memory.keeping.erased_since import Again, erase_again, erase_unreadable
from persona_memory.keeping.folders import drop_surplus
from persona_memory.keeping.keying import is_home
from persona_memory.keeping.manifest import MANIFEST, BackupManifest, from_json
from persona_memory.ledger import Ledger, Person, erasure, jobs, people
from persona_memory.ledger.keys import KEYS_FILE
from persona_memory.ledger.schema import SCHEMA_VERSION
from persona_memory.ledger.schema import jobs as job_table
from persona_memory.ledger.schema import users as user_table
from persona_memory.opening import ADAPTERS_FOLDER, LEDGER_FILE, home_folder
from persona_memory.protocols import MasterKey
from persona_memory.registry import STARTS_FOLDER, AdapterRegistry
from persona_memory.types import Restored

PARTS = (ADAPTERS_FOLDER, STARTS_FOLDER, KEYS_FILE, LEDGER_FILE)
"""What a home is made of, in the order in which it is put in place: with the ledger's file it is there."""


def restore(
    backup: Path,
    home: str | os.PathLike[str] | None,
    *,
    erased_since: Path | None = None,
    master: MasterKey | None = None,
    keys: Path | None = None,
    now: datetime,
) -> Restored:
    """Restore a backup into a home; it is there whole, or not at all. All is embedded again by the next worker.

    Args:
        backup: what `backup` has made: the folder, or the file.
        home: as for `PersonaMemory.open`; a folder that holds no memory.
        erased_since: the home that the backup is of, or a later backup of it: whoever was deleted there since, and what
            was forgotten, is erased in the restored memory, too, and policies are those that were in force there.
        master: the master key, where one of the two is encrypted.
        keys: the store with the keys of an encrypted memory, as `keying.source` finds it.

    Raises:
        InvalidInput: the backup is not what its manifest says, the home holds a memory, or `erased_since` is none that
            came after the backup. Nothing was restored.
        EncryptionError: the backup is encrypted, and there is no master key, or none of its keys. Nothing was restored.
        LedgerTooNew: a newer version wrote the backup.
        LedgerError: the disk is full, or may not be written there.
    """
    folder = home_folder(home).absolute()
    made = not folder.exists()
    _check_empty(folder)
    with aside.writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with aside.writing(folder), aside.aside(folder) as work:
            manifest = unpack(backup.expanduser(), work / "home")
            _check_sound(work / "home" / LEDGER_FILE, shown=str(backup))
            store = keying.source(manifest, backup, folder, keys=keys, erased_since=erased_since)
            again = _prepared(work, folder, erased_since, master, store, now=now)
            _put_in_place(work / "home", folder)
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    return Restored(str(folder), manifest.at, manifest.counts, **asdict(again))


def unpack(backup: Path, target: Path) -> BackupManifest:
    """The manifest of a backup whose files were copied to a new folder, each with its checksum.

    Raises:
        InvalidInput: it is no backup, or not what its manifest says.
        LedgerTooNew: a newer version wrote it.
    """
    with _opened(backup) as content:
        if MANIFEST not in content.names:
            raise InvalidInput(f"{str(backup)!r} is no backup of a memory: it has no {MANIFEST}")
        with content.read(MANIFEST) as file:
            manifest = from_json(file.read(), shown=str(backup))
        if manifest.schema_version > SCHEMA_VERSION:
            raise LedgerTooNew(
                f"{str(backup)!r} has schema version {manifest.schema_version}, this persona-memory reads up to "
                f"{SCHEMA_VERSION}: upgrade it with pip install --upgrade persona-memory"
            )
        expected = {MANIFEST, *manifest.files}
        missing, other = sorted(expected - content.names), sorted(content.names - expected)
        if missing or other:
            raise InvalidInput(
                f"{str(backup)!r} is damaged: missing {missing or 'nothing'}, unexpected {other or 'nothing'}"
            )
        target.mkdir(mode=0o700)
        for name, kept in manifest.files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with content.read(name) as file:
                found = aside.write(file, target / name)
            if (found.size, found.sha256) != (kept.size, kept.sha256):
                raise InvalidInput(f"{str(backup)!r} is damaged: {name} does not have its checksum; use another backup")
    return manifest


def _check_sound(ledger: Path, *, shown: str) -> None:
    """Pass if the ledger's pages and indexes are what SQLite makes of them: a checksum tells only what was written."""
    if not ledger.exists():
        return
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise InvalidInput(f"{shown!r} is damaged: its ledger is not sound ({found}); use another backup")


@dataclass(frozen=True, slots=True)
class _Folder:
    """A backup that is a folder."""

    path: Path
    names: frozenset[str]

    def read(self, name: str) -> BinaryIO:
        """The file's content; what is no file, as a pipe, is not waited for."""
        file = os.fdopen(os.open(self.path / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise InvalidInput(f"{str(self.path)!r} is damaged: {name} is no file")
        return file


@dataclass(frozen=True, slots=True)
class _Packed:
    """A backup that is one file."""

    tar: tarfile.TarFile
    names: frozenset[str]

    def read(self, name: str) -> BinaryIO:
        """The file's content."""
        found = self.tar.getmember(name)
        file = self.tar.extractfile(found) if found.isreg() else None
        if file is None:
            raise InvalidInput(f"{self.tar.name!r} is damaged: {name} is no file")
        return file  # type: ignore[return-value]


@contextmanager
def _opened(backup: Path) -> Iterator[_Folder | _Packed]:
    if backup.is_dir():
        files = (path for path in backup.rglob("*") if not path.is_dir())
        yield _Folder(backup, frozenset(str(path.relative_to(backup)) for path in files))
        return
    try:
        with tarfile.open(backup, "r:") as tar:
            yield _Packed(tar, frozenset(tar.getnames()))
    except FileNotFoundError:
        raise InvalidInput(f"there is no backup {str(backup)!r}") from None
    except tarfile.TarError as error:
        raise InvalidInput(f"{str(backup)!r} is no backup, or is damaged: {error}") from error


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{str(folder)!r} is no folder; name another home")
    if (folder / LEDGER_FILE).exists():
        raise InvalidInput(f"there is a memory in {str(folder)!r} already; restore into a folder that holds none")
    for part in PARTS:
        if part != KEYS_FILE and os.path.lexists(folder / part):
            raise InvalidInput(
                f"{str(folder / part)!r} is there, without a ledger beside it (an interrupted restore leaves that): "
                "move it away, or restore into another folder"
            )


def _prepared(
    work: Path,
    home: Path,
    erased_since: Path | None,
    master: MasterKey | None,
    store: Path | None,
    *,
    now: datetime,
) -> Again:
    """Make a home of what was unpacked: bring its tables to the present, queue its work, erase what was since."""
    content = work / "home"
    ledger = keying.opened(content, master, store)
    try:
        _queue(ledger, now=now)
        if erased_since is None:
            with ledger.write() as tx:
                again = erase_unreadable(tx, ledger)
        else:
            with _later(erased_since.expanduser(), work / "later", master, store) as later:
                again = erase_again(ledger, later, now=now, shown=repr(str(erased_since)))
        if again != Again():
            registry = AdapterRegistry(ledger, content / ADAPTERS_FOLDER)
            registry.tidy_starts(now=now)
            drop_surplus(ledger, registry.folder)
            gone = keying.destroy_unnamed(ledger)
            if store == home / KEYS_FILE:
                keying.destroy(store, gone)
        if erased_since is not None or again != Again():
            erasure.scrub(ledger)  # receipts that came along are completed by it, too
        return again
    finally:
        ledger.close()


def _queue(ledger: Ledger, *, now: datetime) -> None:
    """Whoever worked on jobs when the backup was made does so no more; and everything is to be embedded."""
    with ledger.write() as tx:
        idle = {"state": "queued", "due_at": now, "owner": None, "lease_until": None, "attempts": 0}
        tx.execute(update(job_table).where(job_table.c.state == "running").values(idle))
        for person in [Person(*row) for row in tx.execute(select(user_table.c.namespace, user_table.c.user_id))]:
            if people.counters(tx, person).last_seq:
                jobs.enqueue(tx, person, "index", due=now, now=now)


@contextmanager
def _later(place: Path, target: Path, master: MasterKey | None, store: Path | None) -> Iterator[Ledger]:
    """The ledger of a home or of a backup, which is left as it is."""
    if is_home(place):
        ledger = keying.opened(place, master)
    elif place.exists():
        unpack(place, target)
        ledger = keying.opened(target, master, store)
    else:
        raise InvalidInput(f"there is no home and no backup {str(place)!r}; name the one that the backup is of")
    try:
        yield ledger
    finally:
        ledger.close()


def _put_in_place(content: Path, home: Path) -> None:
    """Rename the parts into the home; the last one makes it a memory. Keys that are there already stay."""
    aside.sync_tree(content)
    _check_empty(home)  # somebody may have begun a memory there meanwhile
    for part in PARTS:
        if (content / part).exists() and not (part == KEYS_FILE and (home / part).exists()):
            os.rename(content / part, home / part)
    aside.sync(home)
