"""What a screen reader and a keyboard need of every page, as far as its HTML tells; the rest is shown in a browser."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import persona_memory_serve

from .conftest import Serve, Served
from .visiting import Browser, Elements, furnished

PAGES = ("", "sign-in", "profile", "knowledge", "memories", "recall", "routes", "work", "data")


def everything(known: Served) -> dict[str, str]:
    """Each page, and what comes of each form."""
    browser = Browser(known)
    pages = {page: browser.get(page, user="ana").text for page in PAGES}
    (job,) = known.memory().jobs(user_id="ana")
    pages["recalled"] = browser.post("recall", user="ana", message="Where do I live?", max_tokens="300").text
    pages["retried"] = browser.post("job", user="ana", number=job.id, what="retry").text
    pages["corrected"] = browser.post("correct", user="ana", field="demographics.location", value="Faro").text
    pages["receipt"] = browser.post("forget", user="ana", what="t1").text
    pages["error"] = browser.get("profile", user="nobody").text
    return pages


def test_every_page_is_fit_for_screen_readers(serve: Serve) -> None:
    """Landmarks, headings in order, labels, captions, ids that are there; what was done is told at once."""
    for name, text in everything(furnished(serve)).items():
        found = Elements(text).found
        tags = [tag for tag, _ in found]
        assert (tags.count("main"), tags.count("header"), tags.count("h1")) == (1, 1, 1), name
        assert dict(found)["html"] == {"lang": "en"}
        levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
        assert all(below <= above + 1 for above, below in pairwise(levels)), (name, levels)
        ids = [one["id"] for _, one in found if "id" in one]
        assert len(ids) == len(set(ids)), name
        named = {str(one.get(link)) for _, one in found for link in ("for", "aria-labelledby", "list") if link in one}
        assert named <= set(ids), (name, named - set(ids))
        assert all(one.get("aria-label") or one.get("aria-labelledby") for tag, one in found if tag == "nav")
        fields = [one for tag, one in found if tag in ("input", "textarea") and one.get("type") != "hidden"]
        labelled = {one.get("for") for tag, one in found if tag == "label"}
        assert all(one.get("id") in labelled for one in fields), name
        assert tags.count("caption") == tags.count("table"), name
        assert all(one.get("scope") in ("col", "row") for tag, one in found if tag == "th")
        assert all(one.get("aria-label") for tag, one in found if tag in ("svg", "meter"))
        assert len([one for _, one in found if "autofocus" in one]) == (
            name in ("recalled", "retried", "corrected", "receipt", "error")
        ), name


def test_buttons_that_look_alike_are_told_apart(serve: Serve) -> None:
    """A list of all buttons says what each one forgets."""
    browser = Browser(furnished(serve))
    for page in ("memories", "profile"):
        text = browser.get(page, user="ana").text
        named = re.findall(r'<button[^>]*aria-label="([^"]+)"', text)
        assert len(named) == len(set(named)) > 1


def test_the_way_into_the_page_is_short(serve: Serve) -> None:
    """The first thing that Tab reaches leads past the header, to where the content begins."""
    browser = Browser(furnished(serve))
    for page in PAGES:
        found = Elements(browser.get(page, user="ana").text).found
        first: dict[str, Any] = next(one for tag, one in found if tag in ("a", "button", "input"))
        assert first == {"class": "skip", "href": "#main"}
        assert ("main", {"id": "main", "tabindex": "-1"}) in found
        assert not [one for _, one in found if str(one.get("tabindex", "0")) not in ("0", "-1")]


def test_nothing_moves_by_itself() -> None:
    """So there is nothing to hold still for those who ask for that."""
    styles = (Path(persona_memory_serve.__file__).parent / "static" / "inspector.css").read_text()
    assert not re.search("animation|transition|scroll-behavior", styles)
