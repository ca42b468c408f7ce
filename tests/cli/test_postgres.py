"""The same commands on a ledger in Postgres."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Cli
from .test_importing import MESSAGES, write


def test_the_commands_work_on_postgres(cli: Cli, home: Path, tmp_path: Path, postgres_url: str) -> None:
    """Import twice, look, ask, erase: nothing is written to the home folder, and no other namespace sees anything."""
    place = ("--url", postgres_url, "--namespace", f"cli-{tmp_path.parent.name}-{tmp_path.name}")
    path = write(tmp_path / "talk.json", MESSAGES)
    for new in (4, 0):
        done = cli("import", "openai", path, "--user", "ana", *place)
        assert (done.code, f"{new} new" in done.err) == (0, True), done.err
    assert json.loads(cli("show", "--json", *place).out) == [{"user_id": "ana", "learnt": 4}]
    assert "Lives in Porto" in cli("show", "--user", "ana", *place).out
    found = json.loads(cli("recall", "--user", "ana", "--json", "Where do I live?", *place).out)
    assert "Porto" in found["text"]
    assert cli("worker", "--once", *place).code == 0
    unknown = cli("show", "--user", "ana", "--url", postgres_url, "--namespace", "elsewhere")
    assert (unknown.code, "nobody called 'ana' is known in the database" in unknown.err) == (1, True)
    erased = cli("forget", "--user", "ana", "--everything", "--yes", *place)
    assert (erased.code, "Postgres" in erased.out) == (0, True)
    assert json.loads(cli("show", "--json", *place).out) == []
    assert list(home.iterdir()) == []


def test_a_server_that_does_not_answer_is_named_without_its_password(cli: Cli) -> None:
    """One line on stderr, exit code 1."""
    pytest.importorskip("psycopg")
    done = cli("show", "--url", "postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert done.code == 1
    assert done.err.startswith("persona-memory: postgresql+psycopg://me:***@127.0.0.1:1/none")
    assert "secret" not in done.err
