"""A venv for each side: installing, its size, its packages, the time of an import. A peer may fail; that is said."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLIENT = "langchain-openai"
"""What LangMem and ours ask an LLM with; mem0 brings OpenAI's own, which is inside it."""

PEERS = {
    "mem0": ("mem0ai", "faiss-cpu", "chromadb"),
    "LangMem": ("langmem", CLIENT, "numpy"),
}
"""What is installed for a peer; its stores and its model come on top of its own package, which is measured alone."""

SILENT = {"MEM0_TELEMETRY": "False", "GRAPHITI_TELEMETRY_ENABLED": "False"}
"""Telemetry that is on unless one says otherwise."""

ENOUGH_S = 1200
_TOOLS = {"pip", "setuptools", "wheel"}


@dataclass(frozen=True, slots=True)
class Installed:
    """A venv that works.

    Attributes:
        packages, mb: of a plain installation of the package alone, without pip.
        version: of the package.
    """

    python: str
    packages: int
    mb: float
    version: str


def install(name: str, packages: Sequence[str], folder: Path) -> Installed:
    """The venv of this name, made if it is not there; the first package is measured before the others come.

    Ours is always made anew, since it changes.

    Raises:
        RuntimeError: pip failed; the message is its last line.
    """
    home = folder / name.lower()
    python, note = home / "bin" / "python", home / "installed.json"
    if note.exists() and name != "ours":
        return Installed(**json.loads(note.read_text()))
    venv.create(home, with_pip=True, clear=True)
    _pip(python, packages[0])
    listed = json.loads(_run([str(python), "-m", "pip", "list", "--format", "json"]))
    mine = [one for one in listed if one["name"].lower() not in _TOOLS]
    wanted = "persona-memory" if name == "ours" else packages[0].partition("==")[0].lower()
    version = next(one["version"] for one in mine if one["name"].lower() == wanted)
    found = Installed(str(python), len(mine), size_mb(home), version)
    whole = True
    for package in packages[1:]:
        try:
            _pip(python, package)
        except RuntimeError as error:
            whole = False
            print(f"{name}: {package} could not be installed: {error}", file=sys.stderr)
    if whole:  # else the next run tries again
        note.write_text(json.dumps({name: getattr(found, name) for name in found.__slots__}))
    return found


def size_mb(home: Path) -> float:
    """Megabytes of what was installed: everything in site-packages but pip and its like, compiled caches left out."""
    (site,) = home.glob("lib/python*/site-packages")
    total = 0
    for path in site.rglob("*"):
        top = path.relative_to(site).parts[0].split("-")[0].lower()
        if top not in _TOOLS and "__pycache__" not in path.parts and path.is_file() and not path.is_symlink():
            total += path.stat().st_size
    return total / 1e6


def import_seconds(python: str, statement: str, *, times: int = 5) -> tuple[float, float]:
    """(median, fastest) seconds of an interpreter that runs the statement, less those of one that does nothing."""
    told = [import_once(python, statement)[0] for _ in range(times)]
    return sorted(told)[times // 2], min(told)


def import_once(python: str, statement: str) -> tuple[float, float]:
    """(by the clock, of CPU time): seconds of an interpreter that runs it, less those of one that does nothing."""
    empty, full = _seconds([python, "-c", "pass"]), _seconds([python, "-c", statement])
    return full[0] - empty[0], full[1] - empty[1]


def _seconds(command: list[str]) -> tuple[float, float]:
    """By the clock and of CPU time. What an import writes into a home or the current folder goes into its venv."""
    home = str(Path(command[0]).parents[1])
    began, spent = time.perf_counter(), _cpu()
    subprocess.run(command, check=True, capture_output=True, cwd=home, env={**os.environ, **SILENT, "HOME": home})
    return time.perf_counter() - began, _cpu() - spent


def _cpu() -> float:
    """CPU seconds of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pip(python: Path, package: str) -> None:
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package])


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ENOUGH_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"took longer than {ENOUGH_S} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise RuntimeError((lines or ["failed"])[-1])
    return done.stdout
