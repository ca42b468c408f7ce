"""A few trials of each attack; `make torture` makes hundreds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.clock import clock
from tests.torture.concurrency import epochs, leases, together
from tests.torture.crash import crash
from tests.torture.disk import ATTACKS, disk
from tests.torture.report import Outcome, Trial, Violation, play, table

pytestmark = pytest.mark.slow

A_FEW: list[tuple[Callable[[int], Trial], range]] = [
    (crash, range(3)), (disk, range(len(ATTACKS))), (clock, range(2)), (leases, range(1)), (epochs, range(2)),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "seeds"), A_FEW, ids=lambda one: getattr(one, "__name__", ""))
def test_nothing_is_lost_or_corrupted(attack: Callable[[int], Trial], seeds: range) -> None:
    """No trial finds a broken promise, and each does some harm."""
    for trial in map(attack, seeds):
        assert (trial.seed, trial.problems) == (trial.seed, [])
        assert trial.faults


def test_many_processes_on_sqlite() -> None:
    """Three processes of three threads each; two of them work."""
    assert together(0, processes=3, threads=3, each=5).problems == []


def test_many_processes_on_postgres(postgres_url: str) -> None:
    """The same on a server."""
    assert together(0, processes=3, threads=3, each=5, url=postgres_url).problems == []


def test_a_violation_is_shown_with_the_seed_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The table counts it, and stderr names it at once."""
    trials = [lambda: Trial(7, faults=2), lambda: Trial(8, faults=1, problems=["a turn is lost"])]
    outcome: Outcome = play("crash", trials, total=2)
    assert outcome.violations == [Violation(8, "a turn is lost")]
    assert "| crash | 2 | 3 | 1 |" in table([outcome])
    assert "crash, seed 8: a turn is lost" in capsys.readouterr().err


def test_the_adapters_of_the_scripts_are_trained(tmp_path: Path) -> None:
    """Else no kill would fall into a training, and nothing that was erased could be left in weights."""
    from tests.torture.player import make, opened
    from tests.torture.script import USERS, Call, Said

    said = tuple(Said("user", f"I play the {mark}.", mark, mark) for mark in ("cello", "organ", "viola", "flute"))
    with opened(tmp_path) as memory:
        make(memory, Call("observe", USERS[0], "t", said), tmp_path)
        make(memory, Call("flush"), tmp_path)
        make(memory, Call("consolidate", USERS[0]), tmp_path)
        assert [one.state for one in memory.adapters(user_id=USERS[0])] == ["active"]


def test_what_is_lost_is_found(tmp_path: Path) -> None:
    """The judge itself: a turn that is missing, one too many, one in the wrong place, and one that came back."""
    from tests.torture.script import Call, Expected, Said

    expected = Expected()
    one, two = Said("user", "I live in Faro.", "Faro", "1"), Said("user", "I play the cello.", "cello", "2")
    expected.done(Call("observe", "ana", "t", (one, two)))
    both = [one.text, two.text]
    assert list(expected.problems("ana", both)) == []
    for there in (both[:1], both[::-1], [*both, both[0]], [*both, "I live in Braga."]):
        assert list(expected.problems("ana", there))
    expected.done(Call("forget", "ana", mark="Faro"))
    assert list(expected.problems("ana", both[1:])) == []
    assert list(expected.problems("ana", both))
    expected.begun(Call("observe", "ana", "t", (Said("user", "a", "a", "3"), Said("user", "b", "b", "4"))))
    assert list(expected.problems("ana", [both[1], "a", "b"])) == list(expected.problems("ana", both[1:])) == []
    assert list(expected.problems("ana", [both[1], "a"]))
