"""The official client against servers that are real processes, or in this process where no transport matters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder

if find_spec("mcp") is None:
    collect_ignore_glob = ["test_*.py"]

ROOT = Path(__file__).parents[2]
CAT = "My cat is called Miso."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[PersonaMemory]:
    """A memory without an LLM, which learns when it is flushed."""
    with PersonaMemory.open(
        tmp_path / "home", embeddings=HashingEmbedder(), worker=False, durability="NORMAL"
    ) as memory:
        yield memory


@pytest.fixture
def home(_isolated: Path) -> Path:
    """The folder of the memory that a server opens."""
    return _isolated


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """What a server's process needs: this checkout, the test's home, and the small embedder."""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "integrations")))
    return {
        "PYTHONPATH": path, "PERSONA_MEMORY_HOME": str(home), "PERSONA_MEMORY_EMBEDDINGS": "hashing",
        "PATH": os.environ["PATH"],
    }  # fmt: skip


def command(*arguments: object) -> list[str]:
    """The command line of `persona-memory mcp`."""
    return [sys.executable, "-m", "persona_memory", "mcp", *map(str, arguments)]


def said(result: Any) -> str:
    """The text of a tool's result, of a resource or of a prompt."""
    if hasattr(result, "messages"):
        return "\n".join(one.content.text for one in result.messages)
    parts = result.contents if hasattr(result, "contents") else result.content
    return "\n".join(one.text for one in parts)


@dataclass(frozen=True)
class Server:
    """A server that listens on loopback."""

    url: str
    process: subprocess.Popen[str]

    @asynccontextmanager
    async def client(self, token: str | None = None, **options: Any) -> AsyncIterator[Any]:
        """The official client, with a token as `Authorization: Bearer`."""
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(self.url, http_client=http), **options) as client,
        ):
            yield client


Serve = Callable[..., Server]
InProcess = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def serve(environment: dict[str, str], tmp_path: Path) -> Iterator[Serve]:
    """Starts `persona-memory mcp --http 127.0.0.1:0` with more options; its stderr is in the file server.log."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> Server:
        process = subprocess.Popen(
            command("--http", "127.0.0.1:0", *arguments), env=environment, text=True, stderr=subprocess.PIPE
        )
        started.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+/mcp", line)
        assert found is not None, line + process.stderr.read()
        return Server(found[0], process)

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def ana(memory: PersonaMemory) -> InProcess:
    """The official client of a server for Ana, in this process."""
    from mcp import Client

    from persona_memory_mcp import memory_server, one_person

    def connect(**options: Any) -> AbstractAsyncContextManager[Any]:
        return Client(memory_server(one_person(memory, "ana"), **options))

    return connect
