"""What was stored cannot take hold of the terminal that it is shown on."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from pathlib import Path

import pytest

from persona_memory import PersonaMemory, Retry
from persona_memory.cli.output import _console, complain
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel

from ..attacks.corpus import TERMINAL
from .conftest import Cli, Done

TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
EVE = "\u202eneb\x1b[31m"


def controls(text: str) -> list[str]:
    """What a terminal would obey, but line breaks."""
    return [one for one in text if (unicodedata.category(one) == "Cc" and one != "\n") or one in TURNING]


def assert_plain(done: Done) -> None:
    assert controls(done.out) == []
    assert controls(done.err) == []


@pytest.fixture
def hostile(home: Path) -> str:
    """Somebody whose id, memories, profile, topics, speakers and failures all reach for the terminal."""

    def fail(*_: object) -> str:
        raise RuntimeError(f"the provider says {TERMINAL[0]}")

    model = ScriptedChatModel(answers=fail)
    options = {"embeddings": HashingEmbedder(), "worker": False, "durability": "NORMAL", "retry": Retry(1, 0.0)}
    with PersonaMemory.open(home, **options) as memory:  # type: ignore[arg-type]
        for text in TERMINAL:
            memory.remember(f"Gotham is {text}", user_id=EVE)
            memory.observe([{"role": "other", "name": text, "content": f"Gotham: {text}"}], user_id=EVE)
        memory.set_field("demographics.location", TERMINAL[0], user_id=EVE)
        memory.set_field("personality.interests", list(TERMINAL), user_id=EVE)
        memory.flush(timeout=60)
    with PersonaMemory.open(home, model=model, **options) as memory:  # type: ignore[arg-type]
        memory.observe([("user", f"Gotham, again: {TERMINAL[1]}")], user_id=EVE)
        memory.flush(timeout=60)
        assert any(job.state == "parked" for job in memory.jobs())
    return EVE


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["show", "--user", EVE],
        ["show", "--user", EVE, "--json"],
        ["recall", "--user", EVE, "What is Gotham?"],
        ["recall", "--user", EVE, "--json", "What is Gotham?"],
        ["export", "--user", EVE],
        ["jobs"],
        ["jobs", "--json"],
        ["forget", "demographics.location", "--user", EVE, "--yes"],
        ["forget", "--everything", "--user", EVE, "--yes"],
    ],
    ids=" ".join,
)
def test_no_command_prints_what_a_terminal_obeys(cli: Cli, hostile: str, command: list[str]) -> None:
    """Tables and JSON alike; of what was stored it is seen that something stood there."""
    done = cli(*command)
    assert done.code == 0, done.err
    assert_plain(done)
    if "--json" in command or "export" in command:
        assert repr(EVE)[1:-1] in str(json.loads(done.out))
        assert "\\u001b" in done.out
    else:
        assert "\ufffd" in done.out


def test_a_chat_shows_no_control_that_a_model_writes_or_quotes(cli: Cli, home: Path) -> None:
    """The offline model quotes what it is told."""
    for text in TERMINAL[:4]:
        assert_plain(cli("chat", "--user", "ana", stdin=f"Gotham is {text}\nWhat is Gotham?\n"))


def test_an_import_that_is_refused_is_told_without_controls(cli: Cli, tmp_path: Path) -> None:
    """Errors show values of the file."""
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{"role": "user", "content": "Hello.", "user_id": TERMINAL[0]}]), encoding="utf-8")
    done = cli("import", "openai", path, "--user", "ana")
    assert done.code == 1
    assert_plain(done)


@pytest.mark.parametrize("text", TERMINAL)
def test_the_console_styles_its_own_words_and_nothing_of_what_it_shows(text: str) -> None:
    """On a terminal, too: the only escapes are those of the style that was asked for."""
    file = io.StringIO()
    console = _console(file=file, force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(text, style="bold", markup=False, highlight=False)
    assert controls(re.sub(r"\x1b\[[01]?m", "", file.getvalue())) == []
    assert "\x1b[1m" in file.getvalue()


def test_an_error_shows_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it tells of."""
    complain(f"nobody is called {TERMINAL[0]}")
    assert controls(capsys.readouterr().err) == []
