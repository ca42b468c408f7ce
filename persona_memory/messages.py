"""Reading a host's messages: LangChain messages, OpenAI-style dicts or (role, text) pairs become drafts of turns.

What is not conversation is left out and counted: system prompts, tool calls and results, human messages that a host's
middleware wrote (summaries, notices of its own), our own recalled text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from persona_memory.budget import strip_recalled
from persona_memory.errors import InvalidInput
from persona_memory.types import Role

_ROLES: dict[str, Role | None] = {
    "user": "user", "human": "user", "HumanMessageChunk": "user",
    "assistant": "assistant", "ai": "assistant", "AIMessageChunk": "assistant",
    "other": "other",
    "system": None, "developer": None, "tool": None, "function": None, "remove": None,
    "SystemMessageChunk": None, "ToolMessageChunk": None, "FunctionMessageChunk": None,
    "function_call": None, "function_call_output": None, "reasoning": None,
}  # fmt: skip
"""Names of roles in LangChain and OpenAI (of items without a role: their types); None is no conversation."""

_TEXTS = {"text", "input_text", "output_text"}
_ATTACHMENTS = {
    "image_url": "image", "input_image": "image", "input_audio": "audio", "audio_url": "audio", "video_url": "video",
    "input_file": "file", "text-plain": "file",
}  # fmt: skip
"""Names of parts that a person or a model gave beside the words; others are shown under their own name."""

_UNSPOKEN = ("reasoning", "redacted_", "refusal", "thinking", "tool_", "non_standard", "executable_code")
"""How the names of parts begin that nobody said: thoughts, tool calls and their results."""
_UNSPOKEN_ENDS = ("_call", "_call_chunk", "_tool_use", "_result", "_tool_call", "_output")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is about to become a turn."""

    role: Role
    text: str
    message_id: str | None = None
    speaker: str | None = None
    at: datetime | None = None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Raw:
    """A message of any shape, taken apart; a role of None is no conversation.

    Attributes:
        source: LangChain's additional_kwargs["lc_source"]: what wrote a human message that no human did.
    """

    role: Role | None
    content: Any
    message_id: Any = None
    name: Any = None
    at: Any = None
    source: Any = None


def read_messages(messages: Iterable[Any], *, speaker: str | None = None) -> tuple[list[Draft], int]:
    """Drafts of the messages that are conversation, in order, and how many were left out.

    Args:
        messages: LangChain messages, dicts with "role" and "content", or (role, text) pairs.
        speaker: the person's name where several humans share a thread: human messages of another name are theirs
            (role "other"), not the person's. Without it every human message is the person's own.

    Raises:
        InvalidInput: something is none of these; the message says which and what to pass.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise InvalidInput(f"messages must be a list of messages, got {_short(messages)}; pass [('user', 'text')]")
    read = [_read_one(message, place, speaker) for place, message in enumerate(messages, 1)]
    drafts = [draft for draft in read if draft is not None]
    return drafts, len(read) - len(drafts)


def text_of(content: Any) -> tuple[str, tuple[str, ...]]:
    """The text of a message's content with a mark such as "[image]" for each attachment, and the attachments' kinds.

    Thoughts and tool calls among the content's parts were not said; they leave nothing.

    Raises:
        InvalidInput: the content is neither a string nor a list of parts.
    """
    if content is None:
        return "", ()
    if isinstance(content, str):
        return clean(content), ()
    if not isinstance(content, list | tuple):
        raise InvalidInput(f"message content is {_short(content)}; expected a string or a list of content parts")
    texts, attachments = [], []
    for part in content:
        said, attached = _part(part)
        texts += [said] if said else []
        attachments += [attached] if attached else []
    shown = "\n".join([*texts, *(f"[{kind}]" for kind in attachments)])
    return clean(shown), tuple(attachments)


def clean(text: str) -> str:
    """The text as every database can hold it: NUL and half surrogate pairs become U+FFFD, all else is kept."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\ufffd")


def utc(moment: datetime) -> datetime:
    """The moment in UTC; a naive one is taken to be UTC.

    Raises:
        InvalidInput: it is no datetime.
    """
    if not isinstance(moment, datetime):
        raise InvalidInput(f"the time is {moment!r}; pass a datetime, such as datetime(2026, 5, 1, tzinfo=UTC)")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _part(part: Any) -> tuple[str, str]:
    """(text, kind of attachment) of one part of a message's content; both "" for what was not said."""
    if isinstance(part, str):
        return part, ""
    if not isinstance(part, Mapping):
        raise InvalidInput(f"message content has the part {_short(part)}; expected a string or a dict with a 'type'")
    kind, text = str(part.get("type", "text" if "text" in part else "part")), part.get("text")
    if kind in _TEXTS:
        text = text.get("value") if isinstance(text, Mapping) else text
        return text if isinstance(text, str) else "", ""
    if kind.startswith(_UNSPOKEN) or kind.endswith(_UNSPOKEN_ENDS):
        return "", ""
    return "", _ATTACHMENTS.get(kind, kind)


def _read_one(message: Any, place: int, speaker: str | None) -> Draft | None:
    raw = _raw(message, place)
    if raw.role is None or raw.source:
        return None
    try:
        text, attachments = text_of(raw.content)
    except InvalidInput as error:
        raise InvalidInput(f"message {place}: {error}") from error
    text = strip_recalled(text).strip()
    if not text:
        return None
    role, name = raw.role, _word(raw.name)
    if role == "user" and speaker is not None and name is not None and name != speaker:
        role = "other"
    spoken_by = name or speaker if role == "user" else name
    return Draft(role, text, _word(raw.message_id), spoken_by, _moment(raw.at, place), attachments)


def _raw(message: Any, place: int) -> _Raw:
    """A message of any of the three shapes, taken apart."""
    if isinstance(message, Mapping):
        return _from_dict(message, place)
    if isinstance(message, tuple | list) and len(message) == 2:
        return _Raw(_role(message[0], place), message[1])
    if hasattr(message, "type") and hasattr(message, "content"):
        kwargs = getattr(message, "additional_kwargs", None) or {}
        extra = (
            getattr(message, "id", None),
            getattr(message, "name", None),
            kwargs.get("at"),
            kwargs.get("lc_source"),
        )
        if str(message.type).startswith(("chat", "ChatMessage")):  # of any role: one that we do not know is left out
            return _Raw(_ROLES.get(str(getattr(message, "role", ""))), message.content, *extra)
        return _Raw(_role(message.type, place), message.content, *extra)
    raise InvalidInput(
        f"message {place} is {_short(message)}; pass LangChain messages, dicts with 'role' and 'content', or "
        "(role, text) pairs"
    )


def _from_dict(message: Mapping[str, Any], place: int) -> _Raw:
    """An OpenAI-style dict, or a LangChain message as a dict."""
    inner = message.get("data")
    if "role" not in message and isinstance(inner, Mapping):  # langchain_core.messages.messages_to_dict
        return _from_dict({**inner, "type": message.get("type")}, place)
    if "role" not in message and "type" not in message:
        raise InvalidInput(f"message {place} has no 'role': {_short(message)}")
    role = _role(message["role"] if "role" in message else message["type"], place)
    if role in ("user", "other") and "content" not in message:
        raise InvalidInput(f"message {place} has no 'content': {_short(message)}")
    kwargs = message.get("additional_kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    times = (message.get("at"), message.get("timestamp"), message.get("created_at"), kwargs.get("at"))
    at = next((time for time in times if time is not None), None)
    source = kwargs.get("lc_source")
    return _Raw(role, message.get("content"), message.get("id"), message.get("name"), at, source)


def _role(name: Any, place: int) -> Role | None:
    if not isinstance(name, str) or name not in _ROLES:
        known = ", ".join(repr(one) for one in ("user", "assistant", "system", "tool"))
        raise InvalidInput(f"message {place} has the role {_short(name)}; expected one of {known}")
    return _ROLES[name]


def _word(value: Any) -> str | None:
    """An id or a name as a string that every database can hold; None where there is none."""
    return None if value is None else clean(str(value)) or None


def _moment(value: Any, place: int) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return utc(value)
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        return utc(datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput(
            f"message {place} has the time {value!r}; pass a datetime, seconds since 1970 or ISO 8601"
        ) from error


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
