"""Steps from one schema version to the next. A sample file of every released version is opened by the tests."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

STEPS: dict[int, Callable[[Connection], None]] = {}
"""From version n (the key) to n + 1. Version 1 is the first release."""


def upgrade(tx: Connection, version: int) -> None:
    """Run every step from `version` up to the current schema, in the caller's transaction."""
    while step := STEPS.get(version):
        step(tx)
        version += 1
