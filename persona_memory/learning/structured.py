"""One structured question to a chat model: the answer is parsed and checked; an error is shown and asked again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ValidationError

from persona_memory.errors import LearningError

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
    """Puts structured questions to one chat model. How a form of answer is asked for is worked out once."""

    def __init__(self, model: BaseChatModel) -> None:
        self._structured = lru_cache(FORMS)(partial(model.with_structured_output, include_raw=True))

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
        """
        structured = self._structured(schema)
        messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(user)]
        reason = ""
        for _ in range(tries):
            shown = [HumanMessage(RETRY_PROMPT.format(error=reason))] if reason else []
            result = await structured.ainvoke([*messages, *shown], config={"tags": [NOSTREAM]})
            answer, reason = _read(result, schema)
            if answer is not None and check is not None:
                try:
                    check(answer)
                except ValueError as error:
                    answer, reason = None, str(error)
            if answer is not None:
                return answer
        name = convert_to_openai_tool(schema)["function"]["name"]
        raise LearningError(f"no usable {name} answer after {tries} tries; the last reason: {reason}")


def _read(result: Any, schema: type[Answer]) -> tuple[Answer | None, str]:
    """The parsed answer, or None and why there is none."""
    parsed = result.get("parsed") if isinstance(result, dict) else result
    if isinstance(parsed, schema):
        return parsed, ""
    if isinstance(parsed, dict):
        try:
            return schema.model_validate(parsed), ""
        except ValidationError as error:
            return None, _short(str(error))
    problem = result.get("parsing_error") if isinstance(result, dict) else None
    return None, _short(str(problem)) if problem else "the answer did not have the requested structure"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
