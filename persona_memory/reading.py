"""What the read path keeps of each person: valid while their counters stand still, extended as turns arrive.

Any number of processes may write; one look at the person's counters tells what is new.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Connection

from persona_memory.budget import line_cost
from persona_memory.knowledge import QuestionEvent, Traced, as_of, trace_topics
from persona_memory.learning.erasures import forget_words
from persona_memory.ledger import Counters, Ledger, Person, derived, events, people
from persona_memory.memo import Memo
from persona_memory.profile import ProfileSchema, fold_profile
from persona_memory.profile.statements import closed_by
from persona_memory.quoting import inert
from persona_memory.retrieval import PersonView, tokens
from persona_memory.types import Policy, Profile, ProfileEdit, Routed, Topic, Turn

CACHED_ROWS = 100_000
"""Turns and memories of all people together that are kept at hand, about 1.5 KB each, and what is remembered of them by
the same measure; a person alone may have more."""

PERSON_ROWS = 20
"""What keeping a person costs besides, in rows."""

LAST_TURNS = 8
"""Turns of each thread that are kept at hand, for understanding a follow-up question."""

TEXTS = 4096
"""Texts of one person about which is remembered what they come to."""

LINES = 8
"""Lines whose text and cost are remembered take as much as a row."""

UNWRITTEN = 64
"""Recalls of one person whose route waits to be written; of a host that only recalls, the last ones are kept."""

STILL_READ = 8
"""People who were read last and whose texts may still be looked at: what is remembered of them is counted later."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What the texts of one person come to: they are told again and again, and go with the person's state.

    Attributes:
        words: index words.
        inert: as it is rendered.
        cost: its tokens, as `by_lines` wants them.
    """

    words: Memo[frozenset[str]] = field(default_factory=lambda: Memo(lambda text: frozenset(tokens(text)), most=TEXTS))
    inert: Memo[str] = field(default_factory=lambda: Memo(inert, most=TEXTS))
    cost: Memo[tuple[int, int]] = field(default_factory=lambda: Memo(line_cost, most=TEXTS))

    @property
    def rows(self) -> int:
        """What they take, in rows of the cache."""
        return len(self.words) + (len(self.inert) + len(self.cost)) // LINES


@dataclass(frozen=True, slots=True)
class Noted:
    """What the last recalls came to and the ledger does not know yet, and in which epoch of the person.

    Attributes:
        routed: how each of them was routed, oldest first.
        overflows: whether each of the last turns did not fit the budget, oldest first; None where the ledger knows.
    """

    epoch: int
    routed: tuple[Routed, ...] = ()
    overflows: tuple[bool, ...] | None = None


@dataclass(slots=True)
class PersonState:
    """One person as the read path sees them. Hold `lock` while using `view`.

    Attributes:
        row: the person's counters as the database had them when it was last looked at, `seen` the same to work with.
        overflows: whether each of the last turns did not fit the budget, oldest first.
        noted: whether `overflows` is ahead of the ledger.
        routed: recalls of which the ledger does not know.
    """

    person: Person
    row: tuple[Any, ...] | None = None
    seen: Counters = field(default_factory=Counters)
    overflows: tuple[bool, ...] = ()
    noted: bool = False
    routed: deque[Routed] = field(default_factory=lambda: deque(maxlen=UNWRITTEN))
    view: PersonView = field(default_factory=PersonView)
    texts: Texts = field(default_factory=Texts)
    edits: list[ProfileEdit] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)
    traced: tuple[Traced, ...] = ()
    questions: list[QuestionEvent] = field(default_factory=list)
    threads: dict[str, deque[Turn]] = field(default_factory=dict)
    waiting: frozenset[int] = frozenset()
    lock: threading.RLock = field(default_factory=threading.RLock)

    def clear(self) -> None:
        """Begin anew: something was taken away or replaced, maybe by another process."""
        forget_words()
        self.view, self.texts, self.threads, self.questions = PersonView(), Texts(), {}, []
        self.edits, self.profile, self.traced = [], Profile(), ()
        self.overflows, self.noted = (), False
        self.routed.clear()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return people.policy_of(self.seen)

    def topics(self, now: datetime) -> tuple[Topic, ...]:
        """The person's topics as of `now`."""
        return as_of(self.traced, now)


class Reading:
    """Cached states of the people who were read last.

    A state grows while it is read: each new question brings up texts that were not looked at before. It is counted
    again when the person is read next, or when a few others have been.
    """

    def __init__(self, ledger: Ledger, schema: ProfileSchema) -> None:
        self.ledger = ledger
        self.schema = schema
        self._states: LRUCache[str, PersonState] = LRUCache(CACHED_ROWS, getsizeof=_rows)
        self._read: deque[str] = deque()
        self._lock = threading.Lock()

    def state(self, user_id: str) -> PersonState:
        """The person's state as of now."""
        with self._lock:
            state = self._states.get(user_id)
            if state is None:
                state = self._states[user_id] = PersonState(Person(self.ledger.namespace, user_id))
            self._read.append(user_id)
            if len(self._read) > STILL_READ:
                self._count(self._read.popleft())
        with state.lock:
            row = people.glance(self.ledger, state.person)
            if row != state.row:
                with self.ledger.read() as connection:
                    self._refresh(connection, state)
                state.row = row  # what came between the two looks is looked at again
        with self._lock:
            self._count(user_id)
        return state

    def _count(self, user_id: str) -> None:
        """Put the person's state in again, so that the cache knows its size. Hold the lock."""
        state = self._states.get(user_id)
        if state is not None:
            self._states[user_id] = state

    def texts(self, user_id: str) -> Texts:
        """What is remembered of the person's texts; nothing where their state is not at hand."""
        with self._lock:
            state = self._states.get(user_id)
        return Texts() if state is None else state.texts

    def note(self, user_id: str, routed: Routed, overflows: tuple[bool, ...] | None) -> None:
        """Remember a recall's route, and how the last turns fitted, until both are written with what is said next."""
        with self._lock:
            state = self._states.get(user_id)
            if state is None:
                return
            if overflows is not None:
                state.overflows, state.noted = overflows, True
            if not state.policy.paused:
                state.routed.append(routed)

    def take_noted(self, user_id: str) -> Noted | None:
        """What is to be written now; None where the ledger knows all. Each route is handed out once."""
        with self._lock:
            state = self._states.get(user_id)
            if state is None or not (state.noted or state.routed):
                return None
            routed = tuple(state.routed)
            state.routed.clear()
            return Noted(state.seen.epoch, routed, state.overflows if state.noted else None)

    def note_written(self, user_id: str, note: Noted) -> None:
        """The ledger knows how the last turns fitted, unless another one has been noted meanwhile."""
        with self._lock:
            state = self._states.get(user_id)
            if state is not None and state.overflows == note.overflows:
                state.noted = False

    def drop(self, user_id: str) -> None:
        """Forget what is cached of a person."""
        with self._lock:
            self._states.pop(user_id, None)

    def _refresh(self, connection: Connection, state: PersonState) -> None:
        now, seen = people.counters(connection, state.person), state.seen
        if now == seen:
            return
        if (now.rewrites, now.epoch) != (seen.rewrites, seen.epoch):
            state.clear()
            seen = Counters(vectors=-1)
        if now.last_seq != seen.last_seq:
            self._extend(connection, state, after=seen.last_seq, newest=now.last_seq)
        if now.vectors != seen.vectors:
            state.waiting = events.unembedded(connection, state.person)
        if now.overflows != seen.overflows:
            state.overflows, state.noted = now.overflows, False
        if now.derived != seen.derived:
            self._reload_derived(connection, state, people.policy_of(now))
        state.seen = now

    def _extend(self, connection: Connection, state: PersonState, *, after: int, newest: int) -> None:
        """Add what was said since: it costs its own length, however long the log is. No turn has a vector at first."""
        turns = events.turns(connection, state.person, after=after)
        for turn in turns:
            state.view.add_turn(turn)
            state.threads.setdefault(turn.thread_id, deque(maxlen=LAST_TURNS)).append(turn)
        state.waiting = state.waiting.union(turn.seq for turn in turns)
        if len(turns) == newest - after:  # nothing but turns has come
            return
        state.questions += [
            QuestionEvent(one.data["field"], one.thread_id or "", one.data["outcome"], one.seq)
            for one in events.questions(connection, state.person, after=after)
        ]

    def _reload_derived(self, connection: Connection, state: PersonState, policy: Policy) -> None:
        # Memories of what the person has closed since stay theirs to see and erase, but are recalled no longer.
        memories = derived.read_memories(connection, state.person)
        state.view.set_memories([one for one in memories if not closed_by(one.text, self.schema, policy)])
        state.edits = derived.read_edits(connection, state.person)
        state.profile = fold_profile(state.edits, self.schema)
        evidence, aliases = derived.read_evidence(connection, state.person)
        state.traced = trace_topics(evidence, aliases=aliases)


def _rows(state: PersonState) -> int:
    """What the state counts for in the cache; the largest still fits in, alone."""
    return min(PERSON_ROWS + len(state.view) + state.view.remembered + state.texts.rows, CACHED_ROWS)
