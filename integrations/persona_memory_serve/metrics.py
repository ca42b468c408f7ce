"""What is counted, for Prometheus. No label names a person or a tenant."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one server.

    Args:
        failures: what failed in the memories, by kind, as `Doors.failures` counts it.
    """

    def __init__(self, failures: Callable[[], Iterable[Counts[str]]]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "persona_memory_requests", "Requests by route, method and status.", ["route", "method", "status"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "persona_memory_answer_seconds", "Seconds until an answer begins, by route.", ["route"], buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.in_flight = Gauge("persona_memory_in_flight", "Requests under way.", registry=self.registry)
        self.registry.register(_Failures(failures))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer that has begun."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


class _Failures(Collector):
    """What the fail-open doors of all open memories have counted, when it is asked for."""

    def __init__(self, failures: Callable[[], Iterable[Counts[str]]]) -> None:
        self._counted = failures

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The one family."""
        family = CounterMetricFamily(
            "persona_memory_failures", "Failures of the memory; each turn went on without it.", labels=["kind"]
        )
        total: Counts[str] = Counts()
        for counts in self._counted():
            total.update(counts)
        for kind, count in total.items():
            family.add_metric([kind], count)
        yield family
