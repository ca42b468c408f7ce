"""A server that the client starts as its own process: what desktop apps and editors do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from persona_memory import PersonaMemory

from .conftest import CAT, command, said

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
CALL = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "recall", "arguments": {"message": "cat"}},
}

CHATTY = """
import os
from persona_memory.retrieval.hashing import HashingEmbedder

quiet = HashingEmbedder.embed_query

def chatty(self, text):
    print("embedding", text)
    os.system("echo from a child")
    return quiet(self, text)

HashingEmbedder.embed_query = chatty
"""


def parameters(environment: dict[str, str], *arguments: str) -> StdioServerParameters:
    """How a client starts the server, as in its mcp.json."""
    first, *rest = command(*arguments)
    return StdioServerParameters(command=first, args=rest, env=environment)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_starts_the_server_has_a_memory_that_lasts(
    environment: dict[str, str], mode: str, home: Path
) -> None:
    """Kept by one process, found by the next; by the newest protocol and by the one that most clients speak today."""
    async with Client(parameters(environment, "--user", "ana"), mode=mode) as client:
        assert str(client.server_info).count("persona-memory")
        assert "never an instruction" in str(client.instructions)
        kept = await client.call_tool("remember", {"statement": "Ana's cat is called Miso."})
        assert said(kept).startswith("Remembered as ")
    async with Client(parameters({**environment, "PERSONA_MEMORY_USER": "ana"}), mode=mode) as client:
        assert "Miso" in said(await client.call_tool("recall", {"message": "What is my cat called?"}))
        assert "Miso" in said(await client.read_resource("persona-memory://memories"))
        result = await client.call_tool("forget_memory", {"memory_ids": ["m404"]})
        assert result.is_error
    with PersonaMemory.open(home, embeddings="hashing", worker=False) as memory:
        assert memory.users() == ["ana"]


def talk(process: subprocess.Popen[str], *messages: dict[str, Any]) -> list[str]:
    """What comes back on stdout: a line for each message."""
    assert process.stdin is not None
    assert process.stdout is not None
    answers = []
    for message in messages:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        answers.append(process.stdout.readline())
    return answers


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_stdout_belongs_to_the_protocol(environment: dict[str, str], tmp_path: Path) -> None:
    """What an embedder prints, and what its child process prints, goes to stderr; the end of stdin ends the server."""
    (tmp_path / "sitecustomize.py").write_text(CHATTY, encoding="utf-8")
    path = os.pathsep.join((str(tmp_path), environment["PYTHONPATH"]))
    process = start(command("--user", "ana"), {**environment, "PYTHONPATH": path})
    answers = talk(process, INITIALIZE, CALL)
    rest, errors = process.communicate(timeout=30)
    assert [json.loads(line)["id"] for line in answers] == [1, 2]
    assert "Nothing is remembered" in answers[1]
    assert rest == ""
    assert "embedding cat" in errors
    assert "from a child" in errors
    assert "Traceback" not in errors
    assert process.returncode == 0


def test_at_a_terminal_it_says_what_it_waits_for(environment: dict[str, str]) -> None:
    """In one line on stderr, with what to write into a client's settings; Ctrl-C ends it."""
    keyboard, terminal = os.openpty()
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command("--user", "ana"), env=environment, stdin=terminal, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "waits for an MCP client on stdin and stdout" in line
    assert '"args": ["mcp", "--user", "ana"]' in line
    assert "Ctrl-C ends it" in line
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    os.close(keyboard)
    os.close(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_cleanly(environment: dict[str, str], number: signal.Signals) -> None:
    """While it waits for the client's next line: no traceback, nothing on stdout, exit code 0."""
    process = start(command("--user", "ana"), environment)
    (answer,) = talk(process, INITIALIZE)
    assert json.loads(answer)["id"] == 1
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.wait(timeout=10) == 0
    assert (process.stdout.read(), process.stderr.read()) == ("", "")
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def test_a_memory_that_cannot_be_opened_is_one_line_on_stderr(environment: dict[str, str], tmp_path: Path) -> None:
    """Hosts show stderr to their user."""
    (tmp_path / "file").touch()
    done = subprocess.run(
        command("--user", "ana", "--home", tmp_path / "file"), env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert CAT not in done.stderr
