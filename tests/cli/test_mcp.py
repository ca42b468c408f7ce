"""`mcp` and `mcp-token` on the command line: what is refused before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cli

pytest.importorskip("mcp", reason='needs pip install "persona-memory[mcp]"')


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ((), 2, "whose memory? pass --user ID"),
        (("--user", "ana", "--tokens", "t.toml", "--http", "127.0.0.1:0"), 2, "whose memory?"),
        (("--tokens", "t.toml"), 2, "--tokens goes with --http"),
        (("--user", "ana", "--http", "8765"), 2, "pass HOST:PORT"),
        (("--user", "ana", "--http", "127.0.0.1:99999"), 2, "pass HOST:PORT"),
        (("--user", "ana", "--http", "0.0.0.0:0"), 1, "give each client a token"),
        (("--http", "127.0.0.1:0", "--tokens", "missing.toml"), 1, "cannot be read"),
        (("--user", " "), 1, "user_id is empty"),
        (("--http", "192.0.2.1:0", "--tokens", "tokens.toml"), 1, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_what_cannot_be_served_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, says: str
) -> None:
    """One line says what to pass instead."""
    monkeypatch.chdir(tmp_path)
    cli("mcp-token", "--user", "ana", "--tokens", "tokens.toml")
    done = cli("mcp", *options)
    assert done.code == code
    assert says in " ".join(done.err.replace("│", " ").split())
    assert done.out == ""


def test_a_token_is_printed_once(cli: Cli, tmp_path: Path) -> None:
    """On stdout by itself, so that a script can take it; the file keeps its hash, its person and its end."""
    file = tmp_path / "tokens.toml"
    done = cli("mcp-token", "--user", "ana", "--namespace", "acme", "--days", "90", "--tokens", file)
    assert done.code == 0
    assert done.out.startswith("pm_")
    assert done.out.count("\n") == 1
    written = file.read_text()
    assert done.out.strip() not in written
    assert 'user = "ana"\nnamespace = "acme"\nexpires = 20' in written
    assert cli("mcp-token", "--user", "ana", "--tokens", tmp_path / "none" / "x").code == 1
