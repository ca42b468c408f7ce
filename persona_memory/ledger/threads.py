"""What the ledger holds of a thread that incoming messages may repeat; remembered from one call to the next.

An agent hands over its whole conversation at every turn. A turn's key, digest and chain never change, and turns are
only added, until a wording is revised or something is erased; both move the person's counters. So what was once found
stays found while they stand still, whichever process writes, and only what is new is hashed and looked up.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, literal_column, null, select, union_all

from persona_memory.ledger.people import Counters, Person, keyed, owned, parts
from persona_memory.ledger.schema import events, tombstones

TAIL = 64
"""A thread's last turns, which are always looked at."""

HASHES = 4
"""Hashes that are remembered for each mark, twice what a conversation needs; when there are more, it begins anew."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the ledger holds of an earlier turn that may be the same message."""

    seq: int
    key: str | None
    digest: str | None
    chain: str | None
    session: int
    at: datetime
    role: str | None
    revised_by: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger holds that the incoming messages may repeat."""

    by_key: dict[str, list[Stored]]
    by_chain: dict[str, Stored]
    tail: list[Stored]
    forgotten: frozenset[str]


def _list(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True)


_STORED = tuple(events.c[name] for name in Stored.__dataclass_fields__)
_LAST = (
    select(*_STORED)
    .where(owned(events), events.c.thread_id == bindparam("thread"), events.c.chain.is_not(None))
    .where(events.c.seq > bindparam("after"))
    .order_by(events.c.seq.desc())
    .limit(TAIL)
    .subquery()
)
_NOTHING = [null()] * (len(_STORED) - 2)
_KNOWN = union_all(  # one statement for all that an observe asks of a thread
    select(literal_column("'last'"), *_LAST.c),
    select(literal_column("'held'"), *_STORED).where(owned(events), events.c.key.in_(_list("keys"))),
    select(literal_column("'held'"), *_STORED).where(owned(events), events.c.chain.in_(_list("chains"))),
    select(literal_column("'erased'"), null(), tombstones.c.token, *_NOTHING).where(
        tombstones.c.namespace == bindparam("owner_namespace"), tombstones.c.token.in_(_list("tokens"))
    ),
)


class Thread:
    """One thread of a person: hashing within it, and what the ledger holds of it.

    Use it under the lock of the person's row, before the transaction has written anything.
    """

    def __init__(self, secret: bytes, person: Person, thread_id: str) -> None:
        self.person, self.id = person, thread_id
        self._secret = secret
        self._stands_at = (0, 0)
        self._forget()

    def __len__(self) -> int:
        """How much is remembered."""
        return len(self._hashes) + len(self._found) + len(self._tail)

    @property
    def root(self) -> str:
        """The hash of the empty thread."""
        return self.hash("thread")

    def digest(self, role: str, text: str) -> str:
        """The keyed hash of what a message says; not remembered, so that no text outlives its erasure here."""
        return self._keyed("content", role, text)

    def hash(self, *pieces: str) -> str:
        """The keyed hash of ids and hashes within the thread."""
        known = self._hashes.get(pieces)
        if known is None:
            known = self._hashes[pieces] = self._keyed(*pieces)
        return known

    def _keyed(self, *pieces: str) -> str:
        return keyed(self._secret, self.person.namespace, self.person.user_id, self.id, *pieces)

    def known(self, tx: Connection, now: Counters, keys: Sequence[str], chains: Sequence[str]) -> Known:
        """What the ledger holds under these keys and chains, and at the thread's end.

        Args:
            now: the person's counters, from `people.lock` in the same transaction.
        """
        if self._stands_at != (now.rewrites, now.epoch):
            self._stands_at = (now.rewrites, now.epoch)
            self._forget()
        self._look(tx, keys, chains)
        self._tidy({*keys, *chains})
        rows = {seq: one for found in self._found.values() for seq, one in found.items()}
        by_key: dict[str, list[Stored]] = {}
        for _, one in sorted(rows.items()):
            by_key.setdefault(one.key or "", []).append(one)
        by_chain = {one.chain: one for one in (*self._tail, *rows.values()) if one.chain}
        return Known(by_key, by_chain, self._tail, frozenset(self._erased))

    def _forget(self) -> None:
        self._hashes: dict[tuple[str, ...], str] = {}
        self._tail: list[Stored] = []
        self._found: dict[str, dict[int, Stored]] = {}  # by key or chain, then by sequence number
        self._erased: set[str] = set()

    def _tidy(self, marks: Set[str]) -> None:
        """Keep what the conversation at hand needs."""
        self._found = {mark: rows for mark, rows in self._found.items() if mark in marks}
        self._erased &= marks
        if len(self._hashes) > HASHES * (len(marks) + TAIL):
            self._hashes = {}

    def _look(self, tx: Connection, keys: Sequence[str], chains: Sequence[str]) -> None:
        """Read the turns since the last look, and what is held of those keys and chains of which nothing is known."""
        asked = {*keys, *chains} - self._found.keys()  # what was erased may have been said again
        portions = zip_longest(_parts(keys, asked), _parts(chains, asked), fillvalue=())
        after, last = self._tail[-1].seq if self._tail else 0, list[Stored]()
        for place, (some_keys, some_chains) in enumerate(list(portions) or [((), ())]):
            tokens = {_token(self._secret, self.person, mark): mark for mark in (*some_keys, *some_chains)}
            values = {"thread": self.id, "after": after, "keys": some_keys, "chains": some_chains, "tokens": [*tokens]}
            for what, *row in tx.execute(_KNOWN, {**self.person.owner(), **values}):
                if what == "erased":
                    self._erased.add(tokens[row[1]])
                elif what == "held":
                    self._hold(Stored(*row), asked)
                elif place == 0:
                    last.append(Stored(*row))
        self._tail = [*self._tail, *sorted(last, key=lambda stored: stored.seq)][-TAIL:]

    def _hold(self, one: Stored, asked: Set[str]) -> None:
        for mark in (one.key, one.chain):
            if mark is not None and mark in asked:
                self._found.setdefault(mark, {})[one.seq] = one


def erased_tokens(secret: bytes, person: Person, stored: Sequence[tuple[str | None, str | None]]) -> list[str]:
    """Tombstones of turns, from their (key, chain): a replay finds them and stays out."""
    return [_token(secret, person, mark) for pair in stored for mark in pair if mark]


def is_erased(connection: Connection, secret: bytes, person: Person, mark: str) -> bool:
    """Whether what had this key or chain was erased with its person."""
    where = [tombstones.c.namespace == person.namespace, tombstones.c.token == _token(secret, person, mark)]
    return connection.execute(select(tombstones.c.token).where(*where)).one_or_none() is not None


def _token(secret: bytes, person: Person, mark: str) -> str:
    return keyed(secret, "tombstone", person.namespace, person.user_id, mark)


def _parts(marks: Sequence[str], asked: Set[str]) -> list[list[str]]:
    return parts([mark for mark in marks if mark in asked])
