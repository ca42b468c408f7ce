"""Reading providers' errors: what they carry says whether others are to be asked, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from persona_memory.learning.trouble import LONGEST, unavailable
from persona_memory.testing import ProviderError, rate_limit

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def named(name: str, *bases: type[Exception], **carried: Any) -> Exception:
    """An error as a provider's package has it, with what it carries."""
    error: Exception = type(name, bases or (Exception,), {})("it went wrong")
    for attribute, value in carried.items():
        setattr(error, attribute, value)
    return error


AWS = {"ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": {"retry-after": "9"}}}


@pytest.mark.parametrize(
    ("error", "certain", "seconds"),
    [
        (rate_limit(retry_after=12), True, 12.0),
        (rate_limit(retry_after="Sun, 01 Mar 2026 09:00:30 GMT"), True, 30.0),
        (rate_limit(retry_after="Sun, 01 Mar 2026 08:00:00 GMT"), True, 0.0),
        (rate_limit(retry_after="soon"), True, None),
        (rate_limit(retry_after="nan"), True, None),
        (rate_limit(retry_after=10**9), True, LONGEST.total_seconds()),
        (ProviderError(429, {"retry-after-ms": "1500", "retry-after": "2"}), True, 1.5),
        (ProviderError(529), True, None),
        (ProviderError(500), False, None),
        (ProviderError(401), True, None),
        (named("ResourceExhausted", code=429), True, None),
        (named("ClientError", response=AWS), True, 9.0),
        (named("RateLimited", status_code=429, retry_after=3), True, 3.0),
        (named("APITimeoutError", type("APIConnectionError", (Exception,), {})), False, None),
        (named("APIConnectionError"), True, None),
        (ConnectionResetError("reset by peer"), True, None),
        (TimeoutError("too slow"), False, None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_keeps_a_provider_from_answering_is_told_from_its_error(
    error: Exception, certain: bool, seconds: float | None
) -> None:
    """By status, header or name; wrapped by another error, it is found just so."""
    wrapped = RuntimeError("the chain failed")
    wrapped.__cause__ = error
    for one in (error, wrapped):
        found = unavailable(one, now=NOW)
        assert found is not None
        assert (found.certain, found.pause) == (certain, None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "error", [ProviderError(400), ProviderError(422), ValueError("no JSON"), KeyError("x"), named("E", code="429")]
)
def test_what_is_wrong_with_a_question_says_nothing_about_others(error: Exception) -> None:
    """It is retried and parked by itself."""
    assert unavailable(error, now=NOW) is None
