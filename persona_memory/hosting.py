"""What every host needs around one turn: who speaks, the fail-open door, and putting what is remembered in a prompt.

The fail-open door: if memory breaks, the person's turn goes on without it. The failure is logged once per kind and
counted in `Doors.failures`; nothing else in persona-memory swallows an error.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage, convert_to_messages

from persona_memory import telemetry
from persona_memory.errors import InvalidUserId
from persona_memory.messages import read_messages
from persona_memory.types import Recall

log = logging.getLogger(__name__)

Placement = Literal["system", "message"]
"""Where a text goes: at the end of the system message, or beside the latest human message."""


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
    def open(self, what: str) -> Iterator[None]:
        """Go on after any failure inside the block."""
        try:
            yield
        except Exception as error:
            by = {telemetry.OPERATION: what, telemetry.ERROR: telemetry.error_type(error)}
            self._note(
                f"{what}: {type(error).__name__}", f"{what} failed, the turn goes on: {telemetry.told(error)}", by
            )
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


def inject(
    messages: Sequence[Any],
    recall: Recall | Mapping[str, Any] | None,
    *,
    profile: Placement = "system",
    memories: Placement = "message",
) -> list[AnyMessage]:
    """The messages with what is remembered, for one model call. The given messages are not changed.

    Args:
        messages: the conversation, as LangChain messages, dicts or (role, text) pairs; a system message, if any,
            comes first.
        recall: a `Recall`, or its JSON form from a graph's state; None changes nothing.
        profile: where the profile goes. It changes rarely: behind the system prompt it keeps providers' caches valid.
        memories: where this turn's memories go. They change always: beside the latest human message.
    """
    given: list[Any] = convert_to_messages(messages)
    if recall is None:
        return given
    texts = asdict(recall) if isinstance(recall, Recall) else recall
    pairs = [(profile, str(texts.get("profile_text", ""))), (memories, str(texts.get("memory_text", "")))]
    system = "\n\n".join(text for place, text in pairs if place == "system" and text)
    beside = "\n\n".join(text for place, text in pairs if place == "message" and text)
    return _beside(_behind(given, system), beside)


Model = TypeVar("Model")


def with_memory(
    model: Model, messages: Sequence[Any], recall: Recall | Mapping[str, Any] | None, **places: Placement
) -> tuple[Model, list[AnyMessage]]:
    """The model and the messages for one call, with what is remembered in one of them.

    A model that has adapters (`PersonaChatModel`) takes what was recalled itself, as the route says; any other finds it
    in the messages.

    Args:
        places: as for `inject`, where the model has no adapters.
    """
    bare = getattr(model, "bound", model)  # of a binding, e.g. with tools, whose options are kept
    remembering = getattr(bare, "remembering", None)
    if remembering is None or not recall:
        return model, inject(messages, recall, **places)
    given: list[Any] = convert_to_messages(messages)
    told = remembering(recall)
    bound: Any = model
    return told if bare is model else bound.model_copy(update={"bound": told}), given


def _behind(messages: list[AnyMessage], text: str) -> list[AnyMessage]:
    """The text at the end of the system message; a list of content blocks keeps its marks, e.g. for caching."""
    if not text:
        return messages
    if not messages or not isinstance(messages[0], SystemMessage):
        return [SystemMessage(text), *messages]
    system, *others = messages
    given: Any = system.content
    if isinstance(given, str):
        content: Any = f"{given}\n\n{text}" if given else text
    else:
        content = [*given, {"type": "text", "text": text}]
    return [system.model_copy(update={"content": content}), *others]


def _beside(messages: list[AnyMessage], text: str) -> list[AnyMessage]:
    """The text in front of the latest human message's own words, inside the same message: roles keep alternating."""
    if not text:
        return messages
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if isinstance(message, HumanMessage):
            if isinstance(message.content, str):
                content: Any = f"{text}\n\n{message.content}"
            else:
                content = [{"type": "text", "text": text}, *message.content]
            messages[place] = message.model_copy(update={"content": content})
            return messages
    return [*messages, HumanMessage(text)]
