"""Whatever happens, nothing that somebody said, and nobody's id, is logged or measured; not even at DEBUG."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from sqlalchemy import text

from persona_memory import Doors, PersonaMemory, PersonaMemoryError, Policy, Retry, telemetry
from persona_memory.errors import LedgerError
from persona_memory.learning.rules import RuleExtractor
from persona_memory.protocols import Extraction, Window
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import FAULTS, ScriptedChatModel
from persona_memory.testing.chat import Answer
from persona_memory.testing.faults import Fault
from tests.memory.conftest import Open
from tests.telemetry.conftest import Measured
from tests.torture.fakes import Scribe

SAID, WHO, WHERE = "Kanarienvogel4711", "id-Zeisig0815", "thread-Stieglitz42"
"""What is said, by whom and where; all of them are looked for."""
CANARIES = (SAID, WHO, WHERE)
LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")
PACKAGES = [Path(__file__).parents[2] / name for name in ("persona_memory", "integrations")]


class Heard(logging.Handler):
    """Everything that is logged in this process, as a formatter shows it and as a record holds it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(f"{record.name} {self.format(record)} {record.__dict__!r}")


@pytest.fixture
def heard() -> Iterator[Heard]:
    """A handler on the root logger, which lets everything through."""
    root, handler = logging.getLogger(), Heard()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)


def check_nobody_is_quoted(heard: Heard, measured: Measured) -> None:
    """No canary in a log, a metric or a span."""
    seen = [*heard.lines, *map(repr, measured.points())]
    seen += [f"{one.name} {one.attributes} {one.events} {one.status}" for one in measured.spans.get_finished_spans()]
    assert [line for line in seen if any(canary in line for canary in CANARIES)] == []


def quoting(fault: Fault) -> Any:
    """The fault with what was said in its message, as providers' errors have it."""

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Answer:
        found: Any = fault(messages, tools) if callable(fault) else fault
        if isinstance(found, BaseException):
            found.args = (f"cannot answer {messages[-1].text!r}",)
        return found  # type: ignore[no-any-return]

    return answer


def say(memory: PersonaMemory, *texts: str) -> None:
    """Of one person, in one thread."""
    memory.observe([("user", one) for one in texts], user_id=WHO, thread_id=WHERE)


UNUSABLE = {"memories": [{"text": SAID * 99, "turns": [SAID], "kind": SAID}], "topics": SAID, "forget": []}


@pytest.mark.parametrize("name", [*FAULTS, "unusable", "unforeseen"])
def test_what_a_model_answers_or_raises_is_not_logged(
    name: str, open_memory: Open, heard: Heard, measured: Measured
) -> None:
    """Whether it quotes the question in its error, or gives an answer that pydantic shows in its own."""
    faults: dict[str, Any] = {**FAULTS, "unusable": UNUSABLE, "unforeseen": RuntimeError(SAID)}
    retry = Retry(attempts=2, backoff=0.0, timeout=0.1, down_after=2)
    memory = open_memory(model=ScriptedChatModel(answers=quoting(faults[name])), retry=retry)
    say(memory, f"My parrot is called {SAID}.", f"I live in {SAID}.")
    with suppress(TimeoutError):  # a model that is down is asked again, without end
        memory.flush(timeout=0.5)
    check_nobody_is_quoted(heard, measured)
    assert heard.lines


@pytest.mark.parametrize("raised", [RuntimeError(SAID), PersonaMemoryError(SAID), SystemExit(SAID)])
def test_components_of_the_host_may_quote_what_they_are_given(
    raised: BaseException, open_memory: Open, heard: Heard, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extractor, an embedder, a redaction, a teacher and a trainer that fail with what was said in the message."""

    async def extract(self: RuleExtractor, window: Window) -> Extraction:
        raise raised

    class Quoting(HashingEmbedder):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise raised if isinstance(raised, Exception) else RuntimeError(SAID)

        def embed_query(self, text: str) -> list[float]:
            raise RuntimeError(text)

    class Quoted(Scribe):
        async def train(self, study: Any) -> Any:
            raise raised

    class Teacher:
        name = "quoting"

        async def teach(self, conversation: Sequence[Any]) -> Sequence[Any]:
            raise raised

    monkeypatch.setattr(RuleExtractor, "extract", extract)
    memory = open_memory(
        embeddings=Quoting(), retry=Retry(attempts=2, backoff=0.0), parametric=Quoted(), teacher=Teacher(),
        redact=lambda said: 1 / 0 if said == "redact" else said,
    )  # fmt: skip
    say(memory, *(f"My locker {n} holds {SAID}." for n in range(12)))
    memory.consolidate(user_id=WHO)
    memory.flush(timeout=30)
    assert memory.progress(user_id=WHO) == {"parked": 12}
    assert memory.recall(f"What is {SAID}?", user_id=WHO, thread_id=WHERE).degraded
    doors = Doors()
    with doors.open("observe"):
        say(memory, "redact")
    with doors.open("observe"):
        memory.observe([{"role": SAID, "content": SAID}], user_id=WHO)
    with doors.open("forget"):
        memory.forget([SAID], user_id=WHO)
    with doors.open("remember"):
        memory.remember(" ", user_id=WHO)
    with doors.open("unforeseen"):
        raise KeyError(SAID) from RuntimeError(SAID)
    assert len(doors.failures) == 5
    check_nobody_is_quoted(heard, measured)
    assert any("test_logs.py" in line and "KeyError from" in line for line in heard.lines)  # where, if not what


def test_a_broken_database_shows_no_parameters_and_no_rows(open_memory: Open, heard: Heard, measured: Measured) -> None:
    """SQLAlchemy would log rows at DEBUG, and show parameters in its errors."""
    memory = open_memory()
    say(memory, f"My parrot is called {SAID}.")
    memory.flush(timeout=30)
    memory.profile(user_id=WHO)
    memory.forget(["t1"], user_id=WHO)
    say(memory, f"My cat is called {SAID}.")
    with memory._ledger.write() as tx:
        tx.execute(text("ALTER TABLE events RENAME TO broken"))
    doors = Doors()
    for name, call in {"observe": say, "recall": PersonaMemory.recall, "export": PersonaMemory.export}.items():
        with doors.open(name):
            call(memory, SAID) if name == "observe" else call(memory, *[SAID] * (name == "recall"), user_id=WHO)  # type: ignore[operator]
    assert doors.failures == {"observe: LedgerError": 1, "recall: LedgerError": 1, "export: LedgerError": 1}
    with suppress(TimeoutError):
        memory.flush(timeout=1)
    check_nobody_is_quoted(heard, measured)
    assert any("no such table" in line for line in heard.lines)


def test_postgres_tells_the_row_and_we_do_not(
    postgres_url: str, open_memory: Open, heard: Heard, measured: Measured
) -> None:
    """Its errors have a second line with the row that it refuses."""
    memory = open_memory(url=postgres_url, namespace="logs")
    say(memory, f"My parrot is called {SAID}.")
    refused = text("INSERT INTO events SELECT * FROM events WHERE namespace = 'logs'")
    with pytest.raises(LedgerError) as caught, memory._ledger.write() as tx:
        tx.execute(refused)
    assert "duplicate key" in str(caught.value)
    with Doors().open("observe"), memory._ledger.write() as tx:
        tx.execute(refused)
    memory.flush(timeout=30)
    memory.delete_user(user_id=WHO)
    check_nobody_is_quoted(heard, measured)


def test_a_life_without_failures_is_not_told_either(open_memory: Open, heard: Heard, measured: Measured) -> None:
    """Learning, a policy, erasing, checking, a backup."""
    memory = open_memory()
    say(memory, f"My parrot is called {SAID}.", "Please forget that.", f"I live in {SAID}.")
    memory.flush(timeout=30)
    memory.set_field("demographics.name", SAID, user_id=WHO)
    memory.set_policy(Policy(incognito_threads=(WHERE,)), user_id=WHO)
    memory.feedback(f"It is {SAID}!", user_id=WHO)
    memory.rebuild(user_id=WHO)
    memory.relearn(user_id=WHO)
    memory.flush(timeout=30)
    receipt = memory.delete_user(user_id=WHO)
    assert memory.doctor(repair=True).ok
    assert memory.verify_erasure(receipt.id, text=SAID).ok
    check_nobody_is_quoted(heard, measured)


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """(file and line, call) of everything that is logged in the library."""
    for folder in PACKAGES:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    owner = node.func.value
                    if isinstance(owner, ast.Name) and owner.id == "log" and node.func.attr in LEVELS:
                        yield f"{path.name}:{node.lineno}", node


def test_every_record_says_what_has_happened_in_fields() -> None:
    """`event.name` and attributes beside the sentence, from loggers that are named after their room."""
    calls = list(log_calls())
    assert len(calls) > 15
    assert [place for place, call in calls if "extra" not in {one.arg for one in call.keywords}] == []
    sources = [path.read_text(encoding="utf-8") for folder in PACKAGES for path in folder.rglob("*.py")]
    named = re.compile(r'^log = logging\.getLogger\((__name__|"persona_memory\.\w+")\)$', re.MULTILINE)
    assert all(named.search(one) for one in sources if "log = logging.getLogger" in one)


def test_the_fields_of_a_record(caplog: pytest.LogCaptureFixture) -> None:
    """A failure at the door: its name, the operation, the error's type; the same attributes as in metrics."""
    caplog.set_level(logging.DEBUG)
    with Doors().open("recall"):
        raise ValueError(SAID)
    first, second = caplog.records
    assert (first.name, first.levelname) == ("persona_memory.hosting", "WARNING")
    assert first.__dict__["event.name"] == "persona_memory.fail_open"
    assert first.__dict__[telemetry.OPERATION] == "recall"
    assert first.__dict__[telemetry.ERROR] == "ValueError"
    assert second.__dict__["event.name"] == "persona_memory.fail_open.at"
    assert "test_the_fields_of_a_record > ValueError" in second.message.replace(" open >", "")
