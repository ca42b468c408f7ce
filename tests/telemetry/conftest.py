"""OpenTelemetry's own SDK, which keeps what is measured in memory; an application sets it once in its process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.memory.conftest import Clock, clock, memory, open_memory

__all__ = ["Clock", "Measured", "clock", "measured", "memory", "open_memory"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured since the test began."""

    reader: Any
    spans: Any

    def points(self) -> list[tuple[str, dict[str, Any], Any]]:
        """(metric, attributes, value) of everything, each counted since the last look; of a histogram all its parts."""
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        assert {scope.scope.name for scope in scopes} <= {"persona_memory"}
        return [
            (metric.name, dict(point.attributes), getattr(point, "value", point))
            for scope in scopes
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    def counts(self) -> dict[tuple[str, ...], Any]:
        """By (metric, values of its attributes in order of their names): the value, or how many a histogram holds."""
        return {
            (name, *(str(by[key]) for key in sorted(by))): getattr(value, "count", value)
            for name, by, value in self.points()
        }


@pytest.fixture(scope="session")
def _provided() -> Measured:
    pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
    from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    delta: Any = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
    reader, spans, tracing = InMemoryMetricReader(preferred_temporality=delta), InMemorySpanExporter(), TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    metrics.set_meter_provider(MeterProvider([reader]))
    trace.set_tracer_provider(tracing)
    return Measured(reader, spans)


@pytest.fixture
def measured(_provided: Measured) -> Measured:
    """What this test leaves in the metrics and traces."""
    _provided.points()
    _provided.spans.clear()
    return _provided
