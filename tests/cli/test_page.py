"""The page about the command line: its commands run as they stand, and it names all of them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from persona_memory.cli.app import app

from .conftest import Cli
from .test_importing import MESSAGES, chatgpt, locomo

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_run(
    cli: Cli, ana: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in a folder with the files that they name; each ends with 0."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # vectors of evaluations are kept there
    (tmp_path / ".persona-memory").symlink_to(home)
    dialogue = locomo()
    dialogue[0]["sample_id"] = "conv-26"
    files = {"messages.json": MESSAGES, "conversations.json": chatgpt("Hello", "Hi!"), "locomo10.json": dialogue}
    for name, content in files.items():
        Path(name).write_text(json.dumps(content), encoding="utf-8")
    lines = re.findall(r"^\$ persona-memory (.+)$", PAGE, re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        done = cli(*shlex.split(line))
        assert done.code == 0, f"{line}: {done.err}"


def test_the_page_names_every_command() -> None:
    """In the order in which --help lists them."""
    commands = [one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands]
    assert re.findall(r"^\| `([\w-]+)` \| ", PAGE, re.MULTILINE)[: len(commands)] == commands
