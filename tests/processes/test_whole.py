"""What a newcomer runs first: the demo, and the import of a real data set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from persona_memory.retrieval.embeddings import weights_folder
from tests.processes.shell import ROOT, command, environment, finished, log_of, opened, popen

DATA = Path(os.environ.get("PERSONA_MEMORY_DATA", ROOT.parent / "shared" / "data")) / "locomo" / "locomo10.json"
QUESTION = "When did Caroline go to the LGBTQ support group?"
needs_data = pytest.mark.skipif(not DATA.is_file(), reason=f"{DATA} is not there; set PERSONA_MEMORY_DATA")
needs_weights = pytest.mark.skipif(weights_folder() is None, reason="MiniLM's weights are not installed")


def test_the_console_script_is_there_as_a_module() -> None:
    """`python -m persona_memory` and `persona-memory` are the same."""
    done = subprocess.run(
        [sys.executable, "-m", "persona_memory", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout[:15], done.stderr) == (0, "persona-memory ", "")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_plays_and_all_its_checks_hold(tmp_path: Path) -> None:
    """Exit code 0, nothing on stderr, and as many checks held as were made. Its second act is in the suite in short."""
    pytest.importorskip("langchain")
    home = tmp_path / "home"
    demo = popen(home, "demo", "--fast", "--short", "--home", home)
    printed, errors = demo.communicate(timeout=280)
    (line,) = [one for one in printed.splitlines() if one.endswith("checks held")]
    held, _, made, *_ = line.split()
    assert (demo.returncode, held) == (0, made), printed
    assert int(made) > 20
    assert not [one for one in errors.splitlines() if not one.startswith("persona-memory: No local embedding model")]


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_locomo_is_imported_and_asked(tmp_path: Path) -> None:
    """All 5,882 turns of ten people are stored, learnt and indexed; a second import changes nothing."""
    home = tmp_path / "home"
    assert finished(command(home, "import", "locomo", DATA), timeout=280) == 0, log_of(home)
    assert "5882 messages of 10 people read, 5882 new" in log_of(home)
    with opened(home) as memory:
        people = [f"conv-{n}" for n in (26, 30, 41, 42, 43, 44, 47, 48, 49, 50)]
        assert memory.users() == people
        left = memory.backlog()
        assert (left.jobs, left.turns, left.unlearnt, left.unindexed) == (0, 5882, 0, 0)
        found = memory.recall(QUESTION, user_id="conv-26")
        hit = next(hit for hit in found.hits[:5] if hit.message_id == "D1:3")
        assert (hit.speaker, f"{hit.at:%Y-%m}") == ("Caroline", "2023-05")
    assert finished(command(home, "import", "locomo", DATA)) == 0
    assert "5882 messages of 10 people read, 0 new" in log_of(home)


@needs_data
@needs_weights
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_locomo_dialogue_is_recalled_by_meaning(tmp_path: Path) -> None:
    """With the local embedding model turn D1:3 is among the first hits, with date, speaker and reasons."""
    home, path = tmp_path / "home", tmp_path / "one.json"
    path.write_text(json.dumps(json.loads(DATA.read_text(encoding="utf-8"))[:1]), encoding="utf-8")
    embeddings = ("--embeddings", "minilm", "--home", str(home))
    run = [sys.executable, "-m", "persona_memory"]
    options = {"cwd": ROOT, "env": environment(home), "capture_output": True, "text": True, "timeout": 280}
    subprocess.run([*run, "import", "locomo", str(path), *embeddings], check=True, **options)  # type: ignore[call-overload]
    asked = [*run, "recall", "--user", "conv-26", "--json", QUESTION, *embeddings]
    done = subprocess.run(asked, check=True, **options)  # type: ignore[call-overload]
    found = json.loads(done.stdout)["hits"][:5]
    hit = next(hit for hit in found if hit["message_id"] == "D1:3")
    assert (hit["speaker"], hit["at"][:8]) == ("Caroline", "2023-05-")
    assert {"dense", "words"} <= {name for name, value in hit["parts"].items() if value > 0}
