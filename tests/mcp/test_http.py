"""Streamable HTTP on loopback: tokens say who comes, and people who come at once never meet."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import MCPError

from persona_memory import InvalidInput
from persona_memory_mcp import TokenFile, add_token

from .conftest import Serve, said

PEOPLE = [("ana", "acme"), ("ben", "acme"), ("ana", "other")]
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """The file of tokens."""
    return tmp_path / "tokens.toml"


def post(url: str, token: str | None = None, *, body: Any = LIST, **headers: str) -> Any:
    """A bare request."""
    given = {**HEADERS, **headers, **({} if token is None else {"Authorization": f"Bearer {token}"})}
    return httpx2.post(url, content=json.dumps(body), headers=given)


MODES = ["auto", "legacy", "auto"]
"""The protocol's newest version, and the one that most clients speak today."""


async def test_people_who_come_at_once_reach_their_own_memory_only(serve: Serve, tokens: Path) -> None:
    """Three people of two tenants, two with the same user id, ten rounds at once: nobody reads another's words."""
    keys = [add_token(tokens, user_id=user, namespace=namespace) for user, namespace in PEOPLE]
    server = serve("--tokens", tokens)
    words = ["teal elephant", "violet walrus", "crimson otter"]

    async def live(place: int) -> str:
        seen = []
        async with server.client(keys[place], mode=MODES[place]) as client:
            for number in range(10):
                statement = f"The user's {number}th favourite is the {words[place]}."
                await client.call_tool("remember", {"statement": statement, "user_id": "ana", "namespace": "acme"})
                seen.append(said(await client.call_tool("recall", {"message": "What is my favourite?"})))
                seen.append(said(await client.read_resource("persona-memory://memories")))
        return "\n".join(seen)

    for place, seen in enumerate(await asyncio.gather(*map(live, range(3)))):
        assert [word in seen for word in words] == [one == place for one in range(3)]


async def test_who_has_no_valid_token_stays_outside(serve: Serve, tokens: Path) -> None:
    """401 without a token, with an unknown, an expired and a withdrawn one; a new one counts at once."""
    valid = add_token(tokens, user_id="ana")
    expired = add_token(tokens, user_id="ana", expires=datetime.now(UTC) - timedelta(seconds=2))
    server = serve("--tokens", tokens)
    assert post(server.url, valid).status_code == 200
    for token in (None, "pm_unknown", expired, f"{valid}x"):
        refused = post(server.url, token)
        assert refused.status_code == 401
        assert "invalid_token" in refused.headers["WWW-Authenticate"]
    with pytest.raises((MCPError, ExceptionGroup)):
        async with server.client("pm_unknown") as client:
            await client.list_tools()
    tokens.write_text("")
    assert post(server.url, valid).status_code == 401
    renewed = add_token(tokens, user_id="ben", namespace="new")
    async with server.client(renewed) as client:
        assert said(await client.call_tool("remember", {"statement": "Ben likes tea."})).startswith("Remembered")
    tokens.write_text("nonsense")
    assert post(server.url, renewed).status_code == 401


async def test_without_tokens_it_serves_one_person_on_this_machine(serve: Serve) -> None:
    """A page in a browser that rebinds its name to loopback is refused."""
    server = serve("--user", "ana")
    async with server.client() as client:
        await client.call_tool("remember", {"statement": "Ana's cat is called Miso."})
        assert "Miso" in said(await client.call_tool("recall", {"message": "What is my cat called?"}))
    assert post(server.url).status_code == 200
    assert post(server.url, Host="evil.example:80").status_code == 421
    assert post(server.url, Origin="http://evil.example").status_code == 403
    assert post(server.url, body={**LIST, "params": {"x": "x" * 5_000_000}}).status_code == 413


async def test_a_broken_ledger_is_told_without_a_traceback(serve: Serve, home: Path) -> None:
    """Neither the client nor the server's stderr sees one."""
    server = serve("--user", "ana")
    connection = sqlite3.connect(home / "memory.db")
    connection.execute("ALTER TABLE users RENAME TO broken")
    connection.close()
    async with server.client() as client:
        result = await client.call_tool("recall", {"message": "cat"})
    assert result.is_error
    assert said(result).endswith("The memory cannot be reached right now.")
    server.process.terminate()
    _, errors = server.process.communicate(timeout=20)
    assert "recall failed" in errors
    assert "Traceback" not in errors


async def test_it_ends_cleanly_while_clients_are_connected(serve: Serve) -> None:
    """Exit code 0, and it says so."""
    server = serve("--user", "ana")
    async with server.client() as client:
        await client.list_tools()
        server.process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.to_thread(server.process.communicate, timeout=20)
    assert server.process.returncode == 0
    assert errors.splitlines() == ["persona-memory mcp: stopped"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("token = 1", "token"),
        ('[[token]]\nsha256 = "abc"\nuser = "ana"', "token.0.sha256"),
        ('[[token]]\nuser = "ana"', "token.0.sha256"),
        (f'[[token]]\nsha256 = "{"a" * 64}"\nuser = ""', "token.0.user"),
        (f'[[token]]\nsha256 = "{"a" * 64}"\nuser = "ana"\nadmin = true', "token.0.admin"),
        (f'[[token]]\nsha256 = "{"a" * 64}"\nuser = "ana"\nexpires = 2027-01-01', "token.0.expires"),
        (f'[[token]]\nsha256 = "{"a" * 64}"\nuser = "ana"\n' * 2, "twice"),
        ("[[", "no TOML"),
    ],
)
def test_a_malformed_file_of_tokens_is_refused(tokens: Path, content: str, says: str) -> None:
    """The message names the place; nothing is added to such a file."""
    tokens.write_text(content)
    with pytest.raises(InvalidInput, match=says):
        TokenFile(tokens)
    with pytest.raises(InvalidInput, match=says):
        add_token(tokens, user_id="ben")
    assert tokens.read_text() == content


async def test_a_file_of_tokens_holds_no_token(tokens: Path) -> None:
    """Only its owner reads it; names in any script come back as they were."""
    name = 'Åsa "the\\boss" 小'
    token = add_token(tokens, user_id=name, namespace="acme")
    assert token not in tokens.read_text()
    assert tokens.stat().st_mode & 0o77 == 0
    found = await TokenFile(tokens).verify_token(token)
    assert found is not None
    assert (found.subject, found.claims) == (name, {"namespace": "acme"})
    assert await TokenFile(tokens).verify_token("pm_else") is None
