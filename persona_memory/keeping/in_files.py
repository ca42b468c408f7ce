"""Checks of what lies beside the ledger: an index outside it, files of adapters and starts, who may read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from persona_memory.adapters import delete_folder
from persona_memory.adapters.aside import clear
from persona_memory.adapters.files import FILES
from persona_memory.keeping import aside
from persona_memory.keeping.findings import Findings
from persona_memory.keeping.folders import every_revision, surplus
from persona_memory.keeping.in_ledger import is_ours, named
from persona_memory.keeping.revisions import damage, has_files, registered
from persona_memory.learning import erasures as finishing
from persona_memory.learning.context import Learning
from persona_memory.learning.index import reconcile
from persona_memory.ledger import Person, erasure, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.registry import take_back
from persona_memory.types import Adapter

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def index(learning: Learning, findings: Findings) -> None:
    """An index outside the ledger holds exactly the ledger's vectors."""
    ledger = learning.ledger
    if learning.semantic.in_ledger:
        findings.skip("it is in the ledger")
        return
    space = learning.semantic.space()
    with ledger.read() as connection:
        everybody = people.all_ids(connection, ledger.namespace)
    for user_id in everybody:
        person = learning.person(user_id)
        held = space.index.ids(user_id)
        with ledger.read() as connection:
            ours = vector_rows.point_ids(connection, person, space.fingerprint)
        if held != ours:
            findings.found(
                f"{user_id!r}: of {len(ours)} vectors it lacks {len(ours - held)}, "
                f"and it has {len(held - ours)} that the ledger has not",
                partial(reconcile, learning, space, person),
            )


def erasures(learning: Learning, findings: Findings) -> None:
    """No erasure waits for an index that was down, or for its bytes to go."""
    if erasure.unfinished(learning.ledger):
        findings.found("erasures are not complete yet", lambda: finishing.finish(learning) is None)


def adapters(learning: Learning, findings: Findings) -> None:
    """Each revision that may be served has its files with their checksums, and there are no others."""
    store = learning.adapters.folder
    with learning.ledger.read() as connection:
        found, closed = every_revision(connection)
        known = [(person, one) for person, one in found if is_ours(learning.ledger, person.namespace)]
        unread = {person: error for person, error in closed.items() if is_ours(learning.ledger, person.namespace)}
        keys = {person: people.data_key(connection, person) for person, one in known if has_files(one)}
    for person, error in unread.items():
        findings.found(f"{named(person)}: it cannot be looked at: {error}")
    for person, one in known:
        problem = damage(store, one, keys[person]) if has_files(one) else None
        if problem is not None:
            findings.found(
                f"{one.adapter_id}, which is {one.state}: {problem}",
                partial(_retire, learning, person, one, problem),
            )
    for name, reason in surplus(learning.ledger, store).items():
        findings.found(f"{name} does not belong: {reason}", partial(delete_folder, store, name))


def _retire(learning: Learning, person: Person, one: Adapter, why: str) -> None:
    """Never serve a damaged revision again; the one before it is served, or the next one is trained."""
    with learning.ledger.write() as tx:
        people.lock_known(tx, person)
        take_back(tx, person, one, how="damaged", why=why, now=learning.clock())
    delete_folder(learning.adapters.folder, one.adapter_id)


def starts(learning: Learning, findings: Findings) -> None:
    """Each shared start that may be used has its files, and nobody is in one who has erased something since."""
    kept, now = learning.adapters.starts, learning.clock()
    for one in kept.versions():
        if one.state == "retired":
            continue
        problem = _damaged(kept.folder, one.name)
        if problem is not None:
            findings.found(f"{one.name}, which is {one.state}: {problem}; train it again, or delete its folder")
    agreed = {mark: epoch for mark, (_, epoch) in learning.adapters.agreed().items()}
    for one in kept.versions():
        if one.state != "retired" and any(agreed.get(who) != epoch for who, epoch in one.people.items()):
            findings.found(
                f"{one.name} learnt from somebody who has erased something since, or agrees no longer",
                lambda: learning.adapters.tidy_starts(now=now),
            )


def _damaged(store: Path, name: str) -> str | None:
    folder = store / name
    if not folder.is_dir() or set(os.listdir(folder)) != FILES:
        return "its files are missing, or others are there"
    return registered(folder, name, None)


def left_behind(learning: Learning, findings: Findings) -> None:
    """Nothing lies in the home that a killed restore has left, nor beside it what a killed backup has."""
    home = learning.adapters.folder.absolute().parent
    for folder in aside.abandoned(home):
        findings.found(f"{folder.name}: a killed process has left it", partial(clear, folder))
    for folder in aside.abandoned(home.parent):
        findings.found(f"{folder}, beside the home: a killed backup has left it", partial(clear, folder))


def permissions(learning: Learning, findings: Findings) -> None:
    """Nobody but the owner can read what lies in the home."""
    home = learning.adapters.folder.absolute().parent
    if os.name != "posix" or not home.is_dir():
        findings.skip("there is no home folder here")
        return
    for path in _open_to_others(home):
        name = "the home folder" if path == home else str(path.relative_to(home))
        mode = stat.S_IMODE(path.stat().st_mode)
        findings.found(
            f"others may use {name} ({mode:o})",
            partial(path.chmod, mode & ~OTHERS),
        )


def _open_to_others(path: Path) -> Iterator[Path]:
    """Files that others can reach, and folders that let them; what lies in a closed folder is closed."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or not found.st_mode & OTHERS:
        return
    if not stat.S_ISDIR(found.st_mode):
        yield path
        return
    inside = [one for entry in sorted(path.iterdir()) for one in _open_to_others(entry)]
    yield from ([path, *inside] if inside else [])
