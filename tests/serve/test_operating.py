"""Operating the server: health, metrics, and an end that loses nothing."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from persona_memory import InvalidInput, PersonaMemory, __version__
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import FakeOpenAI
from persona_memory_serve import Settings, create_app
from tests.processes.shell import popen
from tests.wrapping.conftest import turns

from .conftest import CAT, Serve, chat, user


def test_health_and_metrics(serve: Serve) -> None:
    """What is counted names routes, methods and statuses: no person, no tenant, nothing that was said."""
    served = serve()
    chat(served.client(), CAT, person="ana-secret")
    with served.http() as http:
        assert http.get("/healthz").json() == {"status": "ok", "memory": "ok", "version": __version__}
        assert http.get("/v1/users/ana-secret/profile").status_code == 200
        assert http.get("/nonsense").status_code == 404
        told = http.get("/metrics").text
    route = 'route="/v1/chat/completions"'
    assert f'persona_memory_requests_total{{method="POST",{route},status="200"}} 1.0' in told
    assert 'route="/v1/users/{user_id}/profile"' in told
    assert f"persona_memory_answer_seconds_count{{{route}}} 1.0" in told
    assert "persona_memory_in_flight 1.0" in told
    assert not any(secret in told for secret in ("ana-secret", "Miso", "nonsense"))


def test_a_failure_that_nobody_foresaw_is_a_500_without_a_traceback(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A traceback can hold what a person said."""
    served = serve()
    chat(served.client(), CAT)

    def broken(self: Any, **_: Any) -> None:
        raise RuntimeError(f"while reading {CAT!r}")

    monkeypatch.setattr(PersonaMemory, "profile", broken)
    with served.http() as http:
        answer = http.get("/v1/users/ana/profile")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    assert "GET /v1/users/{user_id}/profile failed: RuntimeError" in caplog.text
    assert "Miso" not in caplog.text


@pytest.fixture
def started(tmp_path: Path) -> Any:
    """Starts `persona-memory serve` in a process of its own; returns it with its URL."""
    processes: list[Any] = []

    def start(upstream: str, *options: str) -> tuple[Any, str]:
        process: Any = popen(
            tmp_path / "home", "serve", "--port", "0", "--upstream", upstream, "--embeddings", "hashing", *options
        )
        processes.append(process)
        lines: list[str] = []
        while not any("listening on" in line for line in lines):
            line = process.stderr.readline()
            assert line, lines
            lines.append(line)
        return process, lines[-1].split("listening on ")[1].split(";")[0]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_lets_answers_end(
    started: Callable[..., tuple[Any, str]], tmp_path: Path, number: signal.Signals
) -> None:
    """A stream under way goes on to its end and is learnt; new connections are refused; the exit code is 0."""
    with ExitStack() as stack, FakeOpenAI(["One two three four five six seven eight."], pace=0.1) as upstream:
        process, url = started(upstream.base_url)
        client = stack.enter_context(OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0))
        stream: Any = client.chat.completions.create(model="m", messages=[user(CAT)], user="ana", stream=True)
        heard = [next(stream).choices[0].delta.content or "" for _ in range(3)]
        process.send_signal(number)
        heard += [part.choices[0].delta.content or "" for part in stream]
        assert "".join(heard) == "One two three four five six seven eight."
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "stopped; what is not learnt yet waits in the ledger" in errors
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}/healthz")
    with PersonaMemory.open(tmp_path / "home", embeddings=HashingEmbedder(), worker=False) as memory:
        assert turns(memory) == [("user", CAT), ("assistant", "One two three four five six seven eight.")]


def test_a_server_whose_time_is_up_keeps_what_came(started: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    """An answer that outlasts --shutdown-timeout is cut, and learnt as far as it came."""
    with ExitStack() as stack, FakeOpenAI(["One two " + "more " * 200], pace=0.1) as upstream:
        process, url = started(upstream.base_url, "--shutdown-timeout", "1")
        client = stack.enter_context(OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0))
        stream: Any = client.chat.completions.create(model="m", messages=[user(CAT)], user="ana", stream=True)
        for _ in range(3):
            next(stream)
        reader = threading.Thread(target=lambda: _drain(stream))
        reader.start()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        reader.join()
    assert time.monotonic() - began < 15
    with PersonaMemory.open(tmp_path / "home", embeddings=HashingEmbedder(), worker=False) as memory:
        (_, heard) = turns(memory)[1]
    assert heard.startswith("One two more")


def _drain(stream: Any) -> None:
    try:
        for _ in stream:
            pass
    except Exception as error:  # the server has gone, as it should
        print(type(error).__name__, file=sys.stderr)


@pytest.mark.parametrize("upstream", ["", "nonsense", "ftp://models/v1", "http://"])
def test_an_upstream_that_is_no_url_is_refused_at_the_start(upstream: str) -> None:
    with pytest.raises(InvalidInput, match=r"pass the base URL .* https://api\.openai\.com/v1"):
        Settings(upstream=upstream)


@pytest.mark.parametrize(
    ("path", "warns"), [("", True), ("/", True), ("/api", True), ("/v1", False), ("/v1/", False), ("/v1beta/x", False)]
)
def test_an_upstream_without_its_version_is_warned_of(path: str, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Where a base URL lacks it, every chat would be a bare 404."""
    create_app(lambda namespace: PersonaMemory.open(namespace), Settings(upstream=f"http://me:secret@127.0.0.1{path}"))
    assert ("usually end in /v1: if requests are answered with 404, add it" in caplog.text) is warns
    assert "secret" not in caplog.text


def test_what_the_first_recall_needs_is_loaded_before_anybody_asks(tmp_path: Path) -> None:
    """Local weights take seconds to load, which no turn should wait for, or go on without."""
    asked: list[str] = []

    class Slow(HashingEmbedder):
        def embed_query(self, text: str) -> Any:
            asked.append(text)
            return super().embed_query(text)

    def opened(namespace: str) -> PersonaMemory:
        return PersonaMemory.open(tmp_path, namespace=namespace, embeddings=Slow(), worker=False)

    with TestClient(create_app(opened, Settings()), base_url="http://localhost") as client:
        assert len(asked) == 1
        assert client.get("/healthz").json()["memory"] == "ok"
