"""Ctrl-C in the middle of long work: it says at once what it does, ends soon, and a second one does not wait."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from persona_memory.cli.signals import STOPPING, TEXTS, StoppableEmbedder, stoppable_embedder
from persona_memory.errors import StaleJob
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.processes.shell import done_so_far, popen, wait_for

WAITS = """
import signal, threading, time
from persona_memory.cli.signals import stoppable
stopping = threading.Event()
try:
    with stoppable(stopping):
        signal.raise_signal(signal.SIGINT)
finally:
    print(stopping.is_set(), flush=True)
    time.sleep(60)
"""


def test_an_interrupted_import_says_at_once_that_it_stops(tmp_path: Path) -> None:
    """Before the last word; exit code 130."""
    home, path = tmp_path / "home", tmp_path / "talk.jsonl"
    lines = (json.dumps({"role": "user", "content": f"On day {n} I went to the cinema."}) for n in range(3000))
    path.write_text("\n".join(lines), encoding="utf-8")
    interrupted = popen(home, "import", "openai", path, "--user", "ana")
    wait_for(lambda: done_so_far(home) > 3100)
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 130
    first, last = errors.splitlines()[-2:]
    assert (first, "interrupted; what was said is kept" in last) == (STOPPING, True)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    """Whatever is still at work."""
    process = popen(tmp_path, program=("-c", WAITS))
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, f"{STOPPING}\n")


async def test_a_local_model_stops_between_small_batches() -> None:
    """The vectors are those of the model itself, in order; once it is to stop it begins no other batch."""
    stopping = threading.Event()
    embedder = StoppableEmbedder(HashingEmbedder(), stopping)
    texts = [f"word{n} " * (n % 7 + 1) for n in range(3 * TEXTS)]
    assert await embedder.aembed_documents(texts) == HashingEmbedder().embed_documents(texts)
    assert embedder.embed_query("a") == HashingEmbedder().embed_query("a") == await embedder.aembed_query("a")
    begun = []

    class Slow(HashingEmbedder):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            begun.append(len(texts))
            stopping.set()
            return super().embed_documents(texts)

    with pytest.raises(StaleJob, match="waits in the ledger"):
        await StoppableEmbedder(Slow(), stopping).aembed_documents(texts)
    assert begun == [TEXTS]


def test_only_the_local_model_needs_to_be_stopped() -> None:
    """Hashing is quick, and a server's answer is awaited."""

    class Local(HashingEmbedder):
        fingerprint = "minilm-of-a-test"

    hashing = HashingEmbedder()
    assert stoppable_embedder(hashing, threading.Event()) is hashing
    assert isinstance(stoppable_embedder(Local(), threading.Event()), StoppableEmbedder)
