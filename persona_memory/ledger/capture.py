"""Making messages durable, once each: which of them are new, which the ledger holds already, which are revisions.

Three kinds of host have to come out right (keys and chains are keyed hashes, `people.keyed`):

* Human messages with ids: the key is (thread, id). The ids of replies change on replay, so a reply's key is the key
  of the human message that it answers + role + its place among the replies. Same key, other content: a revision.
* Clients without ids that resend the whole history (or whose framework invents new ids at every call): every turn
  stores a hash chain over its thread up to itself; the longest prefix of the incoming messages whose chain is stored
  is a resend. Two genuine "yes" differ in what came before them, so both survive.
* Clients without ids that send only what is new: if the last turns of the thread equal the first incoming messages,
  these are a retry.

Two choices where the messages alone cannot tell:

* A resent history that parts from what is stored replaces a turn only where that was the last of its role (the last
  reply regenerated, the last question edited). Parting earlier is a second conversation that begins like the first:
  it is appended and everything stands. A wording too many can be corrected; a lost one is never learnt.
* A wording that was revised stays out when it comes again under its key or at its place, even as an edit back to it
  (A, B, A keeps B): a stale replay looks the same, and must not undo a correction. Said as a new message, it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, update

from persona_memory.ledger.events import NewEvent, append
from persona_memory.ledger.people import Counters, Person, bump
from persona_memory.ledger.schema import events
from persona_memory.ledger.threads import TAIL, Known, Stored, Thread
from persona_memory.types import Observed, Role

SESSION_GAP = timedelta(hours=4)
"""A pause of this length in a thread begins a new session."""

_CERTAIN = 8
"""Turns in a row that tell a resent history whose beginning lies before the last TAIL turns."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message to be made durable."""

    role: Role
    text: str
    at: datetime
    message_id: str | None = None
    speaker: str | None = None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """What became of the messages, and those of them that are new."""

    observed: Observed
    fresh: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a message stands: already held (as turn `seq`, or erased), or new, maybe as a revision."""

    held: bool
    seq: int | None
    key: str
    digest: str
    chain: str
    revises: Stored | None = None


def store(
    tx: Connection,
    found: Counters,
    thread: Thread,
    said: Sequence[Said],
    *,
    now: datetime,
    resent: bool | None = None,
) -> Captured:
    """Append those of the messages that the ledger does not hold yet.

    Args:
        found: from `people.lock` in the same transaction.
        resent: False: all messages without a known id are new, even if they repeat the last ones or what was erased.
            None: find out.
    """
    digests = [thread.digest(one.role, one.text) for one in said]
    keys = _keys(thread, said)
    chains = _chain(thread, thread.root, digests)
    known = thread.known(tx, found, [key for key in keys if key], chains)
    placed = _place(thread, said, digests, keys, chains, known, resent=resent)
    return _append(tx, found, thread, said, placed, known, now=now)


def _keys(thread: Thread, said: Sequence[Said]) -> list[str | None]:
    """Each message's key where its identity is known without the ledger, else None."""
    keys: list[str | None] = []
    answered: str | None = None
    replies = 0
    for one in said:
        if one.role != "assistant":
            answered = thread.hash("id", one.message_id) if one.message_id else None
            replies = 0
            keys.append(answered)
        elif answered is None:
            keys.append(None)
        else:
            keys.append(thread.hash("reply", answered, str(replies)))
            replies += 1
    return keys


def _chain(thread: Thread, base: str, digests: Sequence[str]) -> list[str]:
    """Running hash over the thread: `chain[i]` stands for everything up to and including message i."""
    chain = []
    for digest in digests:
        base = thread.hash("chain", base, digest)
        chain.append(base)
    return chain


def _place(
    thread: Thread,
    said: Sequence[Said],
    digests: Sequence[str],
    keys: Sequence[str | None],
    chains: Sequence[str],
    known: Known,
    *,
    resent: bool | None,
) -> list[_Placed]:
    """Decide for each message whether it is held already. Pure."""
    # Ids tell more than words: only what comes before the first known id can be known as a resend.
    ids = [place for place, key in enumerate(keys) if key in known.by_key or key in known.forgotten]
    unknown = ids[0] if ids else len(said)
    prefix = overlap = 0
    tail = _tail_before(keys[unknown] if ids else None, known.tail)
    if resent is not False:
        prefix = min(_resent_prefix(chains, known), unknown)
        if len(said) > 1 or not any(keys):
            overlap = _retried(digests[:unknown], tail, cut=len(known.tail) == TAIL)
        # A thread may hold many conversations (a host without threads): the last one, told by the tail, goes on.
        whole = prefix and chains[prefix - 1] == (tail[-1].chain if tail else None)
        prefix, overlap = (prefix, 0) if whole or prefix > overlap else (0, overlap)
    base = thread.root if prefix or not known.tail else str(known.tail[-1].chain)
    recent = {str(one.digest): one.seq for one in known.tail}
    placed: list[_Placed] = []
    erased = False  # whether what is answered was erased
    for place, (digest, key) in enumerate(zip(digests, keys, strict=True)):
        if place < prefix:
            base = chains[place]
            held = known.by_chain.get(base)
            one = _Placed(True, held.seq if held else None, key or base, digest, base)
        elif place < overlap:
            seq = tail[place - overlap].seq if overlap - place <= len(tail) else None
            one = _Placed(True, seq, key or base, digest, base)
        elif key is None and any(keys) and digest in recent:
            # Without the human message that it answers (a summary took its place), a reply is known by its words.
            one = _Placed(True, recent[digest], base, digest, base)
        else:
            one = _place_one(thread, base, digest, key, known, resent=resent)
            # A person's own words are never taken for an edit of earlier ones: that could lose what they said.
            if prefix and place == prefix and said[place].role == "assistant" and not one.revises and not one.held:
                one = replace(one, revises=_replaced(thread, base, said[place].role, known.tail))
            base = one.chain
        if said[place].role != "assistant":
            erased = one.held and one.seq is None and not known.forgotten.isdisjoint((one.key, one.chain))
        elif erased:  # it was being written meanwhile, from what was erased
            one = replace(one, held=True)
        placed.append(one)
    return _once(placed)


def _once(placed: Sequence[_Placed]) -> list[_Placed]:
    """A message that comes twice in one list is new once."""
    new: set[tuple[str, str]] = set()
    found = []
    for one in placed:
        mark = (one.key, one.digest)
        found.append(replace(one, held=True) if not one.held and mark in new else one)
        if not one.held:
            new.add(mark)
    return found


def _place_one(
    thread: Thread, base: str, digest: str, key: str | None, known: Known, *, resent: bool | None
) -> _Placed:
    chain = thread.hash("chain", base, digest)
    # What the host declares new is told by its id only: the same words at the same place may be said again.
    position = None if resent is False else chain
    if key in known.forgotten or position in known.forgotten:
        return _Placed(True, None, key or chain, digest, chain)
    earlier = known.by_key.get(key, []) if key else []
    for one in earlier:
        if one.digest == digest:
            return _Placed(True, one.seq, key or chain, digest, one.chain or chain)
    there = known.by_chain.get(position) if position else None
    if there and not earlier and (key is None or there.key == chain):
        # A reply observed without its question had no key of its own; a turn that has one is another message.
        return _Placed(True, there.seq, there.key or chain, digest, chain)
    return _Placed(False, None, key or chain, digest, chain, earlier[-1] if earlier else None)


def _resent_prefix(chains: Sequence[str], known: Known) -> int:
    """How many of the first messages are a resend of the thread's beginning."""
    held = [chain in known.by_chain or chain in known.forgotten for chain in chains]
    prefix = max((place + 1 for place, one in enumerate(held) if one), default=0)
    if prefix == 1 and len(chains) == 1:
        # One message alone is a resend only while it is the thread's last word; later, "hi" is a new "hi".
        last = known.tail[-1].chain if known.tail else None
        return 1 if chains[0] == last or chains[0] in known.forgotten else 0
    return prefix


def _replaced(thread: Thread, before: str, role: Role, tail: Sequence[Stored]) -> Stored | None:
    """The turn that a resent history has replaced: what followed `before`, if it is the thread's last of this role."""
    last = next((one for one in reversed(tail) if one.role == role), None)
    if last is None or last.digest is None or last.revised_by is not None:
        return None
    return last if last.chain == thread.hash("chain", before, last.digest) else None


def _tail_before(key: str | None, tail: Sequence[Stored]) -> Sequence[Stored]:
    """The thread's last turns up to the one with this key; all of them where it is not among them."""
    return next((tail[:place] for place, one in enumerate(tail) if key is not None and one.key == key), tail)


def _retried(digests: Sequence[str], tail: Sequence[Stored], *, cut: bool) -> int:
    """How many of the first messages repeat the thread's last turns, of which a `cut` tail holds the end only."""
    last = [one.digest for one in tail]
    for size in range(len(digests), 0, -1):
        seen = min(size, len(last))
        if last[len(last) - seen :] == digests[size - seen : size] and (seen == size or (cut and seen >= _CERTAIN)):
            return size
    return 0


def _append(
    tx: Connection,
    found: Counters,
    thread: Thread,
    said: Sequence[Said],
    placed: Sequence[_Placed],
    known: Known,
    *,
    now: datetime,
) -> Captured:
    fresh = [(one, where) for one, where in zip(said, placed, strict=True) if not where.held]
    sessions = _sessions([one for one, _ in fresh], known.tail[-1] if known.tail else None, found.session)
    new = [
        NewEvent(
            "turn", one.at, one.text, thread.id, session, one.role, one.speaker, one.message_id, "pending",
            {"attachments": list(one.attachments)} if one.attachments else None, where.key, where.digest, where.chain,
        )
        for (one, where), session in zip(fresh, sessions, strict=True)
    ]  # fmt: skip
    numbers = append(tx, thread.person, found, new, now=now)
    revised = []
    for seq, (_, where) in zip(numbers, fresh, strict=True):
        if where.revises is not None:
            _revise(tx, thread.person, where.revises, seq)
            revised.append(seq)
    if revised:
        bump(tx, thread.person, rewrites=1)
    held = [where.seq for where in placed if where.seq is not None]
    observed = Observed(tuple(numbers), len(said) - len(fresh), tuple(revised), turns=(*held, *numbers))
    return Captured(observed, tuple(one for one, _ in fresh))


def _revise(tx: Connection, person: Person, earlier: Stored, seq: int) -> None:
    """Earlier wordings stay in the log, but no longer stand; they have nothing left to teach."""
    same = or_(events.c.seq == earlier.seq, events.c.key == earlier.key)
    old = [person.owns(events), same, events.c.seq < seq, events.c.revised_by.is_(None)]
    tx.execute(update(events).where(*old, events.c.state == "pending").values(state="learnt"))
    tx.execute(update(events).where(*old).values(revised_by=seq))


def _sessions(fresh: Sequence[Said], last: Stored | None, newest: int) -> list[int]:
    """Session numbers: the thread's last session goes on unless there was a long pause."""
    current, moment = (last.session, last.at) if last else (None, None)
    numbers = []
    for one in fresh:
        if current is None or moment is None or one.at - moment > SESSION_GAP:
            newest += 1
            current = newest
        moment = one.at if moment is None else max(moment, one.at)
        numbers.append(current)
    return numbers
