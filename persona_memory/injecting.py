"""Putting what is remembered into a prompt: the one place that says where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, TypeVar

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage, convert_to_messages

from persona_memory.types import Recall

Placement = Literal["system", "message"]
"""Where a text goes: at the end of the system message, or beside the latest human message."""


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
    return inject_as_given(convert_to_messages(messages), recall, profile=profile, memories=memories)


def inject_as_given(
    messages: Sequence[Any],
    recall: Recall | Mapping[str, Any] | None,
    *,
    profile: Placement = "system",
    memories: Placement = "message",
) -> list[Any]:
    """As `inject`, but each message keeps its shape and all that it holds: for hosts that are not LangChain's."""
    given = list(messages)
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


_SYSTEM = ("system", "developer")
_HUMAN = ("user", "human")
_RESPONSES = {"input_text", "input_image", "input_file"}
"""Names of parts in OpenAI's Responses API, which has another one for text, too."""


def _behind(messages: list[Any], text: str) -> list[Any]:
    """The text at the end of the system message; a list of content parts keeps its marks, e.g. for caching."""
    if not text:
        return messages
    if not messages or _role(messages[0]) not in _SYSTEM:
        return [_new("system", text, like=messages), *messages]
    given = _content(messages[0])
    if isinstance(given, list | tuple):
        content: Any = [*given, _part(text, given)]
    else:
        content = f"{given}\n\n{text}" if given else text
    return [_with_content(messages[0], content), *messages[1:]]


def _beside(messages: list[Any], text: str) -> list[Any]:
    """The text in front of the latest human message's own words, inside the same message: roles keep alternating."""
    if not text:
        return messages
    for place in range(len(messages) - 1, -1, -1):
        if _role(messages[place]) in _HUMAN:
            given = _content(messages[place])
            if isinstance(given, list | tuple):
                content: Any = [_part(text, given), *given]
            else:
                content = f"{text}\n\n{given}"
            messages[place] = _with_content(messages[place], content)
            return messages
    return [*messages, _new("user", text, like=messages)]


def _role(message: Any) -> str:
    """The role as its host names it, "" for what has none."""
    if isinstance(message, BaseMessage):
        known = "human" if isinstance(message, HumanMessage) else "system" if isinstance(message, SystemMessage) else ""
        return known or message.type
    if isinstance(message, Mapping):
        return str(message.get("role", message.get("type", "")))
    return str(message[0]) if isinstance(message, tuple | list) and message else ""


def _content(message: Any) -> Any:
    if isinstance(message, BaseMessage):
        return message.content
    return message.get("content") if isinstance(message, Mapping) else message[1]


def _with_content(message: Any, content: Any) -> Any:
    if isinstance(message, BaseMessage):
        return message.model_copy(update={"content": content})
    return {**message, "content": content} if isinstance(message, Mapping) else (message[0], content)


def _new(role: str, text: str, *, like: Sequence[Any]) -> Any:
    """A message in the shape of the others."""
    if like and isinstance(like[0], Mapping):
        return {"role": role, "content": text}
    if like and isinstance(like[0], tuple | list):
        return (role, text)
    return SystemMessage(text) if role == "system" else HumanMessage(text)


def _part(text: str, others: Sequence[Any]) -> dict[str, str]:
    """A text among a message's parts, under the name that its neighbours' API has for it."""
    kinds = {str(part.get("type", "")) for part in others if isinstance(part, Mapping)}
    return {"type": "input_text" if _RESPONSES & kinds else "text", "text": text}
