"""The server as it runs: uvicorn on this machine, in front of a model's server that answers from a script."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder

NEEDED = (
    "fastapi", "httpx2", "itsdangerous", "jinja2", "limits", "openai", "prometheus_client", "python_multipart",
    "uvicorn",
)  # fmt: skip

if any(find_spec(name) is None for name in NEEDED):
    collect_ignore_glob = ["test_*.py"]

CAT = "My cat is called Miso."
WHICH_CAT = "What is my cat called?"


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The base URL of an application that uvicorn serves in a thread; it is shut down cleanly at the end."""
    import uvicorn

    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    sock = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: server.run(sockets=[sock]))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


@dataclass(frozen=True)
class Served:
    """A server with what stands behind it.

    Attributes:
        url: without a path.
        upstream: the model's server.
        memory: a second memory on the same home, to look into it; of the namespace "default" unless named.
    """

    url: str
    upstream: Any
    memory: Callable[..., PersonaMemory]
    stack: ExitStack

    def client(self, key: str = "none", **options: Any) -> Any:
        """A client of the real SDK; closed at the end of the test."""
        from openai import OpenAI

        client = OpenAI(base_url=f"{self.url}/v1", api_key=key, **{"max_retries": 0, **options})
        return self.stack.enter_context(client)

    def http(self, key: str | None = None) -> Any:
        """A plain HTTP client."""
        import httpx2

        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers; options are those of `Settings`, and `keys`, `replies`, `delay`, `pace`, `open_memory`."""
    from persona_memory.testing import FakeOpenAI
    from persona_memory_serve import Settings, create_app

    def open_memory(namespace: str = "default", **options: Any) -> PersonaMemory:
        settings = {"embeddings": HashingEmbedder(), "worker": False, "durability": "NORMAL", **options}
        return PersonaMemory.open(tmp_path / "home", namespace=namespace, **settings)

    with ExitStack() as stack:

        def look(namespace: str = "default") -> PersonaMemory:
            return stack.enter_context(open_memory(namespace))

        def start(**options: Any) -> Served:
            fake = {name: options.pop(name) for name in ("replies", "delay", "pace") if name in options}
            upstream = stack.enter_context(FakeOpenAI(**fake))
            opens, keys = options.pop("open_memory", open_memory), options.pop("keys", None)
            settings = replace(Settings(upstream=upstream.base_url), **options)
            url = stack.enter_context(running(create_app(opens, settings, keys=keys)))
            return Served(url, upstream, look, stack)

        start.open_memory = open_memory  # type: ignore[attr-defined]
        yield start


def user(text: str) -> Any:
    """A message of the user."""
    return {"role": "user", "content": text}


def chat(client: Any, text: str, person: str = "ana", **options: Any) -> str:
    """One turn of a chat completion."""
    answer = client.chat.completions.create(model="m", messages=[user(text)], user=person, **options)
    said: str = answer.choices[0].message.content
    return said
