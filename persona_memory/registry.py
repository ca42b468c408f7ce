"""The versions of every person's adapter, and which of them is served.

    begin → candidate ── evaluate → evaluated ── promote → active ── a newer one is promoted → evaluated
                │                       │                     │
                └───────────────────────┴── retire, rollback ─┴──→ retired: never served again, its files deleted

Rows live in the ledger, files in a folder. The row decides: files without a row that may be served are deleted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from persona_memory import telemetry
from persona_memory.adapters import (
    Starts,
    delete_folder,
    delete_revision,
    owner_of,
    parse_name,
    read_revision,
    revision_name,
    revisions,
    sweep,
    write_revision,
)
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import check_files
from persona_memory.errors import AdapterError, AdapterRetired, NotFound, StaleJob
from persona_memory.ledger import Ledger, Person, erasure, events, jobs, people
from persona_memory.ledger import adapters as rows
from persona_memory.protocols import Opener
from persona_memory.types import Adapter, Job

KEPT = 3
"""Revisions of one person that may be served or returned to; older ones are retired."""

DISLIKED = 3
"""How many more of an adapter's replies have to be rated down than up for it to be rolled back."""

LONGEST = {WEIGHTS: 4 << 30, CONFIG: 64 << 10, MANIFEST: 16 << 20}
"""Bytes that a file of a revision may have."""

TRAINING = ".training-"
"""Begins the names of workspaces."""

UNFINISHED = "its training did not end"
ERASED = "something that it was trained on was erased"

STARTS_FOLDER = "starts"
"""Beside the folder of the adapters."""

COPIES_FOLDER = "vllm"
"""Beside it, too: plain copies that an engine reads (persona_memory_vllm). They go with what they are copies of."""


class AdapterRegistry:
    """Begins, evaluates, promotes and retires revisions, each step in one transaction of the ledger.

    Args:
        folder: where the files of all revisions are.
        keep: told after each change, with the owner's part of names and the revisions that may go on being used.

    Attributes:
        evaluated: how many revisions were evaluated through this object.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, keep: Callable[[str, Collection[str]], None] | None = None
    ) -> None:
        self._ledger, self.folder, self._keep = ledger, folder, keep
        self.evaluated = 0
        self.starts = Starts(folder.with_name(STARTS_FOLDER))

    @property
    def opener(self) -> Opener | None:
        """What opens the files; None where they are not encrypted."""
        return self._ledger.vault

    @property
    def copies(self) -> Path:
        """Where plain copies for an engine belong."""
        return self.folder.with_name(COPIES_FOLDER)

    @property
    def closed(self) -> bool:
        """Whether the memory is closed; nothing can be asked any more."""
        return self._ledger.closed

    def versions(self, user_id: str) -> list[Adapter]:
        """All of the person's revisions, oldest first."""
        with self._ledger.read() as connection:
            return rows.read(connection, self._person(user_id))

    def active(self, user_id: str, *, fingerprint: Mapping[str, str] | None = None) -> Adapter | None:
        """The revision that is served; with a fingerprint, None if it does not fit."""
        with self._ledger.read() as connection:
            found = rows.read(connection, self._person(user_id), state="active")
        fits = [one for one in found if fingerprint is None or not one.unfit(fingerprint)]
        return fits[0] if fits else None

    def digest(self, adapter_id: str) -> str | None:
        """SHA-256 of the manifest.json that was registered with a revision; None while it is a candidate.

        Raises:
            AdapterRetired: it may not be served any more.
            NotFound: there is no such revision.
        """
        with self._ledger.read() as connection:
            found = rows.named(connection, self._ledger.namespace, adapter_id)
        if found is None:
            raise NotFound(f"there is no adapter {adapter_id!r}")
        if found.state == "retired":
            raise AdapterRetired(adapter_id, f"it is retired: {found.reason}")
        return found.report.get("manifest")

    def files(self, adapter_id: str) -> dict[str, bytes]:
        """The files of a revision that may be served, decrypted and compared with what was registered.

        Raises:
            AdapterRetired: it may not be served any more.
            NotFound: there is no such revision, or not on this machine.
            AdapterRefused: its files are not what they should be.
        """
        digest = self.digest(adapter_id)
        files = read_revision(self.folder, adapter_id, LONGEST, opener=self.opener)
        check_files(adapter_id, files, digest)
        return files

    def standing(self, adapter_ids: Collection[str]) -> set[str]:
        """Those of the names that may be served, of all namespaces of the ledger."""
        with self._ledger.read() as connection:
            found = rows.states(connection, adapter_ids)
        return {name for name, state in found.items() if state != "retired"}

    def workspace(self, adapter_id: str) -> Path:
        """The folder for what a training of this person goes on from; it goes with the last candidate."""
        return self.folder / f"{TRAINING}{parse_name(adapter_id)[0]}"

    def workspace_key(self, user_id: str, adapter_id: str) -> bytes | None:
        """What everything in the candidate's workspace is encrypted with; None where nothing is."""
        with self._ledger.read() as connection:
            key = people.data_key(connection, self._person(user_id))
        return None if key is None else key.derived(f"workspace of {parse_name(adapter_id)[0]}")

    @property
    def starts_key(self) -> bytes | None:
        """What the checkpoint of a start is encrypted with that people who agreed are in; None where nothing is."""
        return (
            None if self._ledger.vault is None else hmac.digest(self._ledger.secret, b"checkpoint of a start", "sha256")
        )

    def begin(
        self,
        user_id: str,
        *,
        base_model: str,
        fingerprint: Mapping[str, str],
        turns: Collection[int],
        memory_ids: Collection[str],
        now: datetime,
        parent: str | None = None,
        job: Job | None = None,
    ) -> Adapter:
        """A new candidate, before its training: what is erased from now on makes it void.

        Candidates that were begun before are given up: there is one training of a person at a time. What the parent was
        trained on counts as the candidate's, too: its weights know it.

        Args:
            turns, memory_ids: what it is to be trained on.
            parent: the revision whose weights training goes on from.
            job: under whose fence and epoch it begins.

        Raises:
            NotFound: the person is not known, or has no such parent.
            StaleJob: the parent is retired; or something was erased since the job began.
        """
        person = self._person(user_id)
        key = self._ledger.secret
        with self._ledger.write() as tx:
            found = people.lock_known(tx, person)
            if found is None:
                raise NotFound(f"nothing is known of user {user_id!r}, so there is nothing to train on")
            if job is not None:
                jobs.check(tx, job)
            if parent is not None:
                before = _servable(tx, person, parent)
                turns, memory_ids = {*turns, *before.turns}, {*memory_ids, *before.memory_ids}
            for left in rows.read(tx, person, state="candidate"):
                _retire(tx, person, left, UNFINISHED)
            erased = erasure.adapters_erased_of(tx, person, secret=key)  # a name never has other weights
            revision = rows.add(
                tx, person, name=lambda number: revision_name(key, _owner(person), number), base_model=base_model,
                fingerprint=fingerprint, turns=turns, memory_ids=memory_ids, watermark=found.last_seq,
                parent=parent, now=now, after=max((parse_name(name)[1] for name in erased), default=0),
            )  # fmt: skip
            (made,) = rows.read(tx, person, revision=revision)
        delete_revision(self.folder, made.adapter_id)  # of a ledger that one from a backup has replaced
        self.tidy(user_id)
        return made

    def evaluate(
        self, user_id: str, adapter_id: str, files: Mapping[str, bytes], *, report: Mapping[str, Any]
    ) -> Adapter:
        """Store the trained candidate's files, and then what its evaluation measured.

        Args:
            report: {"passed": bool, "reason": str, …}; only a revision that passed can be promoted.

        Raises:
            StaleJob: it is no candidate any more, e.g. because something was erased since; its files are gone.
            NotFound: the person has no such revision, or was deleted; its files are gone.
            AdapterRefused: it has files already.
        """
        person = self._person(user_id)
        with self._ledger.read() as connection:
            _candidate(connection, person, adapter_id)
            key = people.data_key(connection, person)
        if report["passed"]:  # weights that nobody may serve are not kept
            write_revision(self.folder, adapter_id, files, key=key)
        try:
            with self._ledger.write() as tx:
                people.lock_known(tx, person)
                found = _candidate(tx, person, adapter_id)
                reason = str(report.get("reason") or ("it passed" if report["passed"] else "it did not pass"))
                known = {**report, "manifest": hashlib.sha256(files[MANIFEST]).hexdigest()}
                rows.change(tx, person, found.revision, state="evaluated", report=known, reason=reason)
                evaluated = _of(tx, person, adapter_id)
        except BaseException:  # raised on; weights that nobody may serve do not stay, whatever ended this
            delete_revision(self.folder, adapter_id)
            raise
        self.evaluated += 1
        self.tidy(user_id)
        return evaluated

    def promote(self, user_id: str, adapter_id: str, *, now: datetime, replacing: str | None) -> Adapter:
        """Serve this revision from now on.

        Args:
            replacing: the active revision that the decision was made against; None: there was none.

        Raises:
            AdapterError: it did not pass its evaluation, or another one has become active meanwhile.
            StaleJob: something of the person was erased since its training began.
        """
        person = self._person(user_id)
        with self._ledger.write() as tx:
            people.lock_known(tx, person)
            found = _servable(tx, person, adapter_id)
            if found.state != "evaluated" or not found.report.get("passed"):
                raise AdapterError(
                    adapter_id, f"it is {found.state}: {found.reason}; only one that passed can be promoted"
                )
            before = rows.read(tx, person, state="active")
            if [one.adapter_id for one in before] != ([] if replacing is None else [replacing]):
                now_active = before[0].adapter_id if before else None
                raise AdapterError(adapter_id, f"{now_active} is active by now, not {replacing}; compare with that one")
            for old in before:
                rows.change(tx, person, old.revision, state="evaluated", reason=f"replaced by {adapter_id}")
            rows.change(tx, person, found.revision, state="active", active_from=now, reason="it passed")
            _retire_surplus(tx, person)
            promoted = _of(tx, person, adapter_id)
        telemetry.count(telemetry.ADAPTERS, {telemetry.OUTCOME: "promoted"})
        self.tidy(user_id)
        return promoted

    def rollback(self, user_id: str, *, reason: str, now: datetime, only: str | None = None) -> Adapter | None:
        """Retire the active revision and return to the one before it, for the same base; None if there is none.

        Args:
            only: the revision that is meant: another one, which is active by now, stays.

        Raises:
            NotFound: the person has no active adapter, or another one.
        """
        person = self._person(user_id)
        with self._ledger.write() as tx:
            people.lock_known(tx, person)
            active = [one for one in rows.read(tx, person, state="active") if only in (None, one.adapter_id)]
            if not active:
                raise NotFound(f"user {user_id!r} has no active adapter to roll back")
            take_back(tx, person, active[0], how="rolled back", why=reason, now=now)
            found = rows.read(tx, person, state="active")
        telemetry.count(telemetry.ADAPTERS, {telemetry.OUTCOME: "rolled back"})
        self.tidy(user_id)
        return found[0] if found else None

    def rated(self, user_id: str, adapter_id: str, *, now: datetime) -> None:
        """Roll the adapter back if it is active and `DISLIKED` more of its replies were rated down than up."""
        person = self._person(user_id)
        with self._ledger.read() as connection:
            active = rows.read(connection, person, state="active", name=adapter_id)
            marks = events.in_order(connection, person, kinds=("feedback",)) if active else []
        ratings = [mark.data["rating"] for mark in marks if mark.data.get("adapter") == adapter_id]
        if ratings.count("down") - ratings.count("up") >= DISLIKED:
            with suppress(NotFound):  # somebody else's rating was quicker
                reason = f"{ratings.count('down')} replies were rated down"
                self.rollback(user_id, reason=reason, now=now, only=adapter_id)

    def vouch(self, user_id: str, adapter_id: str, *, until: int, reason: str, unknown: Collection[int] = ()) -> None:
        """Note that what was said up to an event holds too little that this active revision does not know.

        Args:
            unknown: the turns with that little: they join its residual buffer, as no training has them.

        Raises:
            NotFound: the person has no such revision.
            StaleJob: it is retired.
        """
        person = self._person(user_id)
        with self._ledger.write() as tx:
            people.lock_known(tx, person)
            found = _servable(tx, person, adapter_id)
            residual = list(dict.fromkeys((*found.report.get("residual", ()), *unknown)))
            rows.change(
                tx, person, found.revision, watermark=max(until, found.watermark), reason=reason,
                report={**found.report, "residual": residual},
            )  # fmt: skip

    def retire(self, user_id: str, adapter_id: str, *, reason: str) -> None:
        """Never serve this revision again, and delete its files."""
        person = self._person(user_id)
        with self._ledger.write() as tx:
            people.lock_known(tx, person)
            _retire(tx, person, _of(tx, person, adapter_id), reason)
        self.tidy(user_id)

    def tidy(self, user_id: str) -> int:
        """Delete the files of revisions that may not be served; returns how many. Safe to run again at any time."""
        person = self._person(user_id)
        owner = owner_of(self._ledger.secret, _owner(person))
        stored = revisions(self.folder, owner)  # before the rows are read: files come after their row
        with self._ledger.read() as connection:
            stand = [one for one in rows.read(connection, person) if one.state != "retired"]
        kept = {one.adapter_id for one in stand}
        if self._keep is not None:
            self._keep(owner, kept)
        sweep(self.folder)  # what a killed process has half deleted may be just what was erased
        if all(one.state != "candidate" for one in stand):
            delete_folder(self.folder, f"{TRAINING}{owner}")
        for name in revisions(self.copies, owner):
            if name not in kept:
                delete_revision(self.copies, name)
        return sum(delete_revision(self.folder, name) for name in stored if name not in kept)

    def sweep(self) -> int:
        """Delete what is in this folder and was retired or erased elsewhere; returns how many folders went.

        Of what neither a row nor a receipt is known it cannot be told whose it is: it stays.
        """
        swept = sweep(self.folder)
        with self._ledger.read() as connection:
            known = dict.fromkeys(erasure.erased_adapters(connection), "retired") | rows.states(connection)
        stores = (self.folder, self.copies)
        gone = [(store, name) for store in stores for name in revisions(store) if known.get(name) == "retired"]
        owners = {parse_name(name)[0] for name in known}
        training = {parse_name(name)[0] for name, state in known.items() if state == "candidate"}
        idle = {f"{TRAINING}{owner}" for owner in owners - training}
        left = [path.name for path in self.folder.glob(f"{TRAINING}*") if path.name in idle]
        deleted = [delete_revision(store, name) for store, name in gone]
        return swept + sum(deleted) + sum(delete_folder(self.folder, name) for name in left)

    def agreed(self) -> dict[str, tuple[Person, int]]:
        """Who lets shared starts learn from them: by the keyed hash that a start knows them by, with their epoch."""
        with self._ledger.read() as connection:
            found = people.in_meta_learning(connection)
        return {_in_starts(self._ledger.secret, person): (person, epoch) for person, epoch in found}

    def tidy_starts(self, *, now: datetime) -> list[str]:
        """Retire the shared starts that learnt from somebody who has erased something since, or agrees no longer.

        Returns:
            Their names; their files are gone.
        """
        if not self.starts.folder.is_dir():
            return []
        return self.starts.keep_agreed({mark: epoch for mark, (_, epoch) in self.agreed().items()}, now=now)

    def _person(self, user_id: str) -> Person:
        return Person(self._ledger.namespace, people.checked(user_id))


def take_back(tx: Connection, person: Person, one: Adapter, *, how: str, why: str, now: datetime) -> None:
    """Retire a revision; if it was served, the one before it, for the same base, is again. The files go with `tidy`."""
    _retire(tx, person, one, f"{how}: {why}")
    before = rows.last_active(tx, person, fingerprint=one.fingerprint) if one.state == "active" else None
    if before is not None:
        rows.change(tx, person, before, state="active", active_from=now, reason=f"returned to: {why}")


def retire_erased(
    tx: Connection, person: Person, *, turns: Collection[int], memory_ids: Collection[str]
) -> tuple[str, ...]:
    """Retire what was trained on one of these turns or memories; returns the names. In the transaction that erases.

    A candidate goes in any case: its training may have read what is erased now. The files go with `tidy`.
    """
    gone_turns, gone_memories = set(turns), set(memory_ids)
    saw = [
        one
        for one in rows.read(tx, person)
        if one.state == "candidate"
        or (
            one.state != "retired"
            and not (gone_turns.isdisjoint(one.turns) and gone_memories.isdisjoint(one.memory_ids))
        )
    ]
    for one in saw:
        _retire(tx, person, one, ERASED)
    return tuple(one.adapter_id for one in saw)


def _retire(tx: Connection, person: Person, one: Adapter, reason: str) -> None:
    """What it was trained on is told no longer: it may be just what had to go."""
    telemetry.count(telemetry.ADAPTERS, {telemetry.OUTCOME: "retired"})
    rows.change(tx, person, one.revision, state="retired", reason=reason, turns=[], memory_ids=[], report={})


def _retire_surplus(tx: Connection, person: Person) -> None:
    """What did not pass takes nobody's place: it can never be returned to."""
    ended = [one for one in rows.read(tx, person) if one.state in ("evaluated", "active")]
    kept = [one.revision for one in ended if one.report.get("passed")][-KEPT:]
    for one in ended:
        if len(kept) == KEPT and one.state == "evaluated" and one.revision < kept[0]:
            _retire(tx, person, one, f"{KEPT} newer ones are kept")


def _of(connection: Connection, person: Person, adapter_id: str) -> Adapter:
    """The person's revision of this name.

    Raises:
        NotFound: the person has none.
    """
    found = rows.read(connection, person, name=adapter_id)
    if not found:
        raise NotFound(f"user {person.user_id!r} has no adapter {adapter_id!r}")
    return found[0]


def _candidate(connection: Connection, person: Person, adapter_id: str) -> Adapter:
    """The same, if it still is a candidate; else StaleJob."""
    found = _of(connection, person, adapter_id)
    if found.state != "candidate":
        raise StaleJob(f"adapter {adapter_id} is {found.state}: {found.reason}; its weights were dropped")
    return found


def _servable(connection: Connection, person: Person, adapter_id: str) -> Adapter:
    """The same, if it is not retired; else StaleJob."""
    found = _of(connection, person, adapter_id)
    if found.state == "retired":
        raise StaleJob(f"adapter {adapter_id} is retired: {found.reason}")
    return found


def _owner(person: Person) -> str:
    return f"{person.namespace}\0{person.user_id}"


def _in_starts(secret: bytes, person: Person) -> str:
    return people.keyed(secret, "start", person.namespace, person.user_id)
