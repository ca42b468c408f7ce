"""The write path's first half: everything that becomes an event of a person's log, and what it causes at once.

What a caller waits for is one transaction: the events are durable, learning is queued.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Connection

from persona_memory.errors import InvalidInput
from persona_memory.knowledge import is_rejection
from persona_memory.learning import fold, forgetting
from persona_memory.learning.context import Learning
from persona_memory.ledger import Person, capture, events, jobs, people, routes
from persona_memory.ledger.capture import Captured
from persona_memory.ledger.events import NewEvent
from persona_memory.ledger.threads import Thread, is_erased
from persona_memory.messages import Draft, text_of, utc
from persona_memory.reading import Noted
from persona_memory.types import Basis, EventKind, Observed, Policy

REMEMBERED = 100_000
"""Hashes and turns that are remembered of all threads together, about half a KB each."""

LATEST = 10
"""A busy conversation puts learning off for at most this many quiet periods."""


class Writing:
    """Appends events for any person.

    Args:
        wake: called when there is work for a worker.
        quiet: pause after which a conversation is learnt from.
        learn_after: waiting turns after which it is learnt from at once.
    """

    def __init__(self, learning: Learning, *, wake: Callable[[], None], quiet: timedelta, learn_after: int) -> None:
        self._learning, self._ledger = learning, learning.ledger
        self._wake, self._quiet, self._learn_after = wake, quiet, learn_after
        self._threads: LRUCache[tuple[str, str], Thread] = LRUCache(REMEMBERED, getsizeof=_size)
        self._lock = threading.Lock()

    def observe(
        self,
        person: Person,
        drafts: Sequence[Draft],
        *,
        thread_id: str,
        at: datetime | None,
        resent: bool | None,
        noted: Noted | None = None,
    ) -> Observed:
        """Store the messages that are new, queue learning; see `PersonaMemory.observe`.

        Args:
            drafts: the messages as they may be stored.
            noted: what the last recalls came to, where the ledger does not know yet.
        """
        now = self._learning.clock()
        said = _said_in_order(drafts, utc(at) if at else now)
        with self._ledger.write() as tx:
            found = people.lock(tx, person)
            policy = people.policy_of(found)
            if _closed(policy, thread_id):
                return Observed((), ignored=len(said))
            if noted is not None and noted.epoch == found.epoch:
                _write_down(tx, person, noted)
            thread = self._thread(person, people.checked_thread(thread_id))
            stored = capture.store(tx, found, thread, said, now=now, resent=resent)
            if stored.fresh:
                self._follow_up(tx, person, thread_id, stored, now)
        self._keep(thread)
        if stored.fresh:
            self._wake()
        return stored.observed

    def closed(self, person: Person, thread_id: str | None) -> bool:
        """Whether the person lets nothing be stored of this thread."""
        with self._ledger.read() as connection:
            return _closed(people.policy_of(people.counters(connection, person)), thread_id)

    def check_open(self, person: Person, thread_id: str | None) -> None:
        """Pass if something may be stored of this thread.

        Raises:
            InvalidInput: the person has asked that nothing be.
        """
        if self.closed(person, thread_id):
            raise _closed_error(person, thread_id)

    def state(
        self,
        person: Person,
        text: str,
        *,
        thread_id: str | None = None,
        at: datetime | None = None,
        replaces: str | None = None,
        source: str | None = None,
    ) -> int | None:
        """Store a statement, which is a memory at once and is learnt from like a turn; returns its sequence number.

        Args:
            replaces: the memory that it corrects.
            source: names a statement that may come again: then it is stored once, and stays out when it was erased
                (None in both cases).
        """
        said = text_of(text)[0].strip()
        if not said:
            raise InvalidInput(f"the statement is {text!r}; pass what is to be remembered as text")
        now = self._learning.clock()
        data = {} if replaces is None else {"replaces": replaces}
        secret = self._ledger.secret
        key = None if source is None else people.keyed(secret, person.namespace, person.user_id, "statement", source)
        event = NewEvent(
            "statement", utc(at) if at else now, said, thread_id, role="user", state="pending", data=data, key=key
        )
        with self._ledger.write() as tx:
            if _closed(people.policy_of(people.lock(tx, person)), thread_id):
                raise _closed_error(person, thread_id)
            if key is not None and (events.has_key(tx, person, key) or is_erased(tx, secret, person, key)):
                return None
            seq = self._record(tx, person, event, now)
            self.queue(tx, person, now, due=now)
        self._wake()
        return seq

    def set_field(self, person: Person, field: str, value: Any, *, basis: Basis) -> None:
        """Store a profile field that the host knows or the person corrected; None empties it."""
        schema = self._learning.schema
        path = schema.field(field).path
        data: dict[str, Any] = {"field": path, "op": "remove", "value": None, "basis": basis}
        if value is not None:
            normal = schema.normalise(field, value)
            data |= {"op": "set", "value": list(normal) if isinstance(normal, tuple) else normal}
        self.append(person, "field", data)

    def set_policy(self, person: Person, policy: Policy) -> None:
        """Put a policy in force; what it asks of the past is done (starts), or is a job that is due now (retention)."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            self._record(tx, person, NewEvent("policy", now, data=asdict(policy)), now)
            self.queue(tx, person, now, due=now)
        if not policy.meta_learning:
            self._learning.adapters.tidy_starts(now=now)
        self._wake()

    def note_import(self, person: Person, source: str, *, digest: str) -> None:
        """Note that messages came from a file; the same file twice is noted once."""
        now = self._learning.clock()
        key = people.keyed(self._ledger.secret, person.namespace, person.user_id, "import", digest)
        event = NewEvent("import", now, data={"source": source}, key=key, digest=key)
        with self._ledger.write() as tx:
            found = people.lock(tx, person)
            if not events.has_key(tx, person, key):
                events.append(tx, person, found, [event], now=now)

    def append(self, person: Person, kind: EventKind, data: dict[str, Any], *, thread_id: str | None = None) -> None:
        """Store one event that is no turn, and what follows from it."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            self._record(tx, person, NewEvent(kind, now, thread_id=thread_id, data=data), now)

    def queue(self, tx: Connection, person: Person, now: datetime, *, due: datetime) -> None:
        """Queue indexing now and learning at `due`, put off by what is still being said."""
        jobs.enqueue_for_new(tx, person, due=due, now=now, latest=now + LATEST * self._quiet)

    def forget_threads(self, user_id: str) -> None:
        """Drop what is remembered of a person's threads."""
        with self._lock:
            for key in [key for key in self._threads if key[0] == user_id]:
                del self._threads[key]

    def _thread(self, person: Person, thread_id: str) -> Thread:
        with self._lock:
            known = self._threads.get((person.user_id, thread_id))
        return Thread(self._ledger.secret, person, thread_id) if known is None else known

    def _keep(self, thread: Thread) -> None:
        """Remember the thread for the next call, at the size that it has now."""
        with self._lock:
            self._threads[thread.person.user_id, thread.id] = thread

    def _record(self, tx: Connection, person: Person, event: NewEvent, now: datetime) -> int:
        found = people.lock(tx, person)
        (seq,) = events.append(tx, person, found, [event], now=now)
        stored = events.one(tx, person, seq)
        identify = self._learning.identify(person)
        fold.apply(tx, person, stored, standing=frozenset({seq}), identify=identify)
        return seq

    def _follow_up(
        self,
        tx: Connection,
        person: Person,
        thread_id: str,
        stored: Captured,
        now: datetime,
    ) -> None:
        """What new turns cause: learning is queued, revisions are derived again, a refused question is noted."""
        if stored.observed.revised:
            lost = events.earlier_wordings(tx, person, stored.observed.revised)
            events.mark_pending(tx, person, forgetting.shaken(tx, person, lost))
            people.bump(tx, person, reprofile=True)
            fold.rebuild(tx, person, identify=self._learning.identify(person))
        enough = events.count_pending(tx, person, most=self._learn_after) >= self._learn_after
        self.queue(tx, person, now, due=now if enough else now + self._quiet)
        rejected = any(one.role == "user" and is_rejection(one.text) for one in stored.fresh)
        asked = events.last_question(tx, person, thread_id) if rejected else None
        if asked is not None:
            data = {"field": asked.data["field"], "outcome": "rejected"}
            self._record(tx, person, NewEvent("question", now, thread_id=thread_id, data=data), now)


def _write_down(tx: Connection, person: Person, noted: Noted) -> None:
    if noted.overflows is not None:
        people.bump(tx, person, overflows=list(noted.overflows))
    if noted.routed:
        routes.add(tx, person, noted.routed)


def _size(thread: Thread) -> int:
    """What a thread counts for among those remembered; the largest still fits in, alone."""
    return min(len(thread), REMEMBERED)


def _said_in_order(drafts: Sequence[Draft], now: datetime) -> list[capture.Said]:
    """The messages with their times: one without was said no later than the next one that has a time, else now."""
    times: list[datetime] = []
    following = now
    for draft in reversed(drafts):
        following = draft.at or following
        times.append(following)
    return [_said(draft, time) for draft, time in zip(drafts, reversed(times), strict=True)]


def _said(draft: Draft, at: datetime) -> capture.Said:
    return capture.Said(draft.role, draft.text, draft.at or at, draft.message_id, draft.speaker, draft.attachments)


def _closed(policy: Policy, thread_id: str | None) -> bool:
    return policy.paused or thread_id in policy.incognito_threads


def _closed_error(person: Person, thread_id: str | None) -> InvalidInput:
    return InvalidInput(
        f"user {person.user_id!r} has asked that nothing be stored (paused, or thread {thread_id!r} is incognito); "
        "set_policy changes that"
    )
