"""The folder in which evaluations keep what is dear to compute: vectors, and what interrupted runs have done."""

from __future__ import annotations

from pathlib import Path

CACHE = Path("~/.cache/persona-memory")

KEPT_DAYS = 30
"""An interrupted run that nobody has gone on with for so long is forgotten."""

DAY_S = 86_400.0


def unfinished(cache: Path) -> Path:
    """Where interrupted runs keep what they have done."""
    return cache / "unfinished"


def vectors(cache: Path) -> Path:
    """Where the vectors of data sets are kept."""
    return cache / "vectors"


def tidy(cache: Path, *, now: float) -> list[Path]:
    """Delete what no run will read again: runs interrupted long ago, vectors half written; returns the files.

    Args:
        now: POSIX seconds.
    """
    old = [path for path in unfinished(cache).glob("*.jsonl") if _age(path, now) > KEPT_DAYS * DAY_S]
    half = [path for path in vectors(cache).glob("*.*.npy") if _age(path, now) > DAY_S]
    for path in (*old, *half):
        path.unlink(missing_ok=True)
    return [*old, *half]


def _age(path: Path, now: float) -> float:
    """Seconds since it was written; none where another process has just taken it away."""
    try:
        return now - path.stat().st_mtime
    except OSError:
        return 0.0
