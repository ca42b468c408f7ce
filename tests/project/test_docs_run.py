"""What the README and the quickstart show is true: their blocks run, in order, in an empty home."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from typer.main import get_command

from persona_memory.cli.app import app
from persona_memory.evaluation import EVALUATIONS
from tests.project.run_blocks import blocks_of, run

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    *(
        f"docs/{page}.md"
        for page in (
            "quickstart",
            "agents",
            "langgraph-platform",
            "mcp",
            "inspector",
            "learning",
            "backends",
            "comparison",
            "operating",
            "ray",
            "reference-model",
            "reliability",
            "scale",
            "serve",
            "vllm",
            "wrap",
        )
    ),
    *(
        f"docs/tutorials/{page}.md"
        for page in (
            "langchain-agent",
            "langgraph-nodes",
            "tutor",
            "show-users-their-memory",
            "erase-a-user",
            "from-mem0-or-langmem",
        )
    ),
    pytest.param("docs/tutorials/context-to-weights.md", marks=pytest.mark.proof),  # trains an adapter
]

SAMPLE = """
```python
x = 1
```

<!-- no-run -->
```python
raise SystemExit("must not run")
```

```bash
exit 3
```

<!-- run -->
```console
$ echo "$((1 + 1))" > out.txt
2
```

````python
y = x + 1
assert y == 2, f"{y}"
````

```text
nothing
```
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path) -> None:
    """A new user who pastes the page block by block sees no error."""
    code = "".join(block.code for block in blocks_of((ROOT / page).read_text(encoding="utf-8")))
    for package, used in {
        "fastapi": "persona_memory_serve",
        "langchain": "langchain.agents",
        "mcp": "from mcp",
        "openai": "from openai",
        "peft": "persona_memory.parametric",
        "ray": "persona_memory_ray",
    }.items():
        if used in code:
            pytest.importorskip(package)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    pythonpath = os.pathsep.join([str(ROOT), str(ROOT / "integrations")])
    env = {**os.environ, "HOME": str(tmp_path), "PERSONA_MEMORY_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    runner = ROOT / "tests/project/run_blocks.py"
    done = subprocess.run(
        [sys.executable, str(runner), str(ROOT / page)],
        cwd=tmp_path,
        env={**env, "PATH": path, "PYTHONPATH": pythonpath},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{page}\n{done.stdout}\n{done.stderr}"
    assert re.search(r"^\d+ blocks ran$", done.stdout, re.MULTILINE)


def test_the_commands_of_the_benchmarks_can_be_pasted() -> None:
    """Nothing in them is left out, their options exist, and what they name is there."""
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (.*)$", page, re.MULTILINE)
    assert len(commands) >= 9
    measure = cast("Any", get_command(app)).commands["eval"]
    for command in commands:
        assert not set("…<>") & set(command), command
        first, second, *words = shlex.split(command)
        if first == "python":
            assert (ROOT / second).is_file(), command
        else:
            assert (first, second) == ("persona-memory", "eval"), command
            assert measure.make_context("eval", words).params["name"] in EVALUATIONS


def test_only_what_is_meant_to_run_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python blocks run in one namespace unless marked, shell blocks only when marked, text never."""
    page = tmp_path / "page.md"
    page.write_text(SAMPLE)
    monkeypatch.chdir(tmp_path)
    assert run(page) == 3
    assert (tmp_path / "out.txt").read_text() == "2\n"


def test_a_failing_block_names_its_line_in_the_page(tmp_path: Path) -> None:
    """The traceback of a block leads to the line of the Markdown file."""
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nfine = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run(page)
    assert caught.traceback[-1].lineno + 1 == 5
    assert [block.line for block in blocks_of(page.read_text())] == [4]
