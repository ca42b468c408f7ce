"""PersonaMemory, the door: observe what is said, recall what matters, see, correct and erase what is known."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cachetools import LRUCache
from sqlalchemy import Connection

from persona_memory import keeping, models, opening, recalling, telemetry
from persona_memory.budget import counter_for
from persona_memory.erasing import Erasing
from persona_memory.errors import EmbeddingError, IndexUnavailable, InvalidInput, NotFound
from persona_memory.exporting import export_person
from persona_memory.knowledge import profile_gaps
from persona_memory.learning.budgets import Budgets
from persona_memory.learning.context import Learning
from persona_memory.learning.failing import Retry
from persona_memory.learning.storing import Storing
from persona_memory.learning.worker import ASKING, Worker
from persona_memory.ledger import (
    Durability,
    Ledger,
    Person,
    derived,
    erasure,
    events,
    jobs,
    outages,
    people,
    routes,
    spending,
    vectors,
)
from persona_memory.messages import Draft, read_messages, text_of, utc
from persona_memory.profile import ProfileSchema, default_schema, fold_profile, schema_of
from persona_memory.protocols import Embedder, ParametricMemory, Redact, Teacher, TokenCounter, Vector, VectorIndex
from persona_memory.reading import Reading
from persona_memory.recalling import Asked, Found
from persona_memory.redacting import Redaction
from persona_memory.registry import AdapterRegistry
from persona_memory.types import (
    Adapter,
    Backlog,
    Backup,
    Checkup,
    ErasureReceipt,
    Hit,
    Job,
    JobKind,
    Knowledge,
    Memory,
    Observed,
    Outage,
    Policy,
    Profile,
    ProfileEdit,
    Recall,
    Restored,
    Routed,
    Spent,
    Workload,
)
from persona_memory.writing import Writing

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from pydantic import BaseModel

DEFAULT_BUDGET = 800
"""Tokens that a recall may take unless the caller says otherwise."""

OVERFLOW_WINDOW = 5

RATINGS = ("up", "down")

PATIENCE = timedelta(minutes=1)
"""A `flush` waits for what goes on within this time, and no longer for a budget or for a model that is down."""

T = TypeVar("T")


class PersonaMemory:
    """A lifelong memory of each person. One instance serves many people and threads; make it with `open`."""

    def __init__(
        self,
        learning: Learning,
        *,
        worker: Worker,
        background: bool = True,
        count: TokenCounter,
        quiet: timedelta = timedelta(seconds=20),
        learn_after: int = 24,
        redaction: Redaction | None = None,
    ) -> None:
        self._learning = learning
        self._ledger: Ledger = learning.ledger
        self._worker = worker
        self._background = background
        self._count = count
        self._redaction = redaction
        self._reading = Reading(learning.ledger, learning.schema)
        self._writing = Writing(learning, wake=self._wake, quiet=quiet, learn_after=learn_after)
        self._erasing = Erasing(learning, wake=self._wake, forgotten=self._drop, queue=self._writing.queue)
        self._recalls_lock = threading.Lock()
        self._executor = ThreadPoolExecutor(8, thread_name_prefix="persona-memory-host")
        self._last_recalls: LRUCache[tuple[str, str], _Used] = LRUCache(4096)
        telemetry.watch(worker)

    @classmethod
    def open(
        cls,
        home: str | os.PathLike[str] | None = None,
        *,
        url: str | None = None,
        index: str | VectorIndex | None = None,
        model: BaseChatModel | str | None = None,
        embeddings: Embedder | str | None = None,
        reader: BaseChatModel | str | None = None,
        namespace: str = "default",
        schema: type[BaseModel] | ProfileSchema | None = None,
        durability: Durability = "FULL",
        worker: bool = True,
        optimize_every: int | None = None,
        quiet: timedelta = timedelta(seconds=20),
        learn_after: int = 24,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        budgets: Budgets | None = None,
        lease: timedelta = timedelta(seconds=60),
        parametric: ParametricMemory | None = None,
        teacher: Teacher | None = None,
        redact: Redact | None = None,
        encryption: opening.Encryption | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> PersonaMemory:
        """Open a memory: embedded in a folder, or on Postgres. Needs no server and no key.

        Args:
            home: folder for everything embedded; default $PERSONA_MEMORY_HOME, else ~/.persona-memory.
            url: SQLAlchemy URL of the ledger in place of the file in `home`, e.g. "postgresql+psycopg://…".
            index: where vectors are searched: None (in the ledger), "edge", a Qdrant server's URL, or a `VectorIndex`.
            model: chat model that learns from conversations ("provider:model" or a LangChain chat model). None: plain
                rules for English statements, free and offline.
            embeddings: any LangChain `Embeddings`, or "minilm", "hashing" or "provider:model"; default the local MiniLM
                where installed, else hashed words.
            reader: the model that reads what is recalled (or its name): its own tokenizer counts, where it is at hand.
                Without one tokens are estimated, never too few.
            namespace: tenant or app; nothing ever crosses it.
            schema: the profile dictionary's fields, as a pydantic model; default AI PERSONA's sections.
            durability: "FULL" survives a power cut, "NORMAL" a kill of the process (SQLite).
            worker: learn in a background thread of this process. False: leave it to `persona-memory worker` or `flush`.
            optimize_every: sessions between two optimisations of the profile; default 3 with a model, 1 without.
            quiet: learn once a conversation has paused for this long, a `timedelta` …
            learn_after: … or once this many turns wait.
            retry: how often and how long the model is asked before a job is parked, and when it counts as down.
            budgets: what learning may cost a day; give the same to all processes that learn. What is over waits.
            parametric: trains and serves adapters, e.g. `persona_memory.parametric.LocalAdapters`.
            teacher: writes what adapters are trained on; default `model`, asked for question/answer pairs.
            redact: sees each text that somebody wrote before anything is stored, and returns the text to store, or None
                to drop it; a function or a coroutine function, e.g. a detector of personal data. If it fails, nothing
                is stored.
            encryption: the master key of an encrypted memory: the path of a key file, the key, or an object with `wrap`
                and `unwrap`; default $PERSONA_MEMORY_KEY, else nothing is encrypted. Vectors in a Qdrant server are
                not covered, nor are shared starts.

        Raises:
            EncryptionError: it is encrypted and there is no key, or the other way round, or it is the wrong key.
            LedgerError: the ledger cannot be opened; the message says what to do.
            InvalidInput: an argument is none that can be used.
        """
        for name, pause in (("quiet", quiet), ("lease", lease)):
            if not isinstance(pause, timedelta):
                raise InvalidInput(f"{name} is {pause!r}; pass a timedelta, such as timedelta(seconds=20)")
        if not timedelta() < lease <= jobs.LONGEST_LEASE:
            raise InvalidInput(f"lease is {lease}; pass more than nothing, and a day at most")
        if not isinstance(learn_after, int) or learn_after < 1:
            raise InvalidInput(f"learn_after is {learn_after!r}; pass a number of turns, at least 1")
        # What cannot be used is refused before a home is made.
        redaction = Redaction(redact) if redact is not None else None
        extractor, optimizer = opening.learners(model, optimize_every=optimize_every, seconds=retry.timeout)
        teacher = opening.teacher(teacher, model, seconds=retry.timeout) if parametric is not None else None
        embedder = models.embedder(embeddings)
        master = opening.master(encryption)
        folder = opening.home_folder(home)
        ledger = Ledger(url or opening.ledger_url(folder), namespace=namespace, durability=durability, master=master)
        executor = ThreadPoolExecutor(8, thread_name_prefix="persona-memory")
        learning = Learning(
            ledger=ledger,
            extractor=extractor,
            optimizer=optimizer,
            schema=_schema(schema),
            semantic=opening.semantic(embedder, index, ledger=ledger, home=folder),
            executor=executor,
            storing=Storing(ledger, executor),
            clock=clock,
            adapters=AdapterRegistry(
                ledger, folder / opening.ADAPTERS_FOLDER, keep=parametric.keep if parametric is not None else None
            ),
            parametric=parametric,
            teacher=teacher,
            attempts=retry.attempts,
        )
        if parametric is not None:
            parametric.serve(learning.adapters)
        made = Worker(learning, lease=lease, retry=retry, budgets=budgets)
        return cls(
            learning, worker=made, background=worker, count=counter_for(reader), quiet=quiet, learn_after=learn_after,
            redaction=redaction,
        )  # fmt: skip

    # ── write path ──────────────────────────────────────────────────────────────────────────────────────────────────

    def observe(
        self,
        messages: Iterable[Any],
        *,
        user_id: str,
        thread_id: str = "default",
        speaker: str | None = None,
        at: datetime | None = None,
        resent: bool | None = None,
    ) -> Observed:
        """Make messages durable; when it returns, a kill loses none of them. Learning follows in the background.

        A replayed or resent message is stored once.

        Args:
            messages: LangChain messages, dicts with "role" and "content", or (role, text) pairs; in order.
            speaker: the person's name, where several humans share the thread.
            at: when it was said, for messages without a time of their own; default now.
            resent: False says that messages without ids are new even if they repeat the last ones, or begin a thread
                just as one that was deleted. None: found out.

        Raises:
            InvalidInput: a message cannot be read; nothing of this call is stored.
            RedactionError: `redact` failed; nothing of this call is stored.
        """
        read = self._read(messages, user_id=user_id, thread_id=thread_id, speaker=speaker)
        if self._redaction is not None:
            read = read.with_drafts(self._redaction.drafts(read.drafts))
        return self._store(read, user_id=user_id, thread_id=thread_id, at=at, resent=resent)

    async def aobserve(
        self,
        messages: Iterable[Any],
        *,
        user_id: str,
        thread_id: str = "default",
        speaker: str | None = None,
        at: datetime | None = None,
        resent: bool | None = None,
    ) -> Observed:
        """As `observe`, off the event loop; a `redact` that is a coroutine function is awaited on it."""
        if self._redaction is None or not self._redaction.awaits:
            options: dict[str, Any] = {"thread_id": thread_id, "speaker": speaker, "at": at, "resent": resent}
            return await self._async(lambda: self.observe(messages, user_id=user_id, **options))
        read = await self._async(lambda: self._read(messages, user_id=user_id, thread_id=thread_id, speaker=speaker))
        kept = read.with_drafts(await self._redaction.adrafts(read.drafts))
        return await self._async(lambda: self._store(kept, user_id=user_id, thread_id=thread_id, at=at, resent=resent))

    def remember(self, text: str, *, user_id: str, thread_id: str | None = None, at: datetime | None = None) -> Memory:
        """Store one statement about the person as a memory, at once.

        Raises:
            InvalidInput: it is empty, `redact` drops it, or the person has asked that nothing be stored.
            RedactionError: `redact` failed.
        """
        if self._redaction is not None:
            self._writing.check_open(self._person(user_id), thread_id)
            text = self._redaction.statement(text)
        return self._remember(text, user_id=user_id, thread_id=thread_id, at=at)

    async def aremember(
        self, text: str, *, user_id: str, thread_id: str | None = None, at: datetime | None = None
    ) -> Memory:
        """As `remember`, off the event loop; a `redact` that is a coroutine function is awaited on it."""
        if self._redaction is None or not self._redaction.awaits:
            return await self._async(lambda: self.remember(text, user_id=user_id, thread_id=thread_id, at=at))
        await self._async(lambda: self._writing.check_open(self._person(user_id), thread_id))
        said = await self._redaction.astatement(text)
        return await self._async(lambda: self._remember(said, user_id=user_id, thread_id=thread_id, at=at))

    def import_statement(self, text: str, *, user_id: str, source: str, at: datetime | None = None) -> Memory | None:
        """As `remember`, for what another memory holds: each source once. None where it is held, or was erased here.

        Args:
            source: names the statement where it comes from, e.g. by an id and a digest of its text.
            at: since when it is known there.

        Raises:
            InvalidInput: as for `remember`.
            RedactionError: `redact` failed.
        """
        if self._redaction is not None:
            self._writing.check_open(self._person(user_id), None)
            text = self._redaction.statement(text)
        return self._stated(text, user_id=user_id, at=at, source=source)

    async def aimport_statement(
        self, text: str, *, user_id: str, source: str, at: datetime | None = None
    ) -> Memory | None:
        """As `import_statement`, off the event loop; a `redact` that is a coroutine function is awaited on it."""
        if self._redaction is None or not self._redaction.awaits:
            return await self._async(lambda: self.import_statement(text, user_id=user_id, source=source, at=at))
        await self._async(lambda: self._writing.check_open(self._person(user_id), None))
        said = await self._redaction.astatement(text)
        return await self._async(lambda: self._stated(said, user_id=user_id, at=at, source=source))

    def note_import(self, source: str, *, user_id: str, digest: str) -> None:
        """Note in the person's log that messages came from a file, known by a digest of its content; once per file."""
        self._writing.note_import(self._person(user_id), source, digest=digest)

    def set_field(self, field: str, value: Any, *, user_id: str) -> Profile:
        """Set a profile field as the host knows it (None empties it); returns the profile.

        Raises:
            InvalidInput: the schema has no such field, or the value does not fit it.
        """
        self._writing.set_field(self._person(user_id), field, value, basis="host")
        return self.profile(user_id=user_id)

    async def aset_field(self, field: str, value: Any, *, user_id: str) -> Profile:
        """As `set_field`, off the event loop."""
        return await self._async(lambda: self.set_field(field, value, user_id=user_id))

    def feedback(
        self,
        rating_or_correction: str,
        *,
        user_id: str,
        memory_id: str | None = None,
        field: str | None = None,
        thread_id: str | None = None,
        recall: Recall | None = None,
    ) -> None:
        """Take a rating ("up", "down") or a correction (any other text) of a reply, a memory or a profile field.

        A rating moves the confidence of `memory_id`, or of the memories that were used in the reply: those of `recall`,
        else of this thread's last recall; an adapter whose replies are rated down again and again is rolled back, and
        the thread's last reply may be trained on (`parametric.studying.Plan.preferences`). A
        correction replaces the memory or the field's value; memories that say otherwise of the field end, and what the
        old memory said leaves the profile.

        Raises:
            NotFound: the person has no such memory.
            InvalidInput: the correction is empty or the field unknown, or `redact` drops it.
            RedactionError: `redact` failed; nothing is stored.
        """
        if self._redaction is not None and rating_or_correction not in RATINGS:
            rating_or_correction = self._redaction.statement(rating_or_correction)
        self._feedback(
            rating_or_correction, user_id=user_id, memory_id=memory_id, field=field, thread_id=thread_id, recall=recall
        )

    def _feedback(
        self,
        rating_or_correction: str,
        *,
        user_id: str,
        memory_id: str | None = None,
        field: str | None = None,
        thread_id: str | None = None,
        recall: Recall | None = None,
    ) -> None:
        person = self._person(user_id)
        if memory_id is not None:
            self.memory(memory_id, user_id=user_id)
        if rating_or_correction in RATINGS:
            used = _Used((memory_id,)) if memory_id else self._used(user_id, thread_id, recall)
            data = {
                "rating": rating_or_correction, "reply": memory_id is None, "memories": list(used.memories),
                "adapter": used.adapter,
            }  # fmt: skip
            self._writing.append(person, "feedback", data, thread_id=thread_id)
            if used.adapter is not None:
                self._learning.adapters.rated(user_id, used.adapter, now=self._learning.clock())
        elif field is not None:
            self._writing.set_field(person, field, rating_or_correction, basis="stated")
        else:
            self._writing.state(person, rating_or_correction, thread_id=thread_id, replaces=memory_id)

    async def afeedback(self, rating_or_correction: str, *, user_id: str, **about: Any) -> None:
        """As `feedback`, off the event loop; a `redact` that is a coroutine function is awaited on it."""
        if self._redaction is None or not self._redaction.awaits or rating_or_correction in RATINGS:
            await self._async(lambda: self.feedback(rating_or_correction, user_id=user_id, **about))
            return
        said = await self._redaction.astatement(rating_or_correction)
        await self._async(lambda: self._feedback(said, user_id=user_id, **about))

    def set_policy(self, policy: Policy, *, user_id: str) -> None:
        """Put a policy in force: pause, incognito threads, retention, closed categories, meta-learning.

        Raises:
            InvalidInput: retention below one day, or a category that the schema does not have.
        """
        days = policy.retention_days
        if days is not None and (not isinstance(days, int) or days < 1):
            raise InvalidInput(f"retention_days is {days!r}; pass a whole number from 1, or None to keep")
        if isinstance(policy.never_infer, str) or isinstance(policy.incognito_threads, str):
            raise InvalidInput(
                "never_infer and incognito_threads hold several names; pass a tuple, such as ('health',)"
            )
        for category in policy.never_infer:
            if not self._learning.schema.matching(category):
                raise InvalidInput(f"the profile has no section or field {category!r}")
        self._writing.set_policy(self._person(user_id), policy)

    async def aset_policy(self, policy: Policy, *, user_id: str) -> None:
        """As `set_policy`, off the event loop."""
        await self._async(lambda: self.set_policy(policy, user_id=user_id))

    # ── read path ───────────────────────────────────────────────────────────────────────────────────────────────────

    def recall(
        self,
        query: str,
        *,
        user_id: str,
        thread_id: str | None = None,
        max_tokens: int = DEFAULT_BUDGET,
        exclude: Collection[int] = (),
        offer_question: bool = False,
        now: datetime | None = None,
    ) -> Recall:
        """What matters for this message, as guarded text within `max_tokens`, with what, why and where from.

        Args:
            query: the message that is about to be answered.
            thread_id: its conversation: follow-up questions are understood with the last turns of it.
            exclude: sequence numbers of turns that the model sees anyway.
            offer_question: add one question to ask the person, where one fits (at most one per thread).
        """
        with telemetry.span("persona_memory.recall"):
            found = self.find(
                query, user_id=user_id, thread_id=thread_id, exclude=exclude, offer_question=offer_question, now=now
            )
            return self.route(found, max_tokens=max_tokens, thread_id=thread_id)

    async def arecall(
        self,
        query: str,
        *,
        user_id: str,
        thread_id: str | None = None,
        max_tokens: int = DEFAULT_BUDGET,
        exclude: Collection[int] = (),
        offer_question: bool = False,
        now: datetime | None = None,
    ) -> Recall:
        """As `recall`; a remote embedder is awaited, the rest runs off the event loop."""
        with telemetry.span("persona_memory.recall"):
            found = await self.afind(
                query, user_id=user_id, thread_id=thread_id, exclude=exclude, offer_question=offer_question, now=now
            )
            return await self.aroute(found, max_tokens=max_tokens, thread_id=thread_id)

    def search(self, query: str, *, user_id: str, limit: int = 10, now: datetime | None = None) -> list[Hit]:
        """Turns and memories that are relevant to the query, best first, at most `limit`; often fewer."""
        return list(self.find(query, user_id=user_id, now=now).hits[:limit])

    async def asearch(self, query: str, *, user_id: str, limit: int = 10, now: datetime | None = None) -> list[Hit]:
        """As `search`, off the event loop."""
        return list((await self.afind(query, user_id=user_id, now=now)).hits[:limit])

    def find(
        self,
        query: str,
        *,
        user_id: str,
        thread_id: str | None = None,
        exclude: Collection[int] = (),
        offer_question: bool = False,
        now: datetime | None = None,
    ) -> Found:
        """The first stage of `recall`: what is relevant, before the budget."""
        asked = self._asked(query, user_id=user_id, thread_id=thread_id, exclude=exclude, now=now)
        if isinstance(asked, Found):
            return asked
        started = time.perf_counter()
        vector, degraded = self._embedded(asked.query.embed_text)
        return self._find(asked, vector, degraded, offer_question, (time.perf_counter() - started) * 1e3)

    def warm_up(self) -> None:
        """Load now what the first recall would load, such as a local embedder's weights: it takes seconds."""
        self._embedded("warm up")

    def _embedded(self, text: str) -> tuple[Vector | None, str | None]:
        """The query's vector, and why there is none where embedding fails."""
        try:
            return self._learning.semantic.query(text) if text else None, None
        except (EmbeddingError, IndexUnavailable) as error:  # the fail-open door: words still find everything
            telemetry.failed_open("embed", error)
            return None, str(error)

    async def afind(
        self,
        query: str,
        *,
        user_id: str,
        thread_id: str | None = None,
        exclude: Collection[int] = (),
        offer_question: bool = False,
        now: datetime | None = None,
    ) -> Found:
        """As `find`, off the event loop."""
        asked = await self._async(
            lambda: self._asked(query, user_id=user_id, thread_id=thread_id, exclude=exclude, now=now)
        )
        if isinstance(asked, Found):
            return asked
        started = time.perf_counter()
        try:
            text = asked.query.embed_text
            vector, degraded = (await self._learning.semantic.aquery(text)) if text else None, None
        except (EmbeddingError, IndexUnavailable) as error:  # the fail-open door: words still find everything
            vector, degraded = None, str(error)
            telemetry.failed_open("embed", error)
        embed_ms = (time.perf_counter() - started) * 1e3
        return await self._async(lambda: self._find(asked, vector, degraded, offer_question, embed_ms))

    def route(self, found: Found, *, max_tokens: int = DEFAULT_BUDGET, thread_id: str | None = None) -> Recall:
        """The second stage of `recall`: decide how what was found reaches the model, and render it within the budget.

        Raises:
            InvalidInput: `max_tokens` is negative.
        """
        if not isinstance(max_tokens, int) or max_tokens < 0:
            raise InvalidInput(f"max_tokens is {max_tokens!r}; pass 0 or more")
        parametric = self._learning.parametric
        texts = self._reading.texts(found.user_id)
        weighed = recalling.weigh(found, budget=max_tokens, count=self._count, texts=texts)
        active = self._active(found, weighed.needed > max_tokens)
        route = recalling.decide(found, weighed, budget=max_tokens, parametric=parametric, active=active)
        if route.adapter_id is not None:
            weighed = recalling.weigh(found, budget=max_tokens, count=self._count, texts=texts, beside=active)
        recall = recalling.compose(found, weighed, route)
        if found.closed is None:
            self._note_route(found, recall)
        if parametric is not None:
            parametric.route(found.user_id, route)
        if recall.question is not None:
            data = {"field": recall.question.field, "outcome": "offered"}
            self._writing.append(self._person(found.user_id), "question", data, thread_id=thread_id)
        if thread_id is not None:
            with self._recalls_lock:
                self._last_recalls[found.user_id, thread_id] = _used_in(recall)
        telemetry.recalled(recall)
        return recall

    async def aroute(self, found: Found, *, max_tokens: int = DEFAULT_BUDGET, thread_id: str | None = None) -> Recall:
        """As `route`, off the event loop."""
        return await self._async(lambda: self.route(found, max_tokens=max_tokens, thread_id=thread_id))

    # ── what is known ───────────────────────────────────────────────────────────────────────────────────────────────

    def profile(self, *, user_id: str, as_of: datetime | None = None) -> Profile:
        """The profile dictionary, now or as of a past moment; each entry with its evidence."""
        edits = self._reading.state(self._person(user_id).user_id).edits
        return fold_profile(edits, self._learning.schema, as_of=None if as_of is None else utc(as_of))

    def history(self, *, user_id: str, field: str | None = None, as_of: datetime | None = None) -> list[ProfileEdit]:
        """The profile's edits in order: all, of one field, up to a moment."""
        edits = self._reading.state(self._person(user_id).user_id).edits
        until = None if as_of is None else utc(as_of)
        return [e for e in edits if (field is None or e.field == field) and (until is None or e.at <= until)]

    def knowledge(self, *, user_id: str, now: datetime | None = None) -> Knowledge:
        """What the person knows of each topic as of `now`, and what is still unknown about the person."""
        moment = utc(now) if now else self._learning.clock()
        state = self._reading.state(self._person(user_id).user_id)
        gaps = profile_gaps(state.profile, self._learning.schema, state.policy, now=moment)
        return Knowledge(state.topics(moment), gaps)

    def memories(self, *, user_id: str, superseded: bool = False) -> list[Memory]:
        """The person's memories in the order in which they were learnt; with the superseded ones on request."""
        with self._ledger.read() as connection:
            found = derived.read_memories(connection, self._person(user_id))
        return [memory for memory in found if superseded or memory.current]

    def memory(self, memory_id: str, *, user_id: str) -> Memory:
        """One memory.

        Raises:
            NotFound: the person has none with this id.
        """
        with self._ledger.read() as connection:
            found = derived.read_memories(connection, self._person(user_id), ids=[memory_id])
        if not found:
            raise NotFound(f"user {user_id!r} has no memory {memory_id!r}; `persona-memory show` lists them")
        return found[0]

    def policy(self, *, user_id: str) -> Policy:
        """The policy in force."""
        with self._ledger.read() as connection:
            return people.policy_of(people.counters(connection, self._person(user_id)))

    def users(self, *, holding: str = "", after: str = "", limit: int | None = None) -> list[str]:
        """Everybody of the namespace, sorted: all, or the first ones.

        Args:
            holding: only ids with this text in them, in whichever case.
            after: only ids after this one, as for the next part of a long list.
        """
        with self._ledger.read() as connection:
            return people.all_ids(connection, self._ledger.namespace, holding=holding, after=after, limit=limit)

    def knows(self, *, user_id: str) -> bool:
        """Whether anything was ever stored of a person of the namespace; not after `delete_user`."""
        return people.glance(self._ledger, self._person(user_id)) is not None

    def progress(self, *, user_id: str) -> dict[str, int]:
        """How many turns are pending, learnt, parked and discarded: together all that stand."""
        with self._ledger.read() as connection:
            return events.states(connection, self._person(user_id))

    def export(self, *, user_id: str) -> dict[str, Any]:
        """Everything that is stored of a person, as JSON values; `messages` in it can be imported again."""
        return export_person(self._ledger, self._person(user_id), profile=self.profile(user_id=user_id))

    # ── adapters ────────────────────────────────────────────────────────────────────────────────────────────────────

    def adapters(self, *, user_id: str) -> list[Adapter]:
        """All revisions of the person's adapter, oldest first, each with its state and why it is in it."""
        return self._learning.adapters.versions(user_id)

    def consolidate(self, *, user_id: str) -> None:
        """Queue the training of the person's next adapter; `flush` waits for it, `adapters` tells what became of it.

        Nothing is trained where little was said since the last training.

        Raises:
            InvalidInput: the memory was opened without `parametric`.
            NotFound: nothing is known of the person.
        """
        if self._learning.parametric is None:
            raise InvalidInput("this memory trains no adapters; open it with parametric=…")
        person, now = self._person(user_id), self._learning.clock()
        with self._ledger.write() as tx:
            if people.lock_known(tx, person) is None:
                raise NotFound(f"nothing is known of user {user_id!r}, so there is nothing to train on")
            jobs.enqueue(tx, person, "consolidate", due=now, now=now)
        self._wake()

    @property
    def adapters_folder(self) -> Path | None:
        """The folder of the adapters' files, which all who train or serve have to see; None without `parametric`."""
        return None if self._learning.parametric is None else self._learning.adapters.folder

    @property
    def trained(self) -> int:
        """How many adapters were trained and examined here since the memory was opened, whether or not they passed."""
        return self._learning.adapters.evaluated

    def rollback(self, *, user_id: str, reason: str) -> Adapter | None:
        """Retire the person's active adapter and return to the one before it; None where there is none, but the base.

        Raises:
            NotFound: the person has no active adapter.
        """
        return self._learning.adapters.rollback(user_id, reason=reason, now=self._learning.clock())

    # ── erase ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def forget(self, memory_ids: Collection[str], *, user_id: str) -> ErasureReceipt:
        """Erase memories and the words they came from; what else rested on those turns is derived again.

        Ids of turns ("t12", as in a recall's hits) erase the whole turn. Paths of profile fields erase the field, its
        history and the sentences that state its values; what a value was only inferred from stays.

        Raises:
            NotFound: the person has no such memory, turn or field; nothing was erased.
        """
        return self._erasing.forget(self._person(user_id), memory_ids)

    async def aforget(self, memory_ids: Collection[str], *, user_id: str) -> ErasureReceipt:
        """As `forget`, off the event loop."""
        return await self._async(lambda: self.forget(memory_ids, user_id=user_id))

    def delete_user(self, *, user_id: str) -> ErasureReceipt:
        """Erase everything of a person. Their messages, replayed, stay out; what they say anew is remembered again.

        Safe to call again. A receipt that is not complete names what is left; the worker finishes it.
        """
        return self._erasing.delete_user(self._person(user_id))

    async def adelete_user(self, *, user_id: str) -> ErasureReceipt:
        """As `delete_user`, off the event loop."""
        return await self._async(lambda: self.delete_user(user_id=user_id))

    def receipts(self, *, user_id: str) -> list[ErasureReceipt]:
        """The receipts of all that was erased of a person, oldest first: by calls, in chat and by retention."""
        with self._ledger.read() as connection:
            return erasure.read_receipts(connection, self._person(user_id), secret=self._ledger.secret)

    def rebuild(self, *, user_id: str) -> None:
        """Derive everything of a person again from the log and its recorded answers: free, and the same each time."""
        self._erasing.rebuild(self._person(user_id))

    def relearn(self, *, user_id: str) -> None:
        """Learn all turns again with the model of now; what was learnt before stays until its replacement is stored."""
        self._erasing.relearn(self._person(user_id))

    # ── keeping a home ──────────────────────────────────────────────────────────────────────────────────────────────

    def backup(self, path: str | os.PathLike[str]) -> Backup:
        """Copy everything but vectors into a new folder, or a new file (".tar"), while others read and write.

        What is encrypted is copied as it is, without its keys.

        Raises:
            InvalidInput: there is something already, or the ledger is on Postgres, whose tool is pg_dump.
        """
        return keeping.backup(self._ledger, self._learning.adapters, Path(path), now=self._learning.clock())

    @staticmethod
    def restore(
        backup: str | os.PathLike[str],
        home: str | os.PathLike[str] | None = None,
        *,
        erased_since: str | os.PathLike[str] | None = None,
        encryption: opening.Encryption | None = None,
        keys: str | os.PathLike[str] | None = None,
    ) -> Restored:
        """Bring a backup back into a home that holds no memory; the next worker embeds it.

        Args:
            erased_since: the home that it is a backup of, or a later backup. What was erased there since the backup is
                erased again, and policies are those that were in force there; without it, the memory is as it was then.
            encryption: the master key of an encrypted one, as for `open`.
            keys: `keys.db` of the home that an encrypted one is of; by default the one that lies in `home` already, or
                in `erased_since`. Who has no key there any more was deleted, and is erased.

        Raises:
            InvalidInput: the backup is damaged, or the home holds a memory; nothing was restored.
            EncryptionError: it is encrypted, and its master key or its keys are missing; nothing was restored.
        """
        later = None if erased_since is None else Path(erased_since)
        store = None if keys is None else Path(keys)
        master = opening.master(encryption)
        return keeping.restore(Path(backup), home, erased_since=later, master=master, keys=store, now=datetime.now(UTC))

    def doctor(self, *, repair: bool = False) -> Checkup:
        """Check the whole home; with `repair`, mend what can be derived from the log and say what cannot."""
        found = keeping.doctor(self._learning, repair=repair)
        if repair:
            self._wake()
        return found

    def verify_erasure(self, receipt_id: str, *, user_id: str | None = None, text: str | None = None) -> Checkup:
        """Prove a receipt: nothing is left of what it names; with `text`, in no row and no byte of the home either.

        Args:
            user_id: who it was; needed only to look for a deleted person in an index outside the ledger.

        Raises:
            NotFound: there is no such receipt.
        """
        return keeping.verify_erasure(self._learning, receipt_id, user_id=user_id, text=text)

    # ── background work ─────────────────────────────────────────────────────────────────────────────────────────────

    def flush(
        self,
        *,
        user_id: str | None = None,
        timeout: float | None = None,
        progress: Callable[[Backlog], None] | None = None,
    ) -> None:
        """Wait until what was observed is learnt or parked, of one person or of all; `progress` hears what is left.

        What waits for more than a minute, for a budget or for a model that answers nobody, is left waiting: `jobs` says
        why, and until when. Trainings of adapters are waited for where the memory was opened with `parametric`.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; the work goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while left := self._hasten(user_id):
            if progress is not None:
                progress(self.backlog())
            _check_deadline(deadline, left, timeout)
            time.sleep(0.02 if progress is None else 0.2)
        if progress is not None:
            progress(self.backlog())
        if not self._background:
            self._worker.stop()

    async def aflush(self, *, user_id: str | None = None, timeout: float | None = None) -> None:
        """As `flush`, off the event loop."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while left := await self._async(lambda: self._hasten(user_id)):
            _check_deadline(deadline, left, timeout)
            await asyncio.sleep(0.02)
        if not self._background:
            await self._async(self._worker.stop)

    def backlog(self) -> Backlog:
        """What background work is left in the namespace."""
        with self._ledger.read() as connection:
            active = jobs.active(connection, self._ledger.namespace)
            turns, unlearnt = events.count(connection, self._ledger.namespace)
            return Backlog(active, turns, unlearnt, vectors.count_missing(connection, self._ledger.namespace))

    def routes(self, *, user_id: str) -> list[Routed]:
        """How the person's memory reached the model in the last turns, oldest first; at most 200.

        A recall writes nothing: its route is kept with what is next observed of the person, and not while they have
        paused, nor in incognito threads.
        """
        with self._ledger.read() as connection:
            return routes.read(connection, self._person(user_id))

    def workload(self) -> Workload:
        """What is left for the workers of this namespace. It counts jobs only, unlike `backlog`."""
        looked, kinds = self._worker.looked, self._learning.kinds
        with self._ledger.read() as connection:
            left = self._unfinished(connection, None)
            depth = jobs.depth(connection, self._ledger.namespace)
        active = sum(number for (kind, state), number in depth.items() if kind in kinds and state != "parked")
        parked = sum(number for (_, state), number in depth.items() if state == "parked")
        return Workload(left or int(not looked), active - left, parked)

    def jobs(self, *, user_id: str | None = None) -> list[Job]:
        """Queued, running and parked work, parked first."""
        with self._ledger.read() as connection:
            return jobs.listing(connection, self._ledger.namespace, user_id=user_id)

    def spent(self, *, user_id: str | None = None) -> Spent:
        """What learning has cost today (UTC), of one person or of all; counted where `budgets` are given."""
        day = self._learning.clock().astimezone(UTC).date()
        with self._ledger.read() as connection:
            if user_id is None:
                return spending.of_all(connection, self._ledger.namespace, day)
            return spending.of_person(connection, self._person(user_id), day)

    def outages(self) -> list[Outage]:
        """Workers whose language model answers nobody at this moment; each process finds out for itself."""
        with self._ledger.read() as connection:
            return outages.listing(connection, self._ledger.namespace, now=self._learning.clock())

    def retry_job(self, job_id: int, *, user_id: str) -> None:
        """Try a parked job again.

        Raises:
            NotFound: the person has no such parked job.
        """
        with self._ledger.write() as tx:
            people.lock(tx, self._person(user_id))
            jobs.unpark(tx, self._person(user_id), job_id, now=self._learning.clock())
        self._wake()

    def discard_job(self, job_id: int, *, user_id: str) -> None:
        """Drop a parked job; its turns are "discarded": found by their words, never learnt unless `relearn` is called.

        Raises:
            NotFound: the person has no such parked job.
        """
        with self._ledger.write() as tx:
            people.lock(tx, self._person(user_id))
            jobs.discard(tx, self._person(user_id), job_id)

    def run_worker(self) -> None:
        """Work in this thread until `close` is called from another one or from a signal handler."""
        with asyncio.Runner() as runner:
            self._worker.run_in(runner)

    def stop_worker(self) -> None:
        """End `run_worker` cleanly, from a signal handler or another thread."""
        self._worker.request_stop()

    def close(self, *, timeout: float = 10.0) -> None:
        """Stop the worker cleanly and close all files. What is not learnt yet waits in the ledger."""
        telemetry.unwatch(self._worker)
        self._worker.close(timeout=timeout)
        self._learning.semantic.close()
        for executor in (self._executor, self._learning.executor):
            executor.shutdown(wait=True, cancel_futures=True)
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, messages: Iterable[Any], *, user_id: str, thread_id: str, speaker: str | None) -> _Messages:
        """The messages as they came; none of them where a redaction need not see them, as nothing may be stored."""
        drafts, ignored = read_messages(messages, speaker=speaker)
        if self._redaction is not None and self._writing.closed(self._person(user_id), thread_id):
            return _Messages((), ignored + len(drafts))
        return _Messages(drafts, ignored)

    def _store(
        self, read: _Messages, *, user_id: str, thread_id: str, at: datetime | None, resent: bool | None
    ) -> Observed:
        person = self._person(user_id)
        note = self._reading.take_noted(user_id)
        with telemetry.timed(telemetry.OBSERVE, "persona_memory.observe"):
            observed = self._writing.observe(person, read.drafts, thread_id=thread_id, at=at, resent=resent, noted=note)
        if note is not None:
            self._reading.note_written(user_id, note)
        observed = replace(observed, ignored=observed.ignored + read.ignored)
        telemetry.observed(observed)
        return observed

    def _remember(self, text: str, *, user_id: str, thread_id: str | None, at: datetime | None) -> Memory:
        kept = self._stated(text, user_id=user_id, thread_id=thread_id, at=at)
        assert kept is not None  # without a source it is always new
        return kept

    def _stated(self, text: str, *, user_id: str, **options: Any) -> Memory | None:
        seq = self._writing.state(self._person(user_id), text, **options)
        if seq is None:
            return None
        return next(one for one in self.memories(user_id=user_id, superseded=True) if seq in one.sources)

    def _drop(self, user_id: str) -> None:
        """Forget what is cached of a person."""
        self._reading.drop(user_id)
        self._writing.forget_threads(user_id)
        with self._recalls_lock:
            for key in [key for key in self._last_recalls if key[0] == user_id]:
                del self._last_recalls[key]

    def _person(self, user_id: str) -> Person:
        return Person(self._ledger.namespace, people.checked(user_id))

    async def _async(self, call: Callable[[], T]) -> T:
        """Run what is synchronous by nature in the one bounded executor, in the caller's context: spans nest."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, call)

    def _wake(self) -> None:
        if self._background:
            self._worker.start()
            self._worker.wake()

    def _hasten(self, user_id: str | None) -> int:
        """Make queued jobs due now and the worker look at them; returns how many are left, counting its first look."""
        self._worker.start()
        looked = self._worker.looked  # before counting: what it has found to do is counted, too
        namespace, now = self._ledger.namespace, self._learning.clock()
        with self._ledger.read() as connection:
            left = self._unfinished(connection, user_id)
            early = jobs.early(connection, namespace, now=now, user_id=user_id)
        if early:
            with self._ledger.write() as tx:
                jobs.hasten(tx, namespace, now=now, user_id=user_id)
        if left:
            self._worker.wake()
        return left or int(not looked)

    def _unfinished(self, connection: Connection, user_id: str | None) -> int:
        """How many jobs are queued or running that go on soon: of one person, or of all."""
        until = self._learning.clock() + PATIENCE
        return jobs.active(
            connection, self._ledger.namespace, user_id=user_id, kinds=self._learning.kinds, until=until,
            asleep=self._asleep(),
        )  # fmt: skip

    def _asleep(self) -> tuple[JobKind, ...]:
        """Jobs that nobody begins now, as the language model is down."""
        outage = self._worker.breaker.outage
        down = outage is not None and outage.until > self._learning.clock() + PATIENCE
        return (*ASKING, "consolidate") if down else ()

    def _asked(
        self, query: str, *, user_id: str, thread_id: str | None, exclude: Collection[int], now: datetime | None
    ) -> Asked | Found:
        """The message, understood; or what is found when nothing may be recalled here."""
        watch = recalling.Stopwatch()
        with watch.stage("read"):
            state = self._reading.state(self._person(user_id).user_id)
        text, _ = text_of(query)
        moment = utc(now) if now else self._learning.clock()
        if thread_id is not None and thread_id in state.policy.incognito_threads:
            return Found(user_id, moment, closed=f"thread {thread_id!r} is incognito")
        return recalling.ask(state, text, thread_id=thread_id, now=moment, exclude=exclude, watch=watch)

    def _find(self, asked: Asked, vector: Any, degraded: str | None, offer_question: bool, embed_ms: float) -> Found:
        space = self._learning.semantic.space() if vector is not None else None
        return recalling.find(
            asked, vector, space, schema=self._learning.schema, offer_question=offer_question, degraded=degraded,
            embed_ms=embed_ms,
        )  # fmt: skip

    def _used(self, user_id: str, thread_id: str | None, recall: Recall | None) -> _Used:
        """What the reply, which is rated, was given with."""
        if recall is not None:
            return _used_in(recall)
        with self._recalls_lock:
            return self._last_recalls.get((user_id, thread_id or ""), _Used())

    def _active(self, found: Found, overflows: bool) -> Adapter | None:
        """The person's active adapter, which is asked for only where what is relevant does not fit."""
        if self._learning.parametric is None or not overflows or found.closed is not None:
            return None
        active = self._learning.adapters.active(found.user_id)
        here = active is not None and (self._learning.adapters.folder / active.adapter_id).is_dir()
        return active if here else None

    def _note_route(self, found: Found, recall: Recall) -> None:
        """Remember how this turn fitted; a recall writes nothing unless an adapter is to be trained."""
        route = recall.route
        overflow = route.needed > route.budget
        recent = (*found.overflows, overflow)[-OVERFLOW_WINDOW:]
        changed = recent != found.overflows and (overflow or any(found.overflows))
        self._reading.note(found.user_id, recalling.routed(found, recall), recent if changed else None)
        if not route.consolidate:
            return
        person = self._person(found.user_id)
        now = self._learning.clock()
        if any(job.kind == "consolidate" for job in self.jobs(user_id=found.user_id)):
            return  # queued, under way, or parked until somebody looks at it
        with self._ledger.write() as tx:
            if people.lock_known(tx, person) is None:
                return
            people.bump(tx, person, overflows=list(recent))
            jobs.enqueue(tx, person, "consolidate", due=now, now=now)
        self._wake()


@dataclass(frozen=True, slots=True)
class _Messages:
    """What a host passed: the messages that are conversation, and how many are left out."""

    drafts: Sequence[Draft]
    ignored: int

    def with_drafts(self, kept: Sequence[Draft]) -> _Messages:
        """The same with what a redaction leaves of the messages."""
        return _Messages(kept, self.ignored + len(self.drafts) - len(kept))


@dataclass(frozen=True, slots=True)
class _Used:
    """What a reply was given with."""

    memories: tuple[str, ...] = ()
    adapter: str | None = None


def _used_in(recall: Recall) -> _Used:
    return _Used(tuple(hit.id for hit in recall.hits if hit.kind == "memory"), recall.route.adapter_id)


def _schema(schema: type[BaseModel] | ProfileSchema | None) -> ProfileSchema:
    if schema is None:
        return default_schema()
    return schema if isinstance(schema, ProfileSchema) else schema_of(schema)


def _check_deadline(deadline: float | None, left: int, timeout: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError(f"{left} jobs are still at work after {timeout} s; they go on in the background")
