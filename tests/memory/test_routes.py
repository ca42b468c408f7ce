"""`routes`: how the last turns reached the model, written with what is observed next."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from persona_memory import PersonaMemory, Policy
from persona_memory.recalling import UNBOUNDED
from persona_memory.types import Routed

from .conftest import Clock, Open

BIKES = [("user", f"My {name} bicycle is in the cellar.") for name in ("red", "blue")]
WHERE = "Where is my bicycle?"


def test_a_turn_is_kept_with_what_is_observed_next(memory: PersonaMemory, clock: Clock) -> None:
    """When, by which route, why, with how many tokens of how many: as the recall itself said."""
    memory.observe(BIKES, user_id="ana")
    fits = memory.recall(WHERE, user_id="ana", max_tokens=500)
    assert memory.routes(user_id="ana") == []
    memory.observe([("user", "Thanks.")], user_id="ana")
    began = clock.now
    clock.move(minutes=5)
    short = memory.recall(WHERE, user_id="ana", max_tokens=5)
    memory.observe([("user", "Bye.")], user_id="ana")
    assert memory.routes(user_id="ana") == [
        Routed(began, "context", "fits", fits.tokens, fits.route.needed, 500),
        Routed(clock.now, "context_overflow", "untrainable", short.tokens, short.route.needed, 5),
    ]
    assert memory.routes(user_id="ben") == []


def test_each_turn_is_kept_once_whoever_writes_it(memory: PersonaMemory) -> None:
    """Messages that are observed at the same time share what waits; none of it comes twice, or back."""
    memory.observe(BIKES, user_id="ana")
    for budget in range(100, 120):
        memory.recall(WHERE, user_id="ana", max_tokens=budget)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: memory.observe([("user", f"Note {n}.")], user_id="ana", thread_id=f"{n}"), range(8)))
    assert [one.budget for one in memory.routes(user_id="ana")] == list(range(100, 120))


def test_nothing_is_kept_of_those_who_have_paused_or_of_incognito_threads(memory: PersonaMemory) -> None:
    """Nor later, when they go on."""
    memory.observe(BIKES, user_id="ana")
    memory.set_policy(Policy(paused=True), user_id="ana")
    memory.recall(WHERE, user_id="ana")
    memory.set_policy(Policy(incognito_threads=("secret",)), user_id="ana")
    memory.recall(WHERE, user_id="ana", thread_id="secret")
    memory.observe([("user", "I am back.")], user_id="ana")
    assert memory.routes(user_id="ana") == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_routes_go_with_their_person_written_or_not(open_memory: Open, elsewhere: bool) -> None:
    """Deleted by this process or by another one; somebody who comes back begins with none."""
    memory = open_memory()
    memory.observe(BIKES, user_id="ana")
    memory.recall(WHERE, user_id="ana")
    memory.observe([("user", "Thanks.")], user_id="ana")
    memory.recall(WHERE, user_id="ana")
    receipt = (open_memory() if elsewhere else memory).delete_user(user_id="ana")
    assert receipt.erased["routes"] == 1
    memory.observe([("user", "Hello, I am new.")], user_id="ana")
    assert memory.routes(user_id="ana") == []


def test_a_budget_beyond_all_numbers_is_kept_as_a_large_one(memory: PersonaMemory) -> None:
    """No message is lost because a database knows smaller numbers."""
    memory.observe(BIKES, user_id="ana")
    memory.recall(WHERE, user_id="ana", max_tokens=10**30)
    memory.observe([("user", "Thanks.")], user_id="ana")
    assert [one.budget for one in memory.routes(user_id="ana")] == [UNBOUNDED]


def test_routes_are_exported_and_backed_up(memory: PersonaMemory, tmp_path: Path) -> None:
    """They are the person's, like all that is stored."""
    memory.observe(BIKES, user_id="ana")
    found = memory.recall(WHERE, user_id="ana")
    memory.observe([("user", "Thanks.")], user_id="ana")
    assert memory.export(user_id="ana")["routes"][0]["tokens"] == found.tokens
    memory.backup(tmp_path / "monday")
    PersonaMemory.restore(tmp_path / "monday", tmp_path / "restored")
    with PersonaMemory.open(tmp_path / "restored", worker=False) as copy:
        assert copy.routes(user_id="ana") == memory.routes(user_id="ana")


def test_people_are_listed_in_parts_and_found(memory: PersonaMemory) -> None:
    """By any part of an id, in whichever case; what means something in SQL means itself here."""
    for name in ("Ana", "ben", "carla_1", "carlax1", "100%"):
        memory.observe([("user", "Hello.")], user_id=name)
    everybody = memory.users()
    assert set(everybody) == {"Ana", "ben", "carla_1", "carlax1", "100%"}
    assert memory.users(limit=2) == everybody[:2]
    assert memory.users(limit=2, after=everybody[1]) == everybody[2:4]
    assert memory.users(after=everybody[-1]) == []
    assert memory.users(holding="AN") == ["Ana"]
    assert memory.users(holding="a_1") == ["carla_1"]
    assert memory.users(holding="%") == ["100%"]
