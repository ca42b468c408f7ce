"""The application for LangGraph's server: the real CLI accepts it, and its agent remembers whom the server names."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("langchain", reason='needs pip install "persona-memory[langchain]"')

FOLDER = Path(__file__).parents[2] / "examples" / "langgraph_platform"
CONFIG = json.loads((FOLDER / "langgraph.json").read_text(encoding="utf-8"))


def load(spec: str) -> tuple[ModuleType, Any]:
    """The module and the object that an entry of langgraph.json names, as the server loads them."""
    path, _, name = spec.partition(":")
    found = importlib.util.spec_from_file_location(Path(path).stem, FOLDER / path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module, getattr(module, name)


def test_the_cli_accepts_it() -> None:
    """`langgraph validate`, and the image that `langgraph build` would make."""
    pytest.importorskip("langgraph_cli", reason="needs pip install langgraph-cli")
    environment = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1"}

    def langgraph(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "langgraph_cli", *arguments],
            cwd=FOLDER, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    said = langgraph("validate")
    assert "warning" not in said.lower()


async def test_the_login_lets_in_whom_it_knows_and_gives_each_their_own_threads() -> None:
    """An unknown token is refused; what a user makes is marked as theirs, and only that is found."""
    module, auth = load(CONFIG["auth"]["path"])
    assert await module.authenticate("Bearer token-of-ana") == {"identity": "ana"}
    for unknown in (None, "", "Bearer nobody"):
        with pytest.raises(Exception, match="unknown token") as refused:
            await module.authenticate(unknown)
        assert getattr(refused.value, "status_code", None) == 401
    value: dict[str, Any] = {}
    context: Any = SimpleNamespace(user=SimpleNamespace(identity="ana"))
    assert await module.own(context, value) == {"owner": "ana"} == value["metadata"]
    assert auth._authenticate_handler is module.authenticate


async def test_its_agent_remembers_whom_the_server_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a client writes into the configuration names nobody where the server knows the user."""
    monkeypatch.setenv("PERSONA_MEMORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PERSONA_MEMORY_EMBEDDINGS", "hashing")
    module, agent = load(CONFIG["graphs"]["agent"])
    try:
        options: Any = {"context": {"user_id": "ana"}}
        await agent.ainvoke({"messages": [("user", "My cat is called Miso.")]}, **options)
        answer = await agent.ainvoke({"messages": [("user", "What is my cat called?")]}, **options)
        assert "Miso" in answer["messages"][-1].text
        assert module.memory.users() == ["ana"]
    finally:
        module.memory.close()
