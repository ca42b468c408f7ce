"""How a figure was made: command, commit, versions, machine. No path of the machine, no name of its user."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess  # nosec B404 # for git, below
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("persona-memory", "numpy", "torch", "transformers", "qdrant-client", "fsrs")


OUTPUTS = ("--json", "--markdown", "--plot")
"""Options that say only where a report goes: they are no part of how it was made."""


def provenance(command: Sequence[str] | None = None) -> dict[str, str]:
    """Command, commit, date, versions and machine of this run.

    The command can be pasted where its files lie; where the report went is left out of it.
    """
    words = ["persona-memory", *sys.argv[1:]] if command is None else list(command)
    return {
        "command": shlex.join(_portable(word) for word in _making(words)),
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        "machine": f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores",
    }


def _making(words: Sequence[str]) -> Iterator[str]:
    """The command without `OUTPUTS`; --json is a flag of the command line, and names a file in benchmarks."""
    before, benchmark = "", words[0] == "python"
    for word in words:
        names_file = before in OUTPUTS and (before != "--json" or benchmark)
        if word.partition("=")[0] not in OUTPUTS and not names_file:
            yield word
        before = word


def _portable(word: str) -> str:
    """The word, an absolute path as its last part."""
    return Path(word).name if Path(word).is_absolute() else word


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str:
    """The commit of the source that runs; "unknown" for an installed package, also inside somebody's repository."""
    source = Path(__file__)
    try:
        _git(source.parent, "ls-files", "--error-unmatch", source.name)
        return _git(source.parent, "describe", "--always", "--dirty", "--abbrev=8")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def code() -> str:
    """The commit, with a hash of what was changed since: what an interrupted run must share to be gone on with."""
    found = commit()
    if not found.endswith("-dirty"):
        return found
    return f"{found}-{hashlib.sha256(_git(Path(__file__).parent, 'diff', 'HEAD').encode()).hexdigest()[:12]}"


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(  # nosec B603 B607 # fixed words and our own folder; whose git it is, is up to PATH
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
    )  # fmt: skip
    return done.stdout.strip()
