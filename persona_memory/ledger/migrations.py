"""Steps from one schema version to the next. A sample file of every released version is opened by the tests."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text

from persona_memory.errors import LedgerError
from persona_memory.ledger.schema import adapters, adapters_by_name, outages, routes, spending, spending_totals


def _with_adapters(tx: Connection) -> None:
    adapters.create(tx)


def _with_what_receipts_name(tx: Connection) -> None:
    tx.execute(text("ALTER TABLE receipts ADD COLUMN named JSON"))


def _with_keys(tx: Connection) -> None:
    tx.execute(text("ALTER TABLE users ADD COLUMN key VARCHAR(16)"))


def _with_budgets(tx: Connection) -> None:
    for table in (spending, spending_totals, outages):
        table.create(tx)
    tx.execute(text("ALTER TABLE jobs ADD COLUMN waits_for VARCHAR(8)"))
    if tx.dialect.name == "postgresql":  # "discarded" is a state of a turn; SQLite does not heed lengths
        tx.execute(text("ALTER TABLE events ALTER COLUMN state TYPE VARCHAR(16)"))


def _with_routes(tx: Connection) -> None:
    routes.create(tx)
    adapters_by_name.create(tx, checkfirst=True)  # a ledger of the first version has got it with its table


STEPS: dict[int, Callable[[Connection], None]] = {
    1: _with_adapters,
    2: _with_what_receipts_name,
    3: _with_keys,
    4: _with_budgets,
    5: _with_routes,
}
"""From version n (the key) to n + 1. Version 1 is the first release."""


def upgrade(tx: Connection, version: int, *, to: int) -> None:
    """Run every step from `version` to the schema version `to`, in the caller's transaction.

    Raises:
        LedgerError: there is no way from this version; nothing was changed.
    """
    for step in range(version, to):
        if step not in STEPS:
            raise LedgerError(f"a ledger of schema version {version} cannot be brought to version {to}")
        STEPS[step](tx)
