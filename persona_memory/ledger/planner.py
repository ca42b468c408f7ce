"""What SQLite's query planner should know of a ledger: how few rows are left to do, and how long a log becomes.

Without statistics it takes any index that begins with the person for as good as the index of pending turns, and reads
a whole log to find three turns. `ANALYZE` would measure a ledger that is still empty; these are round figures of one
that is in use. Postgres keeps statistics of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

ROWS: Mapping[str, str] = {
    "sqlite_autoindex_events_1": "100000 100000 1000 1",
    "sqlite_autoindex_events_2": "100000 100000 1000 2 1",
    "events_by_thread": "100000 100000 1000 50 1",
    "events_by_chain": "100000 100000 1000 1",
    "events_by_kind": "100000 100000 1000 300 1",
    "events_pending": "500 500 5 1",
    "events_unembedded": "5000 5000 50 1",
    "events_unprofiled": "5000 5000 50 1",
}
"""By index: rows in all, then rows that share its first column, its first two columns, …"""


def inform(tx: Connection) -> None:
    """Leave the figures where SQLite looks for them; a ledger that has them is left as it is."""
    known = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'"
    if tx.exec_driver_sql(known).scalar_one():
        return
    tx.exec_driver_sql("ANALYZE meta")  # makes the table
    rows = [("events", index, figures) for index, figures in ROWS.items()]
    tx.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", rows)
    tx.exec_driver_sql("ANALYZE sqlite_master")  # this connection reads it now, others when they open
