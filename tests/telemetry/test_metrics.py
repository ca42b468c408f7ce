"""What an application sees that has set up OpenTelemetry: counts, durations, queue and spans; never who or what."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from persona_memory import Doors, PersonaMemory, Retry, telemetry
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import FAULTS, Faulty, ScriptedChatModel
from persona_memory.testing.chat import Answer
from tests.memory.conftest import Clock, Open
from tests.memory.test_consolidating import FACTS, ByHeart, Trainer
from tests.memory.test_faults import good
from tests.telemetry.conftest import Measured

ROOT = Path(__file__).parents[2]


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_turns_and_recalls_are_counted_and_timed(measured: Measured, memory: PersonaMemory) -> None:
    """By what became of each message, and by the route of each recall."""
    said = [("user", "I live in Porto."), ("assistant", "Noted."), ("system", "Be kind.")]
    memory.observe(said, user_id="ana")
    memory.observe(said, user_id="ana", resent=True)
    recall = memory.recall("Where do I live?", user_id="ana")
    found = measured.counts()
    assert found["persona_memory.turns", "new"] == 2
    assert found["persona_memory.turns", "duplicate"] == 2
    assert found["persona_memory.turns", "ignored"] == 2
    assert found["persona_memory.observe.duration",] == 2
    assert found["persona_memory.recall.duration", "context"] == 1
    memory.recall("Where do I live?", user_id="ana")
    ((by, tokens),) = [(by, value) for name, by, value in measured.points() if name == "persona_memory.recall.tokens"]
    assert (by, tokens.sum) == ({"persona_memory.route": "context"}, recall.tokens)


async def test_asynchronous_calls_are_measured_too_and_nest_in_the_callers_span(
    measured: Measured, memory: PersonaMemory
) -> None:
    """What runs in the executor belongs to the request that asked for it."""
    from opentelemetry import trace

    with trace.get_tracer("host").start_as_current_span("request") as request:
        await memory.aobserve([("user", "I live in Porto.")], user_id="ana")
        await memory.arecall("Where do I live?", user_id="ana")
    ours = {one.name: one for one in measured.spans.get_finished_spans() if one.name != "request"}
    assert set(ours) == {"persona_memory.observe", "persona_memory.recall"}
    assert {one.parent.span_id for one in ours.values()} == {request.get_span_context().span_id}
    assert measured.counts()["persona_memory.turns", "new"] == 1


def test_learning_is_counted_by_what_it_came_to(measured: Measured, open_memory: Open) -> None:
    """A retry, a parked job and one that is done; the model's calls and tokens under OpenTelemetry's own names."""
    model = ScriptedChatModel(answers=Faulty(["prose", "prose", "broken"], then=good))
    memory = open_memory(model=model, retry=Retry(attempts=3, backoff=0.0))
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    memory.flush(timeout=30)
    found = measured.points()
    learn = {by["persona_memory.outcome"]: n for name, by, n in found if name == "persona_memory.jobs"
             and by["persona_memory.job.kind"] == "learn"}  # fmt: skip
    assert learn == {"retried": 2, "done": 1}
    calls = {by.get("error.type"): at.count for name, by, at in found if name == "gen_ai.client.operation.duration"}
    assert calls == {None: len(model.calls) - 1, "ModelUnavailable": 1}
    tokens = {by["gen_ai.token.type"]: at for name, by, at in found if name == "gen_ai.client.token.usage"}
    assert {kind: at.count for kind, at in tokens.items()} == dict.fromkeys(("input", "output"), len(model.calls) - 1)
    assert tokens["input"].sum > tokens["output"].sum > 0
    (by,) = [by for name, by, _ in found if name == "gen_ai.client.operation.duration" and "error.type" not in by]
    assert by == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "scriptedchatmodel",
        "gen_ai.request.model": "scripted",
    }  # fmt: skip
    names = {one.name for one in measured.spans.get_finished_spans()}
    assert names >= {"persona_memory.learn", "persona_memory.optimize", "persona_memory.index", "chat scripted"}


def test_the_queue_and_the_breaker_are_looked_at_when_gauges_are_read(
    measured: Measured, open_memory: Open, clock: Clock
) -> None:
    """How many jobs wait or are parked, and whether the model is left alone; closed memories are not seen."""
    down = True

    def answer(messages: Any, tools: Any) -> Answer:
        return FAULTS["unreachable"] if down else good(messages, tools)  # type: ignore[return-value]

    memory = open_memory(model=ScriptedChatModel(answers=answer), retry=Retry(down_after=2), quiet=timedelta())
    for user in ("ana", "ben", "cleo"):
        memory.observe([("user", "I live in Porto.")], user_id=user)
    found = measured.counts()
    assert found["persona_memory.queue.depth", "learn", "queued", "default"] == 3
    assert found["persona_memory.queue.depth", "learn", "parked", "default"] == 0
    assert found["persona_memory.breaker.open", "default"] == 0
    memory._worker.start()
    wait_for(lambda: sum(job.waits_for == "model" for job in memory.jobs()) == 3)
    found = measured.counts()
    assert found["persona_memory.breaker.open", "default"] == 1
    assert found["persona_memory.jobs", "learn", "waits for the model"] >= 2
    down = False
    clock.move(hours=1)
    memory.flush(timeout=30)
    found = measured.counts()
    assert found["persona_memory.breaker.open", "default"] == 0
    assert found["persona_memory.queue.depth", "learn", "queued", "default"] == 0
    memory.close()
    assert not any(name[0].startswith("persona_memory.queue") for name in measured.counts())


def test_adapters_are_counted_as_they_are_trained_promoted_and_retired(measured: Measured, open_memory: Open) -> None:
    """A revision that passes is promoted; rolled back it is retired."""
    trainer = Trainer()
    memory = open_memory(parametric=trainer, teacher=ByHeart())
    for passes, outcomes in ((True, {"trained": 1, "promoted": 1}), (False, {"trained": 1, "rejected": 1})):
        trainer.passes = passes
        memory.observe([("user", said) for said in (*FACTS, *FACTS)], user_id="ana", thread_id=f"{passes}")
        memory.consolidate(user_id="ana")
        memory.flush(timeout=30)
        assert of_adapters(measured) == outcomes
    memory.rollback(user_id="ana", reason="it was rude")
    assert of_adapters(measured) == {"retired": 1, "rolled back": 1}


def of_adapters(measured: Measured) -> dict[str, int]:
    """By what became of them, since the last look."""
    return {name[1]: value for name, value in measured.counts().items() if name[0] == "persona_memory.adapters"}


def test_what_goes_on_in_spite_of_a_failure_is_counted(measured: Measured, open_memory: Open) -> None:
    """At the host's door, and where recall goes on by words."""

    class Broken(HashingEmbedder):
        def embed_query(self, text: str) -> list[float]:
            raise ConnectionError(text)

    memory = open_memory(embeddings=Broken())
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    assert memory.recall("Where do I live?", user_id="ana").degraded
    with Doors().open("recall"):
        raise OSError("the disk is gone")
    found = measured.counts()
    assert found["persona_memory.fail_open", "EmbeddingError", "embed"] == 1
    assert found["persona_memory.fail_open", "OSError", "recall"] == 1


def test_an_error_is_named_by_its_type_alone(measured: Measured, memory: PersonaMemory) -> None:
    """Neither its message nor its traceback is in a span."""
    with pytest.raises(ValueError, match="secret"), telemetry.timed(telemetry.OBSERVE, "persona_memory.observe"):
        raise ValueError("a secret")
    (span,) = measured.spans.get_finished_spans()
    assert (dict(span.attributes), span.events, span.status.description) == ({"error.type": "ValueError"}, (), None)
    assert not span.status.is_ok
    assert measured.counts()["persona_memory.observe.duration", "ValueError"] == 1


def test_metrics_carry_the_attributes_that_are_documented_and_no_others(measured: Measured, open_memory: Open) -> None:
    """The page lists every metric with its unit, and nothing measured carries more than the table says."""
    memory = open_memory(model=ScriptedChatModel(answers=Faulty(["prose", "timeout"], then=good)))
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    memory.flush(timeout=30)
    memory.recall("Where?", user_id="ana")
    allowed = {one.name: set(one.by) for one in telemetry.METRICS}
    for name, by, _ in measured.points():
        assert set(by) <= allowed[name], name
        assert "ana" not in map(str, by.values())
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for one in telemetry.METRICS:
        (row,) = [line for line in rows if line.startswith(f"| `{one.name}` ")]
        assert f"| {one.kind}, {one.unit} |" in row
        assert all(f"`{key.removeprefix('persona_memory.')}`" in row for key in one.by), row


def test_nothing_is_loaded_or_done_where_the_application_does_not_measure() -> None:
    """Remembering, recalling and learning do not import OpenTelemetry, though it is installed."""
    code = """
import sys, tempfile
from persona_memory import PersonaMemory
with tempfile.TemporaryDirectory() as home, PersonaMemory.open(home, embeddings="hashing", worker=False) as memory:
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    memory.flush()
    memory.recall("Where do I live?", user_id="ana")
print([name for name in sys.modules if name.startswith("opentelemetry")])"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
