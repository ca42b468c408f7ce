"""The inspector in a real browser: every page by eye (pictures stay in tmp_path), by axe-core and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from .chromium import PROGRAM, Tab, browsing
from .conftest import Serve
from .visiting import furnished

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(600),
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed: apt-get install chromium"),
]

PAGES = ("", "profile", "knowledge", "memories", "recall", "routes", "work", "data", "sign-in", "nonsense")
MESSAGE = "Where do I live, and what do I like?"
VIOLATIONS = """axe.run(document, {resultTypes: ["violations"]}).then(
  (found) => found.violations.map((one) => `${one.id}: ${one.nodes[0].html} ${one.nodes[0].failureSummary}`))"""
FOCUS = """(() => {
  const one = document.activeElement, look = getComputedStyle(one);
  return {name: one.getAttribute("aria-label") || one.textContent.trim() || one.id, tag: one.tagName,
          outline: look.outlineStyle === "none" ? 0 : parseFloat(look.outlineWidth),
          inside: one.getBoundingClientRect().left >= 0};
})()"""


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    """A tab of a browser of its own."""
    with browsing(tmp_path / "browser") as made:
        yield made


@pytest.fixture
def ui(serve: Serve) -> str:
    """The address of an inspector that has something to show."""
    return f"{furnished(serve).url}/ui"


def axe() -> str:
    """axe-core's script; without the package that brings it the proof is skipped."""
    found = find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core is not installed: pip install axe-core-python")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def opened(tab: Tab, ui: str, page: str) -> None:
    """Go to a page; to "recall" with a message."""
    tab.open(f"{ui}/{page}?user=ana")
    if page == "recall":
        tab.run("document.querySelector('#message').focus()")
        tab.type(MESSAGE)
        with tab.loading():
            tab.run("document.querySelector('main form').requestSubmit()")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_drawn(ui: str, tab: Tab, tmp_path: Path, width: int) -> None:
    """The dark picture differs from the light one, and nothing is wider than the screen."""
    for page in PAGES:
        drawn = []
        for scheme in ("light", "dark"):
            tab.look(width, scheme=scheme)
            opened(tab, ui, page)
            assert tab.run("document.documentElement.scrollWidth") == width, page
            drawn.append(tab.picture(tmp_path / f"{page or 'people'}-{width}-{scheme}.png"))
        assert drawn[0] != drawn[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(ui: str, tab: Tab, width: int, scheme: str) -> None:
    """Names, roles, order and contrast of all that is shown or can be opened; what is wrong it does find."""
    script = axe()
    tab.look(width, scheme=scheme)
    for page in PAGES:
        opened(tab, ui, page)
        tab.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        tab.run(script)
        assert tab.run(VIOLATIONS) == [], page
    tab.run("document.querySelector('h1').insertAdjacentHTML('afterend', '<input>')")
    assert any("label" in one for one in tab.run(VIOLATIONS))


def test_every_page_is_walked_by_tab_and_the_focus_is_seen(ui: str, tab: Tab) -> None:
    """The way into the content first; then all that can be used, each with an outline and a name, and round again."""
    tab.look(1280)
    for page in PAGES[:-1]:  # what went wrong has the focus itself
        tab.open(f"{ui}/{page}?user=ana")
        passed = []
        for _ in range(80):
            tab.press("Tab")
            here = tab.run(FOCUS)
            if here["tag"] == "BODY":
                break
            assert here["name"], (page, here)
            assert here["inside"], (page, here)
            assert here["outline"] >= 2, (page, here)
            passed.append(here["name"])
        assert passed[0] == "Skip to the content", page
        assert here["tag"] == "BODY", page


def test_the_content_is_reached_at_once(ui: str, tab: Tab) -> None:
    """By the first link the focus goes past the header."""
    tab.open(f"{ui}/memories?user=ana")
    tab.press("Tab")
    tab.press("Enter", text="\r")
    assert tab.run("document.activeElement.id") == "main"
    tab.press("Tab")
    assert tab.run(FOCUS)["name"].startswith("Forget: ")


def test_a_value_is_corrected_by_keyboard_and_told(ui: str, tab: Tab) -> None:
    """A field is opened, written and sent; then the focus is on what says that it is done."""
    tab.open(f"{ui}/profile?user=ana")
    tab.run("document.querySelector('#f-demographics-location').parentElement.querySelectorAll('summary')[1].focus()")
    tab.press(" ", text=" ")
    tab.press("Tab")
    tab.run("document.activeElement.select()")
    tab.type("Faro")
    tab.press("Tab")
    with tab.loading():
        tab.press("Enter", text="\r")
    assert tab.run(FOCUS)["name"] == "Location is corrected."
    assert tab.run("document.querySelector('#f-demographics-location').nextElementSibling.textContent") == "Faro"


def test_the_slider_waits_for_show_when_moved_by_keyboard(ui: str, tab: Tab) -> None:
    """It says where it stands, and nothing happens until it is asked for."""
    tab.open(f"{ui}/profile?user=ana")
    tab.run("document.querySelector('#step').focus()")
    last = tab.run("document.querySelector('#step').max")
    tab.press("ArrowLeft")
    assert tab.run("location.search") == "?user=ana"
    assert tab.run("document.querySelector('#step').ariaValueText").startswith(f"{int(last) - 1} of {last} · 20")
    tab.press("Tab")
    with tab.loading():
        tab.press("Enter", text="\r")
    assert f"step={int(last) - 1}" in tab.run("location.search")


def test_what_is_recalled_is_where_the_focus_goes(ui: str, tab: Tab) -> None:
    """So that a screen reader begins there."""
    opened(tab, ui, "recall")
    assert tab.run(FOCUS)["name"] == "How it reaches the model"


def test_all_of_it_works_without_scripts(ui: str, tab: Tab) -> None:
    """The slider by its button, the chart, a recall."""
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(f"{ui}/profile?user=ana&step=1")
    tab.open(f"{ui}/routes?user=ana")
    bars = tab.call("Runtime.evaluate", expression="document.querySelectorAll('svg rect.used').length")
    assert bars["result"]["value"] == 1
    tab.open(f"{ui}/recall?user=ana")
    tab.call("Runtime.evaluate", expression="document.querySelector('#message').focus()")
    tab.type(MESSAGE)
    tab.press("Tab")
    with tab.loading():
        tab.press("Enter", text="\r")
    found = tab.call("Runtime.evaluate", expression="document.querySelector('dl.pairs').textContent")
    assert "context" in found["result"]["value"]
