"""A check-up of a whole home: the database, keys, what each person's rows say of each other, the index, the files.

What can be derived from the log is repaired: derived rows are made again, learning and indexing queued, what belongs to
nobody deleted. A hole in the log itself cannot be: only a backup holds what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from persona_memory.keeping import in_files, in_keys, in_ledger
from persona_memory.keeping.findings import Findings, looked
from persona_memory.learning.context import Learning
from persona_memory.types import Checkup

Look = Callable[[Learning, Findings], None]

CHECKS: tuple[tuple[str, Look], ...] = (
    ("database", in_ledger.database),
    ("keys", in_keys.keys),
    ("encrypted values", in_keys.values),
    ("log", in_ledger.log),
    ("rows of nobody", in_ledger.rows_of_nobody),
    ("turns", in_ledger.turns),
    ("derived rows", in_ledger.derived_rows),
    ("jobs", in_ledger.jobs_due),
    ("vectors", in_ledger.vectors),
    ("index", in_files.index),
    ("erasures", in_files.erasures),
    ("adapters", in_files.adapters),
    ("shared starts", in_files.starts),
    ("left behind", in_files.left_behind),
    ("permissions", in_files.permissions),
)
"""In the order in which a repair builds on the one before."""


def doctor(learning: Learning, *, repair: bool = False) -> Checkup:
    """Look at everything; on SQLite at the people of all namespaces, on Postgres at those of the ledger's own.

    Args:
        repair: repair what can be derived from the log.
    """
    return Checkup(tuple(looked(name, partial(look, learning), repair=repair) for name, look in CHECKS))
