"""The versions of the starts that all people's adapters may begin from, and which one is published.

    add → stored ── publish (its report passed) → published ── unpublish → stored
                └───────────────── retire ─────────────────┴──────────→ retired: its files are deleted

Files and a list of all versions lie in one folder. A start belongs to nobody; where people have agreed to be among
those whom it learnt from, its manifest knows them by keyed hashes.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from persona_memory.adapters.files import FILES, delete_revision, revisions
from persona_memory.adapters.manifest import Fingerprint, Manifest
from persona_memory.adapters.names import SHARED, parse_name, start_name
from persona_memory.errors import AdapterError, InvalidInput, NotFound

LIST = "starts.json"
UNFINISHED = ".training"
"""Ends the names of checkpoints of trainings that somebody is in who agreed; they may lie in the folder, too."""
WITHDRAWN = "somebody whom it learnt from has erased something, or agrees no longer"


_STRICT = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class StartVersion:
    """One version of a start.

    Attributes:
        name: that of its folder, "start-000003".
        fingerprint: of the base that it was learnt on: it is no start on any other.
        report: what its evaluation measured, {"passed": bool, …}.
        people: as in `MetaTraining`.
        at: when its state changed, ISO 8601.
        reason: why it is in its state, in plain English.
    """

    __pydantic_config__ = _STRICT

    name: str
    state: Literal["stored", "published", "retired"]
    fingerprint: Fingerprint
    report: Mapping[str, Any] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)
    at: str = ""
    reason: str = ""


_VERSIONS = TypeAdapter(tuple[StartVersion, ...])


class Starts:
    """Adds, publishes and retires versions. Any number of processes may.

    Args:
        folder: where the files of all versions are; made when something is added.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> tuple[StartVersion, ...]:
        """All versions, oldest first.

        Raises:
            InvalidInput: the list cannot be read.
        """
        path = self.folder / LIST
        try:
            return _VERSIONS.validate_json(path.read_bytes())
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            raise InvalidInput(f"{str(path)!r} is no list of starts: restore it, or delete the folder") from error

    def published(self, fingerprint: Fingerprint) -> StartVersion | None:
        """The newest published version for this base; None where people's adapters begin from nothing."""
        fits = [one for one in self.versions() if one.state == "published" and one.fingerprint == fingerprint]
        return fits[-1] if fits else None

    def next_name(self) -> str:
        """The name of the next version: no name is ever given twice."""
        known = [*(one.name for one in self.versions()), *revisions(self.folder, SHARED)]
        return start_name(max((parse_name(name)[1] for name in known), default=0) + 1)

    def add(self, manifest: Manifest, report: Mapping[str, Any], *, now: datetime) -> StartVersion:
        """Note a version whose files are stored, with what its evaluation measured. It is not published yet.

        Raises:
            NotFound: its files are not there, e.g. because somebody has withdrawn meanwhile.
            InvalidInput: it is no start, or is known already.
        """
        if manifest.meta is None:
            raise InvalidInput(
                f"{manifest.name!r} is an adapter, no start: its manifest does not say how it was learnt"
            )
        people = dict(manifest.meta.people)
        with self._changing() as known:
            if manifest.name in known:
                raise InvalidInput(f"{manifest.name!r} is known already; a change is a new version")
            if manifest.name not in revisions(self.folder, SHARED):
                raise NotFound(f"there are no files of {manifest.name!r} in {str(self.folder)!r}")
            reason = "it passed" if report["passed"] else "it did not pass"
            made = StartVersion(
                manifest.name, "stored", manifest.fingerprint, dict(report), people, now.isoformat(), reason
            )
            known[made.name] = made
        return made

    def publish(self, name: str, *, now: datetime) -> StartVersion:
        """Let adapters begin from this version from now on.

        Raises:
            NotFound: there is no such version.
            AdapterError: it did not pass its evaluation, or is retired.
        """
        with self._changing() as known:
            found = _of(known, name)
            if found.state == "retired" or not found.report.get("passed"):
                raise AdapterError(name, f"it is {found.state}: {found.reason}; only one that passed can be published")
            known[name] = replace(found, state="published", at=now.isoformat())
            return known[name]

    def unpublish(self, name: str, *, reason: str, now: datetime) -> StartVersion:
        """Roll back: adapters begin from the version that was published before, or from nothing.

        Raises:
            NotFound: there is no such version, or it is not published.
        """
        with self._changing() as known:
            if _of(known, name).state != "published":
                raise NotFound(f"{name!r} is not published")
            known[name] = replace(known[name], state="stored", at=now.isoformat(), reason=reason)
            return known[name]

    def keep_agreed(self, people: Mapping[str, int], *, now: datetime) -> list[str]:
        """Retire every version that somebody is in who agrees no longer, or has erased something; returns their names.

        Args:
            people: who agrees now, by keyed hash, with the epoch of their log.
        """
        if not self.folder.is_dir():
            return []
        gone = []
        with self._changing() as known:
            for name, one in known.items():
                if one.state != "retired" and any(people.get(who) != epoch for who, epoch in one.people.items()):
                    gone.append(name)
                    known[name] = replace(
                        one, state="retired", report={}, people={}, at=now.isoformat(), reason=WITHDRAWN
                    )
            kept = {name for name, one in known.items() if one.state != "retired"}
            for name in revisions(self.folder, SHARED):
                if name not in kept:  # also what a killed training has left: nobody knows whom it learnt from
                    delete_revision(self.folder, name)
            self.drop_unfinished()  # a training under way writes it again, and is looked at when it ends
        return gone

    def drop_unfinished(self) -> None:
        """Delete the checkpoints, also those that a killed training has half written; trainings begin anew."""
        for path in self.folder.glob(f"*{UNFINISHED}*"):
            path.unlink(missing_ok=True)

    def copy_to(self, folder: Path, copy: Callable[[Path, Path], object]) -> None:
        """Copy the list and the files of every version that is not retired, while nobody changes them.

        Args:
            folder: an empty folder.
            copy: (from, to) for one file.
        """
        if not (self.folder / LIST).exists():
            return
        with self._changing() as known:
            for name in (one.name for one in known.values() if one.state != "retired"):
                (folder / name).mkdir(mode=0o700)
                for file in sorted(FILES):
                    copy(self.folder / name / file, folder / name / file)
            copy(self.folder / LIST, folder / LIST)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, StartVersion]]:
        """The versions by name, to be changed by one process at a time; written when the block ends well."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = {one.name: one for one in self.versions()}
            before = dict(known)
            yield known
            if known != before:
                _replace(self.folder / LIST, _VERSIONS.dump_json(tuple(known.values()), indent=2) + b"\n")


def _of(known: Mapping[str, StartVersion], name: str) -> StartVersion:
    if name not in known:
        raise NotFound(f"there is no start {name!r}; there are: {', '.join(known) or 'none'}")
    return known[name]


def _replace(path: Path, data: bytes) -> None:
    """Write aside, then rename: a kill leaves the old list or the new one."""
    number, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(number, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
