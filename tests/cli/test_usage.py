"""Wrong usage is told apart from refusals: exit code 2, with the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from persona_memory import __version__

from .conftest import Cli


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("recall", "hello"), "--user"),
        (("show", "profile"), "add --user ID"),
        (("show", "memories", "--user", "ana", "--as-of", "2026-01-01"), "profile only"),
        (("show", "--user", "ana", "--as-of", "yesterday"), "--as-of"),
        (("show", "everything"), "everything"),
        (("import", "mbox", "x"), "mbox"),
        (("forget", "--user", "ana"), "or --everything"),
        (("forget", "--user", "ana", "m1", "--everything"), "or --everything"),
        (("recall", "--user", "ana", "--max-tokens=-1", "hello"), "'-1' is no number of tokens"),
        (("recall", "--user", "ana", "--max-tokens", "0", "hello"), "'0' is no number of tokens"),
        (
            ("recall", "--user", "ana", "--max-tokens", "hi", "hello"),
            "'hi' is no number of tokens",
        ),
        (("recall", "--user", "ana", " "), "the message is empty"),
        (("jobs", "--retry", "first"), "'first' is no job's number"),
        (("worker", "--plan", "small"), "--plan, --dtype and"),
        (("worker", "--local", ".", "--plan", "large"), "'large' is not one of"),
        (("worker", "--local", ".", "--template-option", "no"), "pass --template-option NAME=VALUE"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, command: tuple[str, ...], says: str) -> None:
    """The message names what is wrong."""
    done = cli(*command)
    assert done.code == 2
    assert says in done.err


def test_help_and_version_need_no_memory(cli: Cli, home: Path) -> None:
    """Nothing is opened or created."""
    assert cli("--version").out == f"persona-memory {__version__}\n"
    commands = ("demo", "chat", "recall", "show", "import", "export", "forget", "worker", "jobs")
    listed = cli("--help").out
    assert all(command in listed for command in commands)
    for command in commands:
        done = cli(command, "--help")
        assert (done.code, done.err) == (0, "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("command", [(), ("show",), ("eval",), ("recall",)])
def test_a_flag_has_no_type_in_the_help(cli: Cli, command: tuple[str, ...]) -> None:
    """It takes no value; what takes one says which."""
    said = cli(*command, "--help").out
    flags = re.findall(r"^│[ *]+--(?:json|help|quick|version)\b.*$", said, re.MULTILINE)
    assert flags
    assert all(re.search(r"--\w+ +[A-Z]\w+ ", line) for line in flags), flags
    assert "bool" not in said.casefold()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("chat", "--user", "ana", "--model", "nonsense"), "write provider:model with one of anthropic, "),
        (("chat", "--user", "ana", "--model", "foo:bar"), "pip install langchain-openai"),
        (("worker", "--once", "--embeddings", "nonsense"), "pass one of: minilm, hashing or provider:model"),
        (("worker", "--once", "--embeddings", "foo:bar"), "write provider:model with one of azure_ai, "),
        (("worker", "--once", "--index", "nonsense"), "index is 'nonsense'; pass 'edge'"),
        (("show", "--url", "nonsense"), "no database URL"),
        (("show", "--url", "mysql://x/y"), "SQLite or Postgres"),
        (("recall", "--user", " ", "hello"), "nobody called ' ' is known"),
        (("chat", "--user", " "), "user_id is empty"),
        (("chat", "--user", ""), "user_id is empty"),
        (("import", "openai", "missing.json", "--user", ""), "user_id is empty"),
    ],
)
def test_names_that_mean_nothing_are_refused(cli: Cli, command: tuple[str, ...], says: str) -> None:
    """A model, an embedder, an index, a database, a person: each message says what to pass."""
    if "--model" in command or "foo:bar" in command:
        pytest.importorskip("langchain")
    done = cli(*command, stdin="hello\n")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert says in done.err


def test_help_of_export_and_import_lead_to_each_other(cli: Cli) -> None:
    """What `export` writes, and how it is read back; which files `import` takes."""
    said = " ".join(cli("export", "--help").out.split())
    assert "persona-memory import openai FILE --home FOLDER" in said
    assert all(name in cli("import", "--help").out for name in ("JSONL", "conversations.json", "locomo10.json"))


def test_the_home_is_an_option_a_variable_or_the_users_own(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--home wins over $PERSONA_MEMORY_HOME, which wins over ~/.persona-memory."""
    cli("worker", "--once", "--home", tmp_path / "option")
    assert (tmp_path / "option" / "memory.db").exists()
    assert not (home / "memory.db").exists()
    cli("worker", "--once")
    assert (home / "memory.db").exists()
    monkeypatch.delenv("PERSONA_MEMORY_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    cli("worker", "--once")
    assert (tmp_path / "me" / ".persona-memory" / "memory.db").exists()
