"""The command line in this process: the same `run` that the console script calls."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from persona_memory import PersonaMemory
from persona_memory.cli import output
from persona_memory.cli.run import run
from persona_memory.retrieval.hashing import HashingEmbedder

SAID = [
    ("user", "I live in Porto and my dog is called Rex."),
    ("assistant", "Nice, a dog by the sea."),
    ("user", "I love hiking. I do not understand recursion."),
    ("assistant", "Recursion ends at a base case."),
]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Runs a command, e.g. `cli("show", "--user", "ana")`; offline, with the hashing embedder, in a wide terminal."""
    monkeypatch.setenv("PERSONA_MEMORY_EMBEDDINGS", "hashing")
    for console in (output.out, output.err):
        monkeypatch.setattr(console, "width", 200)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["persona-memory", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = run()
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def home(_isolated: Path) -> Path:
    """The home folder that $PERSONA_MEMORY_HOME names."""
    return _isolated


@pytest.fixture
def ana(home: Path) -> str:
    """Ana, who is known: four turns in one thread, learnt and indexed."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, durability="NORMAL") as memory:
        memory.observe(SAID, user_id="ana", thread_id="t1")
        memory.flush(timeout=60)
    return "ana"
