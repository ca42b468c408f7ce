"""How turns were routed is kept by person, in order, and not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import text

from persona_memory.ledger import Ledger, Person, erasure, migrations, people, routes
from persona_memory.types import Routed

from .conftest import NOW


def turn(tokens: int) -> Routed:
    """A turn that is told apart by its tokens; clocks order nothing."""
    return Routed(NOW - timedelta(minutes=tokens), "context_overflow", "untrainable", tokens, 900, 800)


def add(ledger: Ledger, user: str, turns: Sequence[Routed]) -> Person:
    """Keep routes of somebody who is known from then on."""
    person = Person(ledger.namespace, user)
    with ledger.write() as tx:
        people.lock(tx, person)
        routes.add(tx, person, turns)
    return person


def kept(ledger: Ledger, person: Person) -> list[Routed]:
    """What is read back."""
    with ledger.read() as connection:
        return routes.read(connection, person)


def test_the_last_turns_of_each_person_are_kept_in_order(ledger: Ledger) -> None:
    """Whatever their times say; the oldest make room, and nobody's for somebody else's."""
    ben = add(ledger, "ben", [turn(1)])
    for first in range(0, routes.KEPT + 30, 10):
        ana = add(ledger, "ana", [turn(number) for number in range(first, first + 10)])
    assert kept(ledger, ana) == [turn(number) for number in range(30, routes.KEPT + 30)]
    assert kept(ledger, ben) == [turn(1)]


def test_routes_go_with_their_person(ledger: Ledger) -> None:
    """Somebody who comes back has none."""
    ana, ben = add(ledger, "ana", [turn(1), turn(2)]), add(ledger, "ben", [turn(3)])
    with ledger.write() as tx:
        people.lock(tx, ana)
        assert erasure.delete_person(tx, ana, secret=ledger.secret)["routes"] == 2
    assert (kept(ledger, ana), kept(ledger, ben)) == ([], [turn(3)])


def test_a_ledger_of_version_5_gets_routes(ledger: Ledger) -> None:
    """On either database."""
    with ledger.write() as tx:
        tx.execute(text("DROP TABLE routes"))
        migrations.upgrade(tx, 5, to=6)
    assert kept(ledger, add(ledger, "ana", [turn(1)])) == [turn(1)]
