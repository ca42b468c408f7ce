"""The routes of the last turns: as a chart, as a page, and who is listed on the people's page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory import Routed
from persona_memory_serve import charting, inspector
from persona_memory_serve.charting import chart

from .conftest import Serve
from .visiting import Browser, Elements

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def turn(tokens: int, needed: int, budget: int) -> Routed:
    over = needed > budget
    return Routed(
        NOW, "context_overflow" if over else "context", "untrainable" if over else "fits", tokens, needed, budget
    )


def test_a_chart_shows_what_was_used_what_was_left_and_what_was_allowed() -> None:
    """To scale; what is needed beyond all measure ends at the upper edge."""
    made = chart([turn(200, 200, 800), turn(790, 1000, 800), turn(790, 90_000, 800)])
    assert made.top == 3200
    assert [(bar.used, bar.rest) for bar in made.bars] == [(200, 0), (790, 210), (790, 2410)]
    assert made.budget == "M0 2400h10L10 2400h10L20 2400h10"


def test_a_large_budget_does_not_flatten_the_bars() -> None:
    """It is out of sight then; where nothing was needed at all, only the budget is seen."""
    assert chart([turn(200, 200, 1_000_000)]).top == 800
    assert chart([turn(0, 0, 800)]).top == 800
    assert chart([turn(0, 0, 0)]).top == 1


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=100)
)
def test_every_bar_is_inside_the_chart(numbers: list[tuple[int, int, int]]) -> None:
    """Law: of the last turns each has a bar, none ends above or beside the picture."""
    made = chart([turn(*one) for one in numbers])
    assert [bar.turn for bar in made.bars] == [turn(*one) for one in numbers[-charting.TURNS :]]
    for bar in made.bars:
        assert bar.used >= 0 <= bar.rest
        assert bar.used + bar.rest <= made.top
        assert bar.left + charting.WIDTH <= made.width


def test_the_page_shows_each_turn_with_route_reason_and_numbers(serve: Serve) -> None:
    """As a chart, which says in words that there is a table, and as the table; before the first turn as neither."""
    served = serve()
    memory = served.memory()
    memory.observe([("user", "My red bicycle is in the cellar."), ("user", "I live in Porto.")], user_id="ana")
    browser = Browser(served)
    assert "No turn has been counted yet" in browser.get("routes", user="ana").text
    recalls = [memory.recall("Where is my bicycle?", user_id="ana", max_tokens=budget) for budget in (500, 5)]
    memory.observe([("user", "Thanks.")], user_id="ana")
    shown = browser.get("routes", user="ana").text
    assert "2 turns from left to right. 1 of them did not fit their budget." in shown
    for one in recalls:
        numbers = (one.tokens, one.route.needed, one.route.budget)
        assert all(f"<td>{number}</td>" in shown for number in (one.route.name.replace("_", " "), *numbers))
    assert "all that was relevant fitted" in shown
    assert "the model takes no personal weights" in shown
    marks = [attributes.get("class") for tag, attributes in Elements(shown).found if tag == "rect"]
    assert marks == ["stripe", "used", "used", "missed"]


def test_people_are_found_and_listed_in_parts(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, a page asks for its own part."""
    monkeypatch.setattr(inspector, "ROWS", 2)
    served = serve()
    for name in ("ana", "ben", "carla", "Dana", "a&b=c"):
        served.memory().observe([("user", "Hello.")], user_id=name)
    browser, seen = Browser(served), list[str]()
    page = browser.get("")
    while True:
        links = [attributes for tag, attributes in Elements(page.text).found if tag == "a"]
        seen += [str(one["href"]) for one in links if "profile" in str(one["href"])]
        following = [str(one["href"]) for one in links if one.get("rel") == "next"]
        if not following:
            break
        page = browser.http.get(following[0])
    assert len(seen) == len(set(seen)) == 5
    assert "From the beginning" in page.text
    found = browser.get("", find="DAN").text
    assert ("Dana" in found, "carla" in found) == (True, False)
    assert "Nobody has this in their id" in browser.get("", find="zoe").text
    assert browser.get("", find="x" * 600).status_code == 400
