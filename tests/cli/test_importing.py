"""`import`: every format, twice, malformed, large; what is stored is durable and learnt."""

from __future__ import annotations

import json
import os
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, Policy
from persona_memory.cli import importing
from persona_memory.retrieval.hashing import HashingEmbedder

from .conftest import SAID, Cli

DATA = Path(os.environ.get("PERSONA_MEMORY_DATA", Path(__file__).parents[3] / "shared" / "data"))
LOCOMO = DATA / "locomo" / "locomo10.json"
QUESTION = "When did Caroline go to the LGBTQ support group?"
needs_locomo = pytest.mark.skipif(not LOCOMO.is_file(), reason=f"{LOCOMO} is not there; set PERSONA_MEMORY_DATA")

MESSAGES = [{"role": role, "content": text} for role, text in SAID]
EVENTS_HOLD_TIMES_OF_RECORDING = {"events": {"recorded_at"}}


def dump(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the moments at which rows were written."""
    with sqlite3.connect(home / "memory.db") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in tables:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            kept = [name for name in columns if name not in EVENTS_HOLD_TIMES_OF_RECORDING.get(table, ())]
            found[table] = sorted(
                database.execute(f"SELECT {', '.join(map(json.dumps, kept))} FROM {table}").fetchall(), key=repr
            )
    database.close()
    return found


def write(path: Path, value: Any) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def chatgpt(*texts: str) -> list[dict[str, Any]]:
    """A ChatGPT export with one conversation in which these were said in turn."""
    mapping: dict[str, Any] = {"root": {"message": None, "parent": None}}
    before = "root"
    for place, text in enumerate(texts):
        message = {
            "id": f"m{place}", "author": {"role": ("user", "assistant")[place % 2]}, "create_time": 1.77e9 + place,
            "content": {"content_type": "text", "parts": [text]},
        }  # fmt: skip
        mapping[f"n{place}"] = {"message": message, "parent": before}
        before = f"n{place}"
    return [{"conversation_id": "c1", "create_time": 1.77e9, "current_node": before, "mapping": mapping}]


def locomo(turns: int = 6) -> list[dict[str, Any]]:
    """A dialogue as LoCoMo writes them, of two sessions."""

    def session(number: int) -> list[dict[str, str]]:
        return [
            {"speaker": ("Caroline", "Melanie")[n % 2], "dia_id": f"D{number}:{n + 1}", "text": f"I like number {n}."}
            for n in range(turns)
        ]

    talk = {
        "speaker_a": "Caroline", "speaker_b": "Melanie",
        "session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": session(1),
        "session_2_date_time": "10:00 am on 9 June, 2023", "session_2": session(2),
    }  # fmt: skip
    return [{"sample_id": "conv-1", "conversation": talk}]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """The arguments of `import` for a small file of each format."""
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("conversations.json", json.dumps(chatgpt(*(text for _, text in SAID))))
    lines = tmp_path / "talk.jsonl"
    lines.write_text("\n".join(map(json.dumps, MESSAGES)), encoding="utf-8")
    return {
        "openai": ("openai", str(write(tmp_path / "talk.json", MESSAGES)), "--user", "ana"),
        "jsonl": ("openai", str(lines), "--user", "ana"),
        "chatgpt": ("chatgpt", str(archive), "--user", "ana"),
        "locomo": ("locomo", str(write(tmp_path / "locomo.json", locomo()))),
    }


@pytest.mark.parametrize("kind", ["openai", "jsonl", "chatgpt", "locomo"])
def test_a_second_import_of_the_same_file_changes_nothing(
    cli: Cli, home: Path, files: dict[str, tuple[str, ...]], kind: str
) -> None:
    """Not a row of any table, not even a counter."""
    first = cli("import", *files[kind])
    assert first.code == 0, first.err
    total = 12 if kind == "locomo" else 4
    assert f"{total} messages of 1 person read, {total} new" in first.err
    before = dump(home)
    assert {len(before["jobs"]), len(before["vectors"]) >= total} == {0, True}
    second = cli("import", *files[kind])
    assert f"{total} messages of 1 person read, 0 new" in second.err
    assert dump(home) == before


def test_progress_is_shown_on_stderr_only(cli: Cli, files: dict[str, tuple[str, ...]]) -> None:
    """A bar each for storing, learning and indexing; stdout stays free."""
    done = cli("import", *files["openai"])
    assert done.out == ""
    assert all(f"{what} " in done.err for what in ("storing", "learning", "indexing"))
    assert "4/4" in done.err


def test_the_bars_count_this_import_only(cli: Cli, tmp_path: Path, files: dict[str, tuple[str, ...]]) -> None:
    """Although other people's turns wait beside it, and are learnt with it."""
    theirs = write(tmp_path / "theirs.json", [*MESSAGES, *MESSAGES, *MESSAGES])
    cli("import", "openai", theirs, "--user", "ben", "--no-learn")
    done = cli("import", *files["openai"])
    bars = [line.split()[-2] for line in done.err.splitlines() if "━" in line]
    assert bars == ["4/4", "4/4", "4/4"]
    assert json.loads(cli("show", "--json").out) == [
        {"user_id": one, "learnt": n} for one, n in (("ana", 4), ("ben", 12))
    ]


def test_an_import_is_noted_once(cli: Cli, files: dict[str, tuple[str, ...]]) -> None:
    """One event with the file's name, however often it is imported."""
    for _ in range(2):
        cli("import", *files["openai"])
    log = json.loads(cli("export", "--user", "ana").out)["events"]
    assert [one["data"] for one in log if one["kind"] == "import"] == [{"source": "talk.json"}]


def test_what_was_forgotten_or_deleted_stays_out_and_is_named(
    cli: Cli, tmp_path: Path, files: dict[str, tuple[str, ...]]
) -> None:
    """How many, and where they can still go: another memory takes them all."""
    cli("import", *files["openai"])
    cli("forget", "t2", "--user", "ana", "--yes")
    done = cli("import", *files["openai"])
    assert "4 messages of 1 person read, 0 new" in done.err
    assert "forgotten or deleted here before: 1." in done.err
    cli("forget", "--everything", "--user", "ana", "--yes")
    done = cli("import", *files["openai"])
    assert (done.code, "forgotten or deleted here before: 4." in done.err) == (0, True)
    assert "import the file into another one (--home or --namespace)" in done.err
    assert "learning" not in done.err
    assert cli("show", "--json").out.strip() == "[]", "nobody comes back by a file that stays out"
    assert "4 new\n" in cli("import", *files["openai"], "--home", tmp_path / "other").err


def test_what_a_paused_person_keeps_out_is_named(cli: Cli, home: Path, files: dict[str, tuple[str, ...]]) -> None:
    """Nothing is stored, and it says why."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        memory.set_policy(Policy(paused=True), user_id="ana")
    done = cli("import", *files["openai"])
    assert (done.code, "because memory is paused or they are no conversation: 4" in done.err) == (0, True)
    assert json.loads(cli("export", "--user", "ana").out)["messages"] == []


def test_what_is_imported_without_learning_is_learnt_later(cli: Cli, files: dict[str, tuple[str, ...]]) -> None:
    """--no-learn stores; `worker --once` learns and indexes."""
    cli("import", *files["openai"], "--no-learn")
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "pending": 4}]
    assert {job["kind"] for job in json.loads(cli("jobs", "--json").out)} == {"learn", "index"}
    assert cli("worker", "--once").code == 0
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "learnt": 4}]
    assert json.loads(cli("jobs", "--json").out) == []


def test_a_file_that_has_grown_adds_what_is_new(cli: Cli, tmp_path: Path) -> None:
    """Messages without ids are known by their places."""
    path = write(tmp_path / "talk.json", MESSAGES)
    cli("import", "openai", path, "--user", "ana", "--no-learn")
    write(path, [*MESSAGES, {"role": "user", "content": "I also love hiking."}, MESSAGES[1]])
    assert "6 messages of 1 person read, 2 new" in cli("import", "openai", path, "--user", "ana", "--no-learn").err


def test_another_memorys_memories_come_in_once(cli: Cli, tmp_path: Path) -> None:
    """mem0's, as statements about the person, learnt like what was said."""
    rows = [
        {"id": "1", "memory": "Name is Ana", "user_id": "ana"},
        {"id": "2", "memory": "Likes tea", "user_id": "ben"},
    ]
    path = write(tmp_path / "mem0.json", {"results": rows})
    assert "2 memories of 2 people read, 2 new" in cli("import", "mem0", path).err
    assert "2 memories of 2 people read, 0 new" in cli("import", "mem0", path).err
    assert json.loads(cli("export", "--user", "ana").out)["profile"]["demographics"]["name"] == "Ana"
    refused = cli("import", "mem0", path, "--user", "ana")
    assert (refused.code, "memory 2: belongs to user 'ben'" in refused.err) == (1, True)
    assert "0 memories of 0 people read" in cli("import", "mem0", write(path, {"results": []})).err


def test_two_files_of_one_name_are_both_kept(cli: Cli, tmp_path: Path) -> None:
    """Their messages stand at the same places of a thread of the same name, and are different ones."""
    for place, text in enumerate(("My bicycle is red.", "My boat is green.")):
        (tmp_path / str(place)).mkdir()
        path = write(tmp_path / str(place) / "messages.json", [{"role": "user", "content": text}, MESSAGES[1]])
        for new in (2, 0):
            done = cli("import", "openai", path, "--user", "ana", "--no-learn")
            assert f"2 messages of 1 person read, {new} new" in done.err
    said = [one["content"] for one in json.loads(cli("export", "--user", "ana").out)["messages"]]
    assert said == ["My bicycle is red.", SAID[1][1], "My boat is green.", SAID[1][1]]


def test_threads_that_take_turns_in_a_file_stay_apart(cli: Cli, tmp_path: Path) -> None:
    """Two threads, line by line in turn: each message once, in its thread."""
    said = [
        {"role": "user", "content": f"Number {n} of {thread}.", "thread_id": thread}
        for n in range(3)
        for thread in ("one", "two")
    ]
    path = write(tmp_path / "talk.json", said)
    for new in (6, 0):
        assert f"{new} new" in cli("import", "openai", path, "--user", "ana", "--no-learn").err
    stored = json.loads(cli("export", "--user", "ana").out)["messages"]
    assert [(one["thread_id"], one["content"]) for one in stored] == [
        (one["thread_id"], one["content"]) for one in said
    ]


def test_a_thread_longer_than_a_batch_is_stored_once(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several transactions, with the same short replies everywhere; a second run stores nothing."""
    monkeypatch.setattr(importing, "BATCH", 7)
    said = [
        {"role": ("user", "assistant")[n % 2], "content": f"Number {n}." if n % 2 == 0 else "OK."} for n in range(40)
    ]
    path = write(tmp_path / "talk.json", said)
    for new in (40, 0):
        assert f"{new} new" in cli("import", "openai", path, "--user", "ana", "--no-learn").err
    stored = json.loads(cli("export", "--user", "ana").out)["messages"]
    assert [one["content"] for one in stored] == [one["content"] for one in said]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"role": "user", "content": "a"}\n{"role": "user"\n', "talk.jsonl, line 2: not valid JSON"),
        ('{"role": "user", "content": "a"}\n{"role": "wizard", "content": "b"}\n', "talk.jsonl, line 2"),
        (
            '{"role": "user", "content": "a"}\n{"role": "user"}\n',
            "talk.jsonl, line 2: message: field 'content' is missing",
        ),
        ("", "the file is empty"),
        ('{"role": "user", "content": "\udce9"}', "not UTF-8"),
    ],
)
def test_a_malformed_file_is_named_with_the_line_and_stores_nothing(
    cli: Cli, home: Path, tmp_path: Path, content: str, says: str
) -> None:
    """Which file, which line, what is wrong; not even the good lines before it are stored."""
    path = tmp_path / "talk.jsonl"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    done = cli("import", "openai", path, "--user", "ana")
    assert done.code == 1
    assert says in done.err
    assert "Traceback" not in done.err
    assert json.loads(cli("show", "--json").out) == []


def test_what_cannot_be_imported_is_refused_with_the_way_out(cli: Cli, tmp_path: Path) -> None:
    """A missing file, a folder, nobody's messages, somebody else's, a format that is another one."""
    talk = write(tmp_path / "talk.json", MESSAGES)
    theirs = write(tmp_path / "theirs.json", {"user_id": "ben", "messages": MESSAGES})
    for command, says in [
        (("openai", tmp_path / "missing.json", "--user", "ana"), "cannot be read (No such file or directory)"),
        (("openai", tmp_path, "--user", "ana"), "Is a directory"),
        (("openai", talk), "pass whose messages these are: --user"),
        (("chatgpt", talk), "add --user ID"),
        (("openai", theirs, "--user", "ana"), "belongs to user 'ben'"),
        (("locomo", talk, "--user", "ana"), "leave out --user"),
        (("locomo", talk), "talk.json: dialogue 1"),
        (("chatgpt", talk, "--user", "ana"), "conversation 1"),
    ]:
        done = cli("import", *command)
        assert (done.code, done.out) == (1, ""), command
        assert says in done.err, command
    assert cli("import", "openai", theirs).code == 0
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ben", "learnt": 4}]


@needs_locomo
def test_a_locomo_dialogue_is_recalled_with_date_and_speaker(cli: Cli, tmp_path: Path) -> None:
    """The first of the ten: turn D1:3, or what was learnt from it, is among the first hits, with reasons."""
    path = write(tmp_path / "one.json", json.loads(LOCOMO.read_text(encoding="utf-8"))[:1])
    assert "419 messages of 1 person read, 419 new" in cli("import", "locomo", path).err
    found = json.loads(cli("recall", "--user", "conv-26", "--json", QUESTION).out)
    hit = next(hit for hit in found["hits"][:5] if hit["message_id"] == "D1:3")
    assert (hit["speaker"], hit["at"][:8], hit["thread_id"]) == ("Caroline", "2023-05-", "conv-26/session_1")
    assert {"dense", "words"} <= {name for name, value in hit["parts"].items() if value > 0}
