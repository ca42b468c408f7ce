"""The router decides by numbers that it shows, and never queues what could not be served."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.adapters import decide
from persona_memory.errors import InvalidInput
from persona_memory.types import Route


def route(**changed: Any) -> Route:
    values: dict[str, Any] = {
        "needed": 900, "budget": 800, "recent_overflows": (), "trainable": True, "interpolates": False,
        "active_adapter": None,
    }  # fmt: skip
    return decide(**{**values, **changed})


def test_nothing_relevant_needs_no_route() -> None:
    """No memory, no numbers to weigh."""
    assert route(needed=0) == Route("none", "nothing is known that is relevant", 0, 800, 0, 1)


def test_what_fits_goes_into_the_context() -> None:
    """Up to the last token, whatever else could be done, and with the numbers in the reason."""
    found = route(needed=800, active_adapter="a1", interpolates=True, recent_overflows=[True] * 5)
    assert (found.name, found.adapter_id, found.consolidate) == ("context", None, False)
    assert found.reason == "all that is relevant fits: 800 of 800 tokens"


def test_a_base_that_takes_no_adapters_overflows_and_queues_nothing() -> None:
    """Not even after many overflows, and not with an adapter that it could not run."""
    found = route(trainable=False, recent_overflows=[True] * 9, active_adapter="a1", interpolates=True)
    assert (found.name, found.adapter_id, found.consolidate) == ("context_overflow", None, False)
    assert (found.overflows, found.window) == (5, 5)
    assert "900 tokens are relevant, 800 fit" in found.reason
    assert "the model in use takes no adapters, so the best" in found.reason


@pytest.mark.parametrize(("interpolates", "name"), [(True, "interpolated"), (False, "parametric")])
def test_an_active_adapter_takes_what_does_not_fit(interpolates: bool, name: str) -> None:
    """Two streams where the model is local, the adapter by its name on an engine; it is not trained again for that."""
    found = route(active_adapter="ana-3", interpolates=interpolates, recent_overflows=[True] * 5)
    assert (found.name, found.adapter_id, found.consolidate) == (name, "ana-3", False)
    assert "ana-3" in found.reason


@pytest.mark.parametrize(
    ("earlier", "overflows", "window", "due"),
    [
        ([], 1, 1, False),
        ([True], 2, 2, False),
        ([True, True], 3, 3, True),
        ([True, False, True], 3, 4, True),
        ([True, True, False, False, False], 2, 5, False),
        ([False] * 9 + [True, False, False, True], 3, 5, True),
        ([True, True, True, False, False, False, False], 1, 5, False),
    ],
)
def test_an_adapter_is_trained_once_it_has_not_fit_often_enough(
    earlier: list[bool], overflows: int, window: int, due: bool
) -> None:
    """Three of the last five turns, this one included; older ones no longer count."""
    found = route(recent_overflows=earlier)
    assert (found.name, found.overflows, found.window) == ("context_overflow", overflows, window)
    assert found.consolidate is due


def test_how_often_is_a_setting() -> None:
    """One of one: the first overflow is enough."""
    assert route(n=1, m=1, recent_overflows=[False] * 3).consolidate
    assert not route(n=2, m=2, recent_overflows=[True, False]).consolidate


@given(
    needed=st.integers(0, 2000),
    budget=st.integers(0, 2000),
    earlier=st.lists(st.booleans(), max_size=9),
    trainable=st.booleans(),
    interpolates=st.booleans(),
    active=st.sampled_from([None, "a1"]),
)
def test_a_decision_is_consistent(
    needed: int, budget: int, earlier: list[bool], trainable: bool, interpolates: bool, active: str | None
) -> None:
    """Law: numbers are kept, an adapter is named only where it is used, training only where it could be served."""
    found = decide(
        needed=needed, budget=budget, recent_overflows=earlier, trainable=trainable, interpolates=interpolates,
        active_adapter=active,
    )  # fmt: skip
    assert (found.needed, found.budget) == (needed, budget)
    assert found.overflows <= found.window <= 5
    assert (found.name in ("context", "none")) == (needed <= budget)
    assert (found.adapter_id is not None) == (found.name in ("interpolated", "parametric"))
    assert not found.consolidate or (trainable and active is None and needed > budget and found.overflows >= 3)
    assert found.reason
    assert (found.case == "often") == found.consolidate
    assert (found.case == "adapter") == (found.adapter_id is not None)
    assert {"none": "nothing", "context": "fits"}.get(found.name, found.case) == found.case
    assert (found.case == "untrainable") == (needed > budget and not trainable)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"needed": -1}, "needed=-1"),
        ({"budget": -5}, "budget=-5"),
        ({"n": 0}, "n=0"),
        ({"n": 6}, "pass 1 <= n <= m"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, int], message: str) -> None:
    """The message carries the value."""
    with pytest.raises(InvalidInput, match=message):
        route(**wrong)
