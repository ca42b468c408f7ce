"""Commands that only look: recall, show, jobs, export."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from persona_memory import PersonaMemory
from persona_memory.cli import output
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.processes.shell import environment

from .conftest import SAID, Cli


def test_recall_shows_what_was_found_and_why(cli: Cli, ana: str) -> None:
    """A table of hits with the parts of their scores, the routing decision, the times."""
    done = cli("recall", "--user", ana, "Where do I live?")
    assert done.code == 0
    assert "I live in Porto" in done.out
    assert "words 0." in done.out
    assert "route: context, all that is relevant fits" in done.out
    assert "rank" in done.out


def test_recall_as_json_has_the_reasons(cli: Cli, ana: str) -> None:
    """Score parts, date, speaker, message id, sources, route: what a program needs, with ISO times."""
    found = json.loads(cli("recall", "--user", ana, "--json", "Where do I live?").out)
    turn = next(hit for hit in found["hits"] if hit["kind"] == "turn")
    assert turn["text"] == SAID[0][1]
    assert sum(turn["parts"].values()) == pytest.approx(turn["score"], abs=1e-6)
    assert {"speaker", "message_id", "thread_id"} <= turn.keys()
    assert datetime.fromisoformat(turn["at"]).tzinfo is not None
    assert (turn["sources"], turn["role"]) == ([1], "user")
    assert found["route"]["name"] == "context"
    assert found["route"]["reason"]
    assert "Porto" in found["text"]
    assert found["tokens"] <= 800


def test_recall_keeps_to_the_budget_it_is_given(cli: Cli, ana: str) -> None:
    """Nothing fits into one token, and the route says so."""
    found = json.loads(cli("recall", "--user", ana, "--json", "--max-tokens", 1, "Where do I live?").out)
    assert (found["text"], found["tokens"], found["route"]["name"]) == ("", 0, "context_overflow")


def test_show_lists_all_people(cli: Cli, ana: str) -> None:
    """Without a person, everybody with what is learnt of them."""
    assert "ana" in cli("show").out
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "learnt": 4}]


def test_show_on_an_empty_home_says_how_to_begin(cli: Cli) -> None:
    """The first command of a new user is no error."""
    done = cli("show")
    assert done.code == 0
    assert "persona-memory chat --user you" in done.out


@pytest.mark.parametrize(("width", "missing"), [(60, {"basis", "kind"}), (80, {"kind"}), (100, set[str]())])
def test_words_stay_whole_in_a_narrow_terminal(
    cli: Cli, ana: str, monkeypatch: pytest.MonkeyPatch, width: int, missing: set[str]
) -> None:
    """Columns that matter least are left out instead."""
    monkeypatch.setattr(output.out, "width", width)
    shown = cli("show", "--user", ana).out
    assert max(map(len, shown.splitlines())) <= width
    assert all(word in shown.split() for word in "demographics.location Porto hiking recursion called Rex".split())
    assert {"basis", "kind"} - set(shown.split()) <= missing


def test_a_terminal_without_unicode_is_no_reason_to_fail(home: Path, ana: str) -> None:
    """What it lacks is shown as "?"; JSON says it with escapes, and loses nothing."""
    with PersonaMemory.open(home, embeddings="hashing", worker=False) as memory:
        memory.observe([("user", "I love crème brûlée … 🍮")], user_id=ana, thread_id="t2")
    for command in ("show", "export"):
        line = [sys.executable, "-m", "persona_memory", command, "--user", ana]
        settings = environment(home) | {"PYTHONIOENCODING": "ascii"}
        done = subprocess.run(line, env=settings, capture_output=True, timeout=100, check=True)
        assert done.stderr == b""
    assert json.loads(done.stdout)["messages"][-1]["content"] == "I love crème brûlée … 🍮"


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        (("show",), 0, "Nobody is known yet. `persona-memory chat --user you` begins.\n"),
        (("show", "--json"), 0, "[]\n"),
        (("jobs",), 0, "No job waits.\n"),
        (("jobs", "--retry", "7"), 1, ""),
        (("show", "--user", "ana"), 1, ""),
        (("recall", "--user", "ana", "hello"), 1, ""),
        (("export", "--user", "ana"), 1, ""),
        (("forget", "--user", "ana", "--everything", "--yes"), 1, ""),
    ],
)
def test_who_only_looks_makes_no_memory(
    cli: Cli, tmp_path: Path, command: tuple[str, ...], code: int, out: str
) -> None:
    """Of a mistyped folder, or of a mistyped file."""
    for where in (("--home", tmp_path / "typo"), ("--url", f"sqlite:///{tmp_path / 'typo' / 'my.db'}")):
        done = cli(*command, *where)
        assert (done.code, done.out) == (code, out)
        assert f"there is no memory in {str(tmp_path / 'typo')!r} yet. --home names another folder" in done.err
        assert done.err.count("\n") == 1
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("part", "shown", "not_shown"),
    [
        ("profile", "demographics.location", "turns: 4 learnt"),
        ("knowledge", "recursion", "demographics.location"),
        ("memories", "Lives in Porto", "demographics.location"),
        ("jobs", "No job waits.", "Lives in Porto"),
    ],
)
def test_show_can_show_one_part(cli: Cli, ana: str, part: str, shown: str, not_shown: str) -> None:
    """Each part alone; all of them without a part."""
    done = cli("show", part, "--user", ana)
    assert shown in done.out
    assert not_shown not in done.out
    assert shown in cli("show", "--user", ana).out


def test_show_as_json_holds_every_part(cli: Cli, ana: str) -> None:
    """The same values as Python gives, as JSON."""
    found = json.loads(cli("show", "--user", ana, "--json").out)
    assert found.keys() == {"user_id", "profile", "knowledge", "memories", "jobs"}
    location = next(entry for entry in found["profile"] if entry["field"] == "demographics.location")
    assert (location["value"], location["evidence"], location["basis"]) == ("Porto", [1], "stated")
    assert {topic["name"] for topic in found["knowledge"]["topics"]} >= {"recursion"}
    assert json.loads(cli("show", "memories", "--user", ana, "--json").out).keys() == {"user_id", "memories"}


def test_show_as_of_a_past_moment_shows_the_profile_of_then(cli: Cli, home: Path) -> None:
    """Two statements, two moments, two profiles."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        for day, text in (("2026-01-10", "I live in Porto."), ("2026-03-10", "I moved to Lisbon.")):
            memory.observe([("user", text)], user_id="ana", thread_id=day, at=datetime.fromisoformat(day))
            memory.flush(timeout=60)

    def location(*as_of: str) -> list[str]:
        found = json.loads(cli("show", "profile", "--user", "ana", "--json", *as_of).out)
        return [entry["value"] for entry in found["profile"] if entry["field"] == "demographics.location"]

    assert location("--as-of", "2026-01-01") == []
    assert location("--as-of", "2026-02-01") == ["Porto"]
    assert location("--as-of", "2026-03-10T00:00:00+00:00") == ["Lisbon"]
    assert location() == ["Lisbon"]


@pytest.mark.parametrize(
    "command",
    [
        ("show", "--user", "nobody"),
        ("show", "--user", "nobody", "--json"),
        ("recall", "--user", "nobody", "hello"),
        ("export", "--user", "nobody"),
        ("jobs", "--user", "nobody"),
        ("forget", "--user", "nobody", "--everything", "--yes"),
    ],
)
def test_an_unknown_person_is_an_error(cli: Cli, ana: str, home: Path, command: tuple[str, ...]) -> None:
    """A mistyped id must not look like an empty memory, nor make one."""
    done = cli(*command)
    assert done.code == 1
    assert f"nobody called 'nobody' is known in {home}" in done.err
    assert done.out == ""
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "learnt": 4}]


def test_export_and_import_again_is_the_same_conversation(cli: Cli, ana: str, tmp_path: Path) -> None:
    """To stdout, or to a file; the file, imported into an empty home, gives the same turns and what was learnt."""
    printed = json.loads(cli("export", "--user", ana).out)
    path = tmp_path / "ana.json"
    done = cli("export", "--user", ana, "--output", path)
    assert "wrote 4 messages" in done.err
    assert json.loads(path.read_text(encoding="utf-8")) == printed
    assert [(one["role"], one["content"]) for one in printed["messages"]] == SAID

    other = tmp_path / "other"
    assert cli("import", "openai", path, "--home", other).code == 0
    again = json.loads(cli("export", "--user", ana, "--home", other).out)
    assert [{**one, "id": None} for one in again["messages"]] == [{**one, "id": None} for one in printed["messages"]]
    assert again["profile"] == printed["profile"]
    assert [one["text"] for one in again["memories"]] == [one["text"] for one in printed["memories"]]


def test_an_export_imported_where_it_comes_from_changes_nothing(cli: Cli, ana: str, tmp_path: Path) -> None:
    """Turns that had no ids are known by what was said before them."""
    path = tmp_path / "ana.json"
    cli("export", "--user", ana, "--output", path)
    assert "4 messages of 1 person read, 0 new" in cli("import", "openai", path).err
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "learnt": 4}]


def test_export_to_a_place_that_cannot_be_written_says_so(cli: Cli, ana: str, tmp_path: Path) -> None:
    """The path and the reason; no half a file."""
    done = cli("export", "--user", ana, "--output", tmp_path / "missing" / "ana.json")
    assert done.code == 1
    assert "cannot write" in done.err
    assert "No such file or directory" in done.err
