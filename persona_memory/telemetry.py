"""What is measured and logged, decided in one place: names, units and attributes; never a text, never a user id.

Metrics and spans go through OpenTelemetry's API, whose application decides where they go. Nothing is imported for it:
where nobody in this process has loaded the API, no provider can be set, and a measurement ends with one look at
`sys.modules`. Names are those of OpenTelemetry's semantic conventions where they have one (`gen_ai.*`, `error.type`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from weakref import WeakSet

from persona_memory.errors import (
    EncryptionError,
    IndexUnavailable,
    LedgerError,
    MissingExtra,
    MissingState,
    PersonaMemoryError,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

    from persona_memory.types import Observed, Recall

Attributes = Mapping[str, str | int]

SCOPE: Final = "persona_memory"
EVENT, ERROR = "event.name", "error.type"
OPERATION, OUTCOME, ROUTE = f"{SCOPE}.operation", f"{SCOPE}.outcome", f"{SCOPE}.route"
KIND, STATE, NAMESPACE = f"{SCOPE}.job.kind", f"{SCOPE}.job.state", f"{SCOPE}.namespace"
JOB, ATTEMPT, ADAPTER = f"{SCOPE}.job.id", f"{SCOPE}.job.attempt", f"{SCOPE}.adapter.id"
FRAMES, CAUSES = 12, 5
"""What is told at most of where an error was raised, and of what it was raised from."""
GEN_AI, PROVIDER, MODEL, TOKEN_TYPE = (
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.token.type",
)  # fmt: skip

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CALLS = tuple(0.01 * 2**power for power in range(14))
"""The conventions' own buckets for calls of a model, 10 ms to 82 s; jobs wait for such calls."""
_FEW_TOKENS = (0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800)
_TOKENS = tuple(4**power for power in range(14))
"""The conventions' own."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is measured.

    Attributes:
        unit: as UCUM writes it.
        what: in plain English.
        by: the attributes that it may carry.
        buckets: of a histogram.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    what: str
    by: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


TURNS = Metric(f"{SCOPE}.turns", "counter", "{turn}", "messages that `observe` was given", (OUTCOME,))
OBSERVE = Metric(f"{SCOPE}.observe.duration", "histogram", "s", "of `observe`", (ERROR,), _FAST)
RECALL = Metric(f"{SCOPE}.recall.duration", "histogram", "s", "of a recall, all stages together", (ROUTE,), _FAST)
RECALLED = Metric(f"{SCOPE}.recall.tokens", "histogram", "{token}", "that a recall injects", (ROUTE,), _FEW_TOKENS)
OPEN = Metric(
    f"{SCOPE}.fail_open", "counter", "{failure}", "failures in spite of which a turn went on", (OPERATION, ERROR)
)
JOBS = Metric(f"{SCOPE}.jobs", "counter", "{job}", "background jobs that ended, for now or for good", (KIND, OUTCOME))
JOB_DURATION = Metric(f"{SCOPE}.job.duration", "histogram", "s", "of an attempt at a job", (KIND, OUTCOME), _CALLS)
CALLS = Metric(
    "gen_ai.client.operation.duration", "histogram", "s", "of a call of the language model",
    (GEN_AI, PROVIDER, MODEL, ERROR), _CALLS,
)  # fmt: skip
TOKENS = Metric(
    "gen_ai.client.token.usage", "histogram", "{token}", "that a call of the language model read and wrote",
    (GEN_AI, PROVIDER, MODEL, TOKEN_TYPE), _TOKENS,
)  # fmt: skip
ADAPTERS = Metric(f"{SCOPE}.adapters", "counter", "{adapter}", "what became of people's adapters", (OUTCOME,))
QUEUE = Metric(f"{SCOPE}.queue.depth", "gauge", "{job}", "jobs in the ledger", (NAMESPACE, KIND, STATE))
BREAKER = Metric(
    f"{SCOPE}.breaker.open", "gauge", "1", "1 while this process leaves the language model alone, else 0", (NAMESPACE,)
)
METRICS: Final = (
    TURNS, OBSERVE, RECALL, RECALLED, OPEN, JOBS, JOB_DURATION, CALLS, TOKENS, ADAPTERS, QUEUE, BREAKER,
)  # fmt: skip


class Watched(Protocol):
    """What gauges look at."""

    def gauge(self, metric: Metric) -> Iterable[tuple[int, Attributes]]:
        """The present values of a gauge."""
        ...


_WATCHED: WeakSet[Watched] = WeakSet()


def count(metric: Metric, by: Attributes, *, times: int = 1) -> None:
    """It has happened so many times."""
    if times and _is_loaded("metrics"):
        _instruments()[metric.name].add(times, by)


def measure(metric: Metric, value: float, by: Attributes) -> None:
    """One value of a histogram."""
    if _is_loaded("metrics"):
        _instruments()[metric.name].record(value, by)


def is_measured() -> bool:
    """Whether this process has metrics at all: for what would have to be counted first."""
    return _is_loaded("metrics")


def watch(one: Watched) -> None:
    """Look at it whenever gauges are read, until `unwatch` or until nobody has it."""
    _WATCHED.add(one)
    if _is_loaded("metrics"):
        _instruments()


def unwatch(one: Watched) -> None:
    """Look at it no more."""
    _WATCHED.discard(one)


def span(name: str, by: Attributes | None = None) -> AbstractContextManager[None]:
    """A span around the block, where the application traces; an error is named in it by its type alone."""
    return _span(name, by or {}) if _is_loaded("trace") else nullcontext()


def timed(metric: Metric, name: str, by: Attributes | None = None) -> AbstractContextManager[None]:
    """A span and a duration of the block; of what it raises, the type."""
    off = not _is_loaded("metrics") and not _is_loaded("trace")
    return nullcontext() if off else _timed(metric, name, by or {})


def observed(seen: Observed) -> None:
    """What `observe` has made of the messages that it was given."""
    revised = len(seen.revised)
    outcomes = {
        "new": len(seen.new) - revised,
        "revised": revised,
        "duplicate": seen.duplicates,
        "ignored": seen.ignored,
    }
    for outcome, number in outcomes.items():
        count(TURNS, {OUTCOME: outcome}, times=number)


def recalled(recall: Recall) -> None:
    """A recall by its route: how long all of its stages took, and the tokens that it injects."""
    by: Attributes = {ROUTE: recall.route.name}
    measure(RECALL, sum(recall.timings.values()) / 1e3, by)
    measure(RECALLED, recall.tokens, by)


def failed_open(operation: str, error: BaseException) -> None:
    """A turn went on in spite of this."""
    count(OPEN, {OPERATION: operation, ERROR: error_type(error)})


def error_type(error: BaseException) -> str:
    """The error's name; its message may hold what somebody said."""
    return type(error).__name__


def told(error: BaseException) -> str:
    """The error as it may be logged: in its own words only where its kind never quotes anybody, else what it means."""
    speaks = isinstance(error, LedgerError | IndexUnavailable | MissingExtra | MissingState)
    if speaks and not isinstance(error, EncryptionError):  # which may name a person
        return str(error)
    means = (type(error).__doc__ or "").partition("\n")[0] if isinstance(error, PersonaMemoryError) else ""
    return f"{error_type(error)}: {means or 'not an error of persona-memory'} (its own words may quote somebody)"


def places(error: BaseException) -> str:
    """Where it was raised, innermost last, and so what it was raised from: files, lines and functions, no message."""
    found: dict[int, str] = {}
    following: BaseException | None = error
    while following is not None and id(following) not in found:
        frames = [
            f"{Path(at.f_code.co_filename).name}:{line} {at.f_code.co_name}"
            for at, line in walk_tb(following.__traceback__)
        ]
        found[id(following)] = " > ".join([*frames[-FRAMES:], error_type(following)])
        following = following.__cause__ or following.__context__
    return " from ".join(list(found.values())[:CAUSES])


def event(name: str, by: Attributes | None = None) -> dict[str, str | int]:
    """The fields of a log record, `extra=event(…)`: what has happened, and the attributes that metrics have, too."""
    return {EVENT: f"{SCOPE}.{name}", **(by or {})}


@contextmanager
def _timed(metric: Metric, name: str, by: Attributes) -> Iterator[None]:
    started = time.perf_counter()
    try:
        with span(name, by):
            yield
    except BaseException as error:
        by = {**by, ERROR: error_type(error)}
        raise
    finally:
        measure(metric, time.perf_counter() - started, by)


def _is_loaded(signal: Literal["metrics", "trace"]) -> bool:
    return f"opentelemetry.{signal}" in sys.modules


@contextmanager
def _span(name: str, by: Attributes) -> Iterator[None]:
    from opentelemetry import trace

    tracer = trace.get_tracer(SCOPE, _version())
    # OpenTelemetry would record the exception with its message and its traceback.
    options: Any = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(name, attributes=dict(by), **options) as current:
        try:
            yield
        except BaseException as error:
            current.set_attribute(ERROR, error_type(error))
            current.set_status(trace.StatusCode.ERROR)
            raise


@cache
def _instruments() -> dict[str, Any]:
    """All instruments; those that were made before the application sets its provider reach it, too."""
    from opentelemetry import metrics

    meter = metrics.get_meter(SCOPE, _version())
    made: dict[str, Any] = {}
    for one in METRICS:
        if one.kind == "counter":
            made[one.name] = meter.create_counter(one.name, one.unit, one.what)
        elif one.kind == "histogram":
            made[one.name] = meter.create_histogram(
                one.name, one.unit, one.what, explicit_bucket_boundaries_advisory=one.buckets
            )
        else:
            made[one.name] = meter.create_observable_gauge(one.name, [_reader(one)], one.unit, one.what)
    return made


def _reader(metric: Metric) -> Any:
    from opentelemetry.metrics import Observation

    def read(_: CallbackOptions) -> list[Observation]:
        """Two memories on one ledger see the same queue; of two workers, one whose model is down is told."""
        values: dict[tuple[tuple[str, str | int], ...], int] = {}
        for one in list(_WATCHED):
            for value, by in one.gauge(metric):
                key = tuple(sorted(by.items()))
                values[key] = max(value, values.get(key, 0))
        return [Observation(value, dict(key)) for key, value in values.items()]

    return read


def _version() -> str:
    from persona_memory import __version__

    return __version__
