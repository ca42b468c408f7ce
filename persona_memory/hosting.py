"""What every host needs around one turn: who speaks, making it durable, recalling, and the fail-open door.

The fail-open door: if memory breaks, the person's turn goes on without it. The failure is logged once per kind and
counted in `Doors.failures`; nothing else in persona-memory swallows an error.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from persona_memory import telemetry
from persona_memory.errors import InvalidUserId
from persona_memory.ledger.people import checked
from persona_memory.messages import read_messages
from persona_memory.types import Recall

if TYPE_CHECKING:
    from persona_memory.memory import PersonaMemory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose turn this is.

    Attributes:
        thread_id: None where the host has no threads.
        speaker: the name that the person's own messages carry, where several humans share the thread.
    """

    user_id: str
    thread_id: str | None = None
    speaker: str | None = None

    @property
    def thread(self) -> str:
        """The thread's id, or the one that stands for a host without threads."""
        return self.thread_id or "default"


Resolver = Callable[[Any, Mapping[str, Any]], str | None]
"""(runtime, config) to the user's id, from what the host trusts; None for a run without memory."""


def resolve_user(runtime: Any, config: Mapping[str, Any]) -> str | None:
    """The user's id: the server's authenticated user, else `context.user_id`, else `configurable["user_id"]`.

    Never from messages, metadata or tool arguments: those can be written by the person or by a model. A server that
    authenticates decides alone: where its user has no identity, the run has no memory, whatever the client writes.
    """
    user = getattr(getattr(runtime, "server_info", None), "user", None)
    if user is not None:
        return str(getattr(user, "identity", None) or "")
    return _given(runtime, config, "user_id")


def resolve_speaker(runtime: Any, config: Mapping[str, Any]) -> str | None:
    """The name of the person in a thread of several humans: `context.speaker`, else `configurable["speaker"]`.

    None, as usual: then every human message of the thread is the person's own.
    """
    return _given(runtime, config, "speaker")


def identify(runtime: Any, config: Mapping[str, Any], resolver: Resolver) -> Identity | None:
    """Who speaks in which thread; None without a user id.

    Raises:
        InvalidUserId: the resolver returned something that is no string.
    """
    user_id: Any = resolver(runtime, config)
    if user_id is None:
        return None
    if not isinstance(user_id, str):
        raise InvalidUserId(f"the user_id resolver returned {user_id!r}; it must return a string, or None")
    if not user_id.strip():
        return None
    thread_id = (config.get("configurable") or {}).get("thread_id")
    return Identity(user_id, None if thread_id is None else str(thread_id), resolve_speaker(runtime, config))


def identified(
    user_id: object, *, thread_id: object = None, speaker: str | None = None, way: str = "user_id='…'"
) -> Identity:
    """Who speaks in which thread, where the host has to say so; there is no default person.

    Args:
        way: how a user id is passed to this host, for the error.

    Raises:
        InvalidUserId: nobody is named, or it can be no user id.
    """
    if user_id is None or user_id == "":
        raise InvalidUserId(f"whose turn is this? Pass {way}; there is no default user, so that no memories ever mix")
    return Identity(checked(user_id), None if thread_id is None else str(thread_id), speaker)


def _given(runtime: Any, config: Mapping[str, Any], name: str) -> str | None:
    context = getattr(runtime, "context", None)
    given = context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)
    if given is None:
        given = (config.get("configurable") or {}).get(name)
    return None if given is None else str(given)


class Doors:
    """The fail-open door of one host: what went wrong, each kind logged once, all counted. Thread-safe.

    Attributes:
        failures: how often by kind, e.g. {"recall: LedgerLocked": 2, "no user id": 1}.
    """

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def open(self, what: str, *, hint: str = "") -> Iterator[None]:
        """Go on after any failure inside the block.

        Args:
            hint: what is left out then, and how to mend it: for the log, so it quotes nobody.
        """
        try:
            yield
        except Exception as error:
            by = {telemetry.OPERATION: what, telemetry.ERROR: telemetry.error_type(error)}
            said = f"{what} failed, the turn goes on: {telemetry.told(error)}"
            self._note(f"{what}: {type(error).__name__}", f"{said}; {hint}" if hint else said, by)
            telemetry.failed_open(what, error)
            log.debug(
                "persona-memory: %s failed: %s",
                what,
                telemetry.places(error),
                extra=telemetry.event("fail_open.at", by),
            )

    def no_user(self) -> None:
        """Say once that a run came without a user id."""
        self._note(
            "no user id",
            "no user id, so this run has no memory. Pass context={'user_id': …} or "
            "config={'configurable': {'user_id': …}}.",
            {telemetry.OPERATION: "user id"},
        )

    def _note(self, kind: str, said: str, by: telemetry.Attributes) -> None:
        with self._lock:
            self.failures[kind] += 1
            first = self.failures[kind] == 1
        if first:
            log.warning("persona-memory: %s", said, extra=telemetry.event("fail_open", by))


class Host:
    """One host's side of a turn: before the model answers, and after. If memory breaks, the turn goes on without it.

    It keeps nothing of a turn in itself, so one instance serves many people at once.

    Args:
        memory: the memory; closed by whoever opened it.
        max_tokens: budget of what is put into the prompt.
        ask_questions: at most once per thread, offer the model a question about what is still unknown of the person.
        doors: counts failures.
    """

    def __init__(
        self,
        memory: PersonaMemory,
        *,
        max_tokens: int = 800,
        ask_questions: bool = True,
        doors: Doors | None = None,
    ) -> None:
        self.memory = memory
        self.max_tokens = max_tokens
        self.ask_questions = ask_questions
        self.doors = doors or Doors()
        self._writes: set[asyncio.Task[tuple[int, ...]]] = set()  # an event loop holds its tasks weakly

    def before(self, messages: Sequence[Any], who: Identity) -> Recall | None:
        """Make durable what is not yet, and recall for the latest human message; None where that failed."""
        return self.recall(latest_question(messages), who, shown=self.observe(messages, who))

    async def abefore(self, messages: Sequence[Any], who: Identity) -> Recall | None:
        """As `before`, off the event loop."""
        return await self.arecall(latest_question(messages), who, shown=await self.aobserve(messages, who))

    def observe(self, messages: Sequence[Any], who: Identity) -> tuple[int, ...]:
        """Make durable what is not yet; the turns that the messages are, none where that failed."""
        with self.doors.open("observe"):
            return self.memory.observe(messages, **_thread(who)).turns
        return ()

    async def aobserve(self, messages: Sequence[Any], who: Identity) -> tuple[int, ...]:
        """As `observe`, off the event loop."""
        with self.doors.open("observe"):
            return (await self.memory.aobserve(messages, **_thread(who))).turns
        return ()

    def recall(self, question: str, who: Identity, *, shown: Sequence[int]) -> Recall | None:
        """What is remembered for a question, less the turns that the model is shown anyway; None where that failed."""
        with self.doors.open("recall"):
            return self.memory.recall(question, **self._options(who, shown))
        return None

    async def arecall(self, question: str, who: Identity, *, shown: Sequence[int]) -> Recall | None:
        """As `recall`, off the event loop."""
        with self.doors.open("recall"):
            return await self.memory.arecall(question, **self._options(who, shown))
        return None

    def after(self, messages: Sequence[Any], who: Identity) -> None:
        """Make the reply, the last of the messages, durable; never waits for learning."""
        self.observe(messages, who)

    async def aafter(self, messages: Sequence[Any], who: Identity) -> None:
        """As `after`, off the event loop. Once begun it is done, even if whoever waits for it is cancelled."""
        write = asyncio.create_task(self.aobserve(messages, who))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        await asyncio.shield(write)

    async def settled(self) -> None:
        """Wait for the writes that nobody waits for any more; before a server closes the memory."""
        await asyncio.gather(*self._writes)

    def _options(self, who: Identity, turns: Sequence[int]) -> dict[str, Any]:
        return {
            "user_id": who.user_id, "thread_id": who.thread, "max_tokens": self.max_tokens, "exclude": turns,
            "offer_question": self.ask_questions,
        }  # fmt: skip


def _thread(who: Identity) -> dict[str, Any]:
    return {"user_id": who.user_id, "thread_id": who.thread, "speaker": who.speaker}


def latest_question(messages: Sequence[Any]) -> str:
    """The text of the latest message of the person, "" where there is none; summaries and recalled text left out.

    Args:
        messages: in any of the shapes that `observe` takes.
    """
    for message in reversed(messages):
        drafts, _ = read_messages([message])
        if drafts and drafts[0].role == "user":
            return drafts[0].text
    return ""


def still_shown(turns: Sequence[int], messages: Sequence[Any]) -> tuple[int, ...]:
    """Those of the turns that a model call shows in full, where a summary may have taken the place of older ones.

    Args:
        turns: of the whole conversation up to the latest human message, in order: what `observe` returned.
        messages: what the call shows: the end of that conversation, and what has been said since.
    """
    last = next((place for place in range(len(messages), 0, -1) if latest_question(messages[place - 1 : place])), 0)
    shown = len(read_messages(messages[:last])[0])
    return tuple(turns[len(turns) - shown :]) if shown < len(turns) else tuple(turns)
