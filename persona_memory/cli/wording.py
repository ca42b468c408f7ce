"""How what the library says reads at the command line: the one place that turns arguments into options."""

from __future__ import annotations

import re

_OPTIONS = {"user_id": "--user", "thread_id": "--thread"} | {
    name: f"--{name}" for name in ("home", "url", "namespace", "model", "embeddings", "index")
}
_ARGUMENT = re.compile(rf'\b({"|".join(_OPTIONS)})=(?:"([^"\s]*)"|(…))')


def as_options(said: str) -> str:
    """The text with `--embeddings hashing` where it says `embeddings="hashing"`, and `--user …` for `user_id=…`."""
    return _ARGUMENT.sub(lambda found: f"{_OPTIONS[found[1]]} {found[2] or found[3]}", said)
