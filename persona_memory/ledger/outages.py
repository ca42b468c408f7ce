"""Which workers' language models answer nobody at this moment, for whoever looks from another process."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from persona_memory.ledger import owners
from persona_memory.ledger.schema import outages
from persona_memory.types import Outage

STALE = timedelta(hours=1)
"""A worker that did not try again for so long is gone, though another machine cannot see that."""


def note(tx: Connection, namespace: str, outage: Outage | None) -> None:
    """This process's outage as it now is; None when its model answers again."""
    owner = owners.this_process()
    tx.execute(delete(outages).where(outages.c.namespace == namespace, outages.c.owner == owner))
    if outage is not None:
        values = {name: value for name, value in asdict(outage).items() if name != "worker"}
        tx.execute(insert(outages).values(namespace=namespace, owner=owner, **values))


def listing(connection: Connection, namespace: str, *, now: datetime) -> list[Outage]:
    """The outages of workers that are alive, as far as we know, the longest first."""
    columns = (outages.c.reason, outages.c.failures, outages.c.since, outages.c.until, outages.c.owner)
    mine = [outages.c.namespace == namespace, outages.c.until > now - STALE]
    found = [Outage(*row) for row in connection.execute(select(*columns).where(*mine).order_by(outages.c.since))]
    return [one for one in found if not owners.is_dead(one.worker)]
