"""Runs the code blocks of a Markdown file in order: `python run_blocks.py README.md`.

Python blocks share one namespace. Shell blocks (bash, console) run only where the line before says `<!-- run -->`; a
Python block is left out where it says `<!-- no-run -->`. Line numbers in tracebacks are those of the Markdown file.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(
    r"^(?P<mark><!-- (?:no-)?run -->\n+)?(?P<fence>`{3,})(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
SHELLS = {"bash", "console", "sh"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block that is to be run; `line` is the 1-based line of its first line of code."""

    language: str
    code: str
    line: int


def blocks_of(markdown: str) -> list[Block]:
    """The blocks that are to be run, in order."""
    found = []
    for match in FENCE.finditer(markdown):
        marked = (match["mark"] or "").strip()
        runs = marked == "<!-- run -->" if match["language"] in SHELLS else marked != "<!-- no-run -->"
        if runs and match["language"] in SHELLS | {"python"}:
            found.append(Block(match["language"], match["code"], markdown.count("\n", 0, match.start("code")) + 1))
    return found


def commands_of(block: Block) -> str:
    """The shell script of a block: in a console session the lines after `$ `, else all of it."""
    if block.language != "console":
        return block.code
    return "\n".join(line.removeprefix("$ ") for line in block.code.splitlines() if line.startswith("$ "))


def run(path: Path) -> int:
    """Runs the file's blocks and returns how many there were; the first that fails ends it with its own error."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    blocks = blocks_of(path.read_text(encoding="utf-8"))
    for block in blocks:
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.code, str(path), "exec", dont_inherit=True), namespace)
        else:
            print(f"{path.name}:{block.line}: {commands_of(block)}", flush=True)
            subprocess.run(["bash", "-euc", commands_of(block)], check=True)
    return len(blocks)


if __name__ == "__main__":
    print(f"{run(Path(sys.argv[1]))} blocks ran")
