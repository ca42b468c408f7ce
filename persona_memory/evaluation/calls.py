"""Asking the chat model under test: errors of its provider in one line, replies that an interrupted run keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.caches import BaseCache
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langchain_core.outputs import ChatGeneration, Generation

from persona_memory.errors import InvalidInput, PersonaMemoryError
from persona_memory.evaluation.progress import Checkpoint

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def reply(model: BaseChatModel, asked: str | Sequence[BaseMessage | Mapping[str, str]]) -> str:
    """The text that the model answers.

    Raises:
        InvalidInput: its provider refused, or could not be reached.
    """
    return str(answered(model, asked).text)


def answered(model: BaseChatModel, asked: Any, config: Any = None) -> BaseMessage:
    """The message that the model answers.

    Raises:
        InvalidInput: its provider refused, or could not be reached.
    """
    try:
        return model.invoke(asked if isinstance(asked, str) else list(asked), config)
    except PersonaMemoryError:
        raise
    except Exception as error:  # providers raise errors of their own
        problem = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise InvalidInput(f"the model gave no reply, {problem}; what is done is kept for the same command") from error


def uncached(model: BaseChatModel | None) -> BaseChatModel | None:
    """The model without kept replies, for learning: asked again after a malformed reply, it has to reply anew."""
    return model if model is None or model.cache is None else model.model_copy(update={"cache": False})


class Replies(BaseCache):
    """A model's replies to prompts, kept with what an interrupted run has done, so that no answer is paid for twice."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def lookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        """The replies to this prompt with these settings; None where it was not asked before."""
        key = _key(prompt, llm_string)
        if key not in self._checkpoint:
            return None
        kept: list[Any] = self._checkpoint.get(key, list)
        return [ChatGeneration(message=message) for message in messages_from_dict(kept)]

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep the replies; they are on disk when this returns."""
        messages = [one.message for one in return_val if isinstance(one, ChatGeneration)]
        self._checkpoint.put(_key(prompt, llm_string), [message_to_dict(message) for message in messages])

    def clear(self, **_: Any) -> None:
        """Nothing: the checkpoint is cleared when the run is complete."""


def _key(prompt: str, llm_string: str) -> str:
    return "reply " + hashlib.sha256(f"{llm_string}\0{prompt}".encode()).hexdigest()
