"""One structured question to a chat model: the answer is parsed and checked; an error is shown and asked again."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ValidationError

from persona_memory import telemetry
from persona_memory.budget import counter_for
from persona_memory.errors import LearningError
from persona_memory.learning.calling import call
from persona_memory.messages import clean

Answer = TypeVar("Answer", bound=BaseModel)

TRIES = 2
"""How often one job attempt asks: the first time, and once more with the error shown."""

FORMS = 64
"""Forms of answers that are kept ready; the profile's depends on how many turns may be cited."""

RETRY_PROMPT = """\
Your last answer could not be used: {error}
Answer again, completely, in the requested structure."""

NOSTREAM = "nostream"
"""langgraph.constants.TAG_NOSTREAM: keeps our internal calls out of the host's token stream."""

_SHOWN = 500


class Asking:
    """Puts structured questions to one chat model. How a form of answer is asked for is worked out once.

    Args:
        seconds: that one call may take; None for any number.
    """

    def __init__(self, model: BaseChatModel, *, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._count = counter_for(model)
        self._structured = lru_cache(FORMS)(partial(model.with_structured_output, include_raw=True))
        self._named = _named(model)

    async def ask(
        self,
        system: str,
        user: str,
        schema: type[Answer],
        *,
        check: Callable[[Answer], None] | None = None,
        tries: int = TRIES,
    ) -> Answer:
        """The model's answer as a `schema` that passes `check`.

        Args:
            check: raises ValueError with the reason when an answer that parses cannot be used.

        Raises:
            LearningError: no usable answer after `tries`; the message holds the last reason.
            ModelUnavailable: the model gave none.
            OverBudget: what learning may cost today is used up.
        """
        structured = self._structured(schema)
        tool = convert_to_openai_tool(schema)
        reason = ""
        for _ in range(tries):
            messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(user)]
            if reason:
                messages.append(HumanMessage(RETRY_PROMPT.format(error=reason)))
            reads = partial(self._reads, messages, tool)
            with telemetry.timed(telemetry.CALLS, f"chat {self._named[telemetry.MODEL]}", self._named):
                result = await call(
                    partial(structured.ainvoke, messages, config={"tags": [NOSTREAM]}),
                    seconds=self._seconds, reads=reads, took=partial(self._total, reads),
                )  # fmt: skip
            if telemetry.is_measured():
                for kind, number in zip(("input", "output"), self._took(reads, result), strict=True):
                    telemetry.measure(telemetry.TOKENS, number, {**self._named, telemetry.TOKEN_TYPE: kind})
            answer, reason = _read(result, schema)
            if answer is not None and check is not None:
                try:
                    check(answer)
                except ValueError as error:
                    answer, reason = None, str(error)
            if answer is not None:
                return answer
        name = tool["function"]["name"]
        raise LearningError(f"no usable {name} answer after {tries} tries; the last reason: {reason}")

    def _reads(self, messages: list[BaseMessage], tool: dict[str, Any]) -> int:
        """The tokens of a question, at the most."""
        return sum(self._count(str(message.content)) for message in messages) + self._count(json.dumps(tool))

    def _total(self, reads: Callable[[], int], result: Any) -> int:
        return sum(self._took(reads, result))

    def _took(self, reads: Callable[[], int], result: Any) -> tuple[int, int]:
        """The tokens that a call has read and written, as the model reports them, else as they are counted."""
        raw = result.get("raw") if isinstance(result, dict) else None
        if not isinstance(raw, AIMessage):
            return reads(), 0
        usage = raw.usage_metadata
        if usage is not None and usage["total_tokens"] > 0:
            return usage["input_tokens"], usage["total_tokens"] - usage["input_tokens"]
        written = [str(raw.content), *(str(one["args"]) for one in (*raw.tool_calls, *raw.invalid_tool_calls))]
        return reads(), sum(map(self._count, written))


def _named(model: BaseChatModel) -> telemetry.Attributes:
    """The model as OpenTelemetry's conventions name one: `openai` and `gpt-5-mini`, where it says so itself."""
    known = model._get_ls_params()
    return {
        telemetry.GEN_AI: "chat",
        telemetry.PROVIDER: str(known.get("ls_provider") or model._llm_type),
        telemetry.MODEL: str(known.get("ls_model_name") or model._llm_type),
    }


def _read(result: Any, schema: type[Answer]) -> tuple[Answer | None, str]:
    """The parsed answer, or None and why there is none."""
    parsed = result.get("parsed") if isinstance(result, dict) else result
    if isinstance(parsed, BaseModel):
        parsed = parsed.model_dump(exclude_unset=True)
    if isinstance(parsed, dict):
        try:
            return schema.model_validate(_cleaned(parsed)), ""
        except ValidationError as error:
            return None, _short(str(error))
    problem = result.get("parsing_error") if isinstance(result, dict) else None
    return None, _short(str(problem)) if problem else "the answer did not have the requested structure"


def _cleaned(value: Any) -> Any:
    """The answer without what no text of a person's memory holds: control characters and half surrogate pairs."""
    if isinstance(value, str):
        return "".join(letter for letter in clean(value) if letter in "\n\t" or unicodedata.category(letter) != "Cc")
    if isinstance(value, dict):
        return {name: _cleaned(one) for name, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list | tuple) else value


def _short(text: str) -> str:
    text = clean(text)  # it quotes the answer, and is shown to the model and to people
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
