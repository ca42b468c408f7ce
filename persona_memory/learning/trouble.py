"""Why a language model gave no answer: whether its provider is at fault, and how long it asks to be left alone.

Providers' packages raise errors of their own, which carry the same things under a few names; none of the packages is
needed to read them: `status_code` and `response.headers` (OpenAI, Anthropic, Groq, Cohere, httpx), `code` (Google),
a `response` that is a dictionary (AWS).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from persona_memory.errors import LearningError, ModelUnavailable

CERTAIN = frozenset({401, 402, 404, 407, 429, 502, 503, 529})
"""Statuses that say nothing about the question: key, account, model, rate, load."""

POSSIBLE = frozenset({403, 408, 409, 425})
"""Statuses that may be the provider's, as all others from 500 may; 400, 413, 422 are about the question."""

LONGEST = timedelta(days=1)
"""Longer pauses than this are not believed."""

_TIMEOUTS = ("Timeout", "DeadlineExceeded")
_CONNECTIONS = frozenset(
    """ConnectionError APIConnectionError ConnectError NetworkError TransportError ClientConnectionError gaierror
    EndpointConnectionError ConnectionClosedError ServiceUnavailable""".split()
)


def unavailable(error: BaseException, *, now: datetime) -> ModelUnavailable | None:
    """The error as what it means for other questions; None where the model has refused this one only.

    Args:
        now: for a moment that the provider names.
    """
    for one in _chain(error):
        status = _status(one)
        if status is not None:
            if status not in CERTAIN and status not in POSSIBLE and status < 500:
                return None
            kind = f"{type(error).__name__} (status {status})"
            return ModelUnavailable(kind, _line(error), certain=status in CERTAIN, pause=_pause(one, now))
        names = {base.__name__ for base in type(one).__mro__}
        if isinstance(one, TimeoutError) or any(part in name for part in _TIMEOUTS for name in names):
            return ModelUnavailable(type(error).__name__, _line(error), certain=False)
        if names & _CONNECTIONS:
            return ModelUnavailable(type(error).__name__, _line(error), certain=True)
    return None


class Cancelled(LearningError):
    """What a job waited for was cancelled, and the job was not."""


def contained(error: Exception | SystemExit | asyncio.CancelledError) -> Exception:
    """The error; of a component that ends the process, or was ended itself, what is recorded in its place."""
    if isinstance(error, SystemExit):
        return LearningError(f"SystemExit: a component asked the process to exit ({error})")
    if isinstance(error, asyncio.CancelledError):
        return Cancelled("what it waited for was cancelled, e.g. as the base model was closed")
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, as wrappers hide the provider's own."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        yield following
        following = following.__cause__ or following.__context__


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error carries."""
    response = getattr(error, "response", None)
    aws = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    carried = [getattr(one, name, None) for one in (error, response) for name in ("status_code", "status", "code")]
    if isinstance(aws, Mapping):
        carried.append(aws.get("HTTPStatusCode"))
    return next((int(one) for one in carried if isinstance(one, int) and 400 <= one < 600), None)


def _pause(error: BaseException, now: datetime) -> timedelta | None:
    """How long the provider asks to be left alone (RFC 9110, 10.2.3): seconds, or a date."""
    headers = _headers(error)
    for name, seconds in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        found = _number(headers.get(name))
        if found is not None:
            return _believed(found * seconds)
    try:
        moment = parsedate_to_datetime(str(headers["retry-after"]))
    except (KeyError, ValueError):
        found = _number(getattr(error, "retry_after", None))
        return None if found is None else _believed(found)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _believed((moment - now).total_seconds())


def _headers(error: BaseException) -> dict[str, Any]:
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        aws = response.get("ResponseMetadata")
        given: Any = aws.get("HTTPHeaders") if isinstance(aws, Mapping) else None
    else:
        given = getattr(response, "headers", None) or getattr(error, "headers", None)
    items = getattr(given, "items", None)
    return {str(name).lower(): value for name, value in items()} if callable(items) else {}


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _believed(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))
