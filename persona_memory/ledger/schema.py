"""The ledger's tables. Every key begins with (namespace, user_id); `events` is the source of the rest.

What people said, and what was made of it, is in columns of the types `Sealed…`, which an encrypted ledger encrypts. In
the others are ids, times, kinds, numbers and keyed hashes, and what is asked for by its value; docs/encryption.md lists
them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from persona_memory.ledger.sealed import SealedBytes, SealedJSON, SealedText

SCHEMA_VERSION = 6

metadata = MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """Aware datetimes as integer microseconds since 1970: exact, sortable and the same on SQLite and Postgres."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """To microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """From microseconds."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def _owner() -> tuple[Column[str], Column[str]]:
    return Column("namespace", Text, nullable=False), Column("user_id", Text, nullable=False)


_RowId = BigInteger().with_variant(Integer, "sqlite")

meta = Table("meta", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False))

users = Table(
    "users",
    metadata,
    *_owner(),
    Column("last_seq", BigInteger, nullable=False, default=0),
    Column("session", Integer, nullable=False, default=0),
    # What readers have cached is valid while these counters stand still.
    Column("derived", BigInteger, nullable=False, default=0),
    Column("vectors", BigInteger, nullable=False, default=0),
    Column("rewrites", BigInteger, nullable=False, default=0),
    # Raised by forget and delete: results of jobs that began under an older epoch are void.
    Column("epoch", BigInteger, nullable=False, default=0),
    Column("embedder", Text),
    Column("optimizations", Integer, nullable=False, default=0),
    # While everything is learnt again: answers up to this number are replaced. 0 when the profile is done, too.
    Column("relearn", BigInteger, nullable=False, default=0),
    # Edits of the profile were lost with what they cited: the next optimisation does not wait for more sessions.
    Column("reprofile", Boolean, nullable=False, default=False),
    Column("policy", JSON, nullable=False, default=dict),
    # Whether each of the last turns did not fit the budget, oldest first: what the router escalates on.
    Column("overflows", JSON, nullable=False, default=list),
    # Of the data key that encrypts what is said from now on; none where the ledger is not encrypted.
    Column("key", String(16)),
    PrimaryKeyConstraint("namespace", "user_id"),
)

events = Table(
    "events",
    metadata,
    *_owner(),
    Column("seq", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("text", SealedText("events.text"), nullable=False, default=""),
    Column("thread_id", Text),
    Column("session", Integer, nullable=False, default=0),
    Column("role", String(16)),
    Column("speaker", SealedText("events.speaker")),
    Column("message_id", Text),
    Column("state", String(16)),
    Column("data", SealedJSON("events.data"), nullable=False, default=dict),
    # Idempotency: keyed hashes of the message's identity, of its content and of the thread up to and including it.
    Column("key", String(32)),
    Column("digest", String(32)),
    Column("chain", String(32)),
    Column("revised_by", BigInteger),
    Column("embedded", Text),
    # Whether the profile optimiser has seen the turn.
    Column("profiled", Boolean, nullable=False, default=False),
    PrimaryKeyConstraint("namespace", "user_id", "seq"),
    UniqueConstraint("namespace", "user_id", "key", "digest"),
)
Index("events_by_thread", events.c.namespace, events.c.user_id, events.c.thread_id, events.c.seq)
Index("events_by_chain", events.c.namespace, events.c.user_id, events.c.chain)
Index("events_by_kind", events.c.namespace, events.c.user_id, events.c.kind, events.c.seq)
Index(
    "events_pending",
    events.c.namespace,
    events.c.user_id,
    events.c.seq,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)
Index(
    "events_unembedded",
    events.c.namespace,
    events.c.user_id,
    events.c.seq,
    sqlite_where=text("embedded IS NULL"),
    postgresql_where=text("embedded IS NULL"),
)
Index(
    "events_unprofiled",
    events.c.namespace,
    events.c.user_id,
    events.c.seq,
    sqlite_where=text("profiled IS 0"),
    postgresql_where=text("profiled IS false"),
)

memories = Table(
    "memories",
    metadata,
    *_owner(),
    Column("id", String(32), nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", SealedText("memories.text"), nullable=False),
    Column("quote", SealedText("memories.quote"), nullable=False, default=""),
    Column("basis", String(16), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("valid_from", UtcTime, nullable=False),
    Column("valid_to", UtcTime),
    Column("superseded_by", String(32)),
    Column("embedded", Text),
    PrimaryKeyConstraint("namespace", "user_id", "id"),
)

memory_sources = Table(
    "memory_sources",
    metadata,
    *_owner(),
    Column("memory_id", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("namespace", "user_id", "memory_id", "seq"),
)

profile_edits = Table(
    "profile_edits",
    metadata,
    *_owner(),
    Column("ordinal", BigInteger, nullable=False),
    Column("field", SealedText("profile_edits.field"), nullable=False),
    Column("op", String(8), nullable=False),
    Column("value", SealedJSON("profile_edits.value")),
    Column("evidence", JSON, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("basis", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("namespace", "user_id", "ordinal"),
)

topic_evidence = Table(
    "topic_evidence",
    metadata,
    *_owner(),
    Column("ordinal", BigInteger, nullable=False),
    Column("topic", SealedText("topic_evidence.topic"), nullable=False),
    Column("said", SealedText("topic_evidence.said"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("namespace", "user_id", "ordinal"),
)

vectors = Table(
    "vectors",
    metadata,
    *_owner(),
    Column("item", String(64), nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("vector", SealedBytes("vectors.vector"), nullable=False),
    PrimaryKeyConstraint("namespace", "user_id", "fingerprint", "item"),
)
Index("vectors_by_ordinal", vectors.c.namespace, vectors.c.user_id, vectors.c.fingerprint, vectors.c.ordinal)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    *_owner(),
    Column("kind", String(16), nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("queued_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime),
    Column("owner", Text),
    Column("fence", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("again", Boolean, nullable=False, default=False),
    Column("epoch", BigInteger, nullable=False, default=0),
    Column("last_error", SealedText("jobs.last_error")),
    Column("seqs", JSON, nullable=False, default=list),
    # What a queued job waits for besides its time: "budget" or "model". Neither counts as a failure.
    Column("waits_for", String(8)),
    sqlite_autoincrement=True,
)
ACTIVE = text("state IN ('queued', 'running')")
"""Jobs of which a person has one at most of each kind."""
Index(
    "one_active_job",
    jobs.c.namespace,
    jobs.c.user_id,
    jobs.c.kind,
    unique=True,
    sqlite_where=ACTIVE,
    postgresql_where=ACTIVE,
)
Index("jobs_due", jobs.c.namespace, jobs.c.state, jobs.c.due_at)

adapters = Table(
    "adapters",
    metadata,
    *_owner(),
    Column("revision", Integer, nullable=False),
    Column("name", String(34), nullable=False),
    Column("state", String(16), nullable=False),
    Column("base_model", Text, nullable=False),
    Column("fingerprint", JSON, nullable=False),
    Column("parent", String(34)),
    # What it was trained on: source events up to the watermark, of them these turns, and these memories.
    Column("watermark", BigInteger, nullable=False),
    Column("turns", JSON, nullable=False),
    Column("memory_ids", JSON, nullable=False),
    Column("at", UtcTime, nullable=False),
    # When it was last made active; a rollback goes to the one that was active before.
    Column("active_from", UtcTime),
    Column("report", SealedJSON("adapters.report"), nullable=False, default=dict),
    Column("reason", SealedText("adapters.reason"), nullable=False, default=""),
    PrimaryKeyConstraint("namespace", "user_id", "revision"),
)
Index(
    "one_active_adapter",
    adapters.c.namespace,
    adapters.c.user_id,
    unique=True,
    sqlite_where=text("state = 'active'"),
    postgresql_where=text("state = 'active'"),
)
adapters_by_name = Index("adapters_by_name", adapters.c.name)

routes = Table(
    "routes",
    metadata,
    *_owner(),
    Column("ordinal", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("name", String(16), nullable=False),
    Column("case", String(16), nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("needed", Integer, nullable=False),
    Column("budget", Integer, nullable=False),
    PrimaryKeyConstraint("namespace", "user_id", "ordinal"),
)

spending = Table(
    "spending",
    metadata,
    *_owner(),
    Column("day", Date, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    PrimaryKeyConstraint("namespace", "user_id", "day"),
)

spending_totals = Table(
    "spending_totals",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("day", Date, nullable=False),
    # Many people's calls are counted side by side: each in one of some rows, which are added up.
    Column("shard", Integer, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    PrimaryKeyConstraint("namespace", "day", "shard"),
)

outages = Table(
    "outages",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    PrimaryKeyConstraint("namespace", "owner"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("token", String(32), nullable=False),
    PrimaryKeyConstraint("namespace", "token"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("id", String(32), nullable=False),
    Column("user_token", String(32), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("erased", JSON, nullable=False),
    # What is still to be deleted outside the ledger: {"user_id": …, "points": […] or null for all, "keys": […]}.
    Column("outside", JSON(none_as_null=True)),
    # What was erased, by ids and names that tell nothing (`erasure.Named`), so that it can be proven later.
    Column("named", JSON(none_as_null=True)),
    PrimaryKeyConstraint("namespace", "id"),
)

PER_USER = (
    events, memories, memory_sources, profile_edits, topic_evidence, vectors, adapters, routes, spending, jobs, users,
)  # fmt: skip
"""Every table that holds rows of one person, in the order in which they are erased."""

DERIVED = (memories, memory_sources, profile_edits, topic_evidence)
"""Tables that `rebuild` empties and fills again from the events."""
