"""The inspector under /ui, by a real client: who may see whom, what is shown, and what only our own forms change."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from persona_memory import InvalidInput, PersonaMemory, Retry
from persona_memory.testing import ScriptedChatModel
from persona_memory_serve import ApiKeys, Settings, add_key, create_app
from tests.attacks.corpus import CORPUS, HOSTILE_IDS, HOSTILE_NAMES

from .conftest import Serve, Served
from .visiting import Browser, Elements

PAGES = ("profile", "knowledge", "memories", "recall", "routes", "work", "data")
ELEMENTS = set(
    "html head meta title link script body a header span form input button nav ul li main h1 h2 h3 h4 p q section div "
    "article details summary ol label textarea output datalist option table caption thead tbody tr th td dl dt dd code "
    "strong meter time s bdi pre figure figcaption svg defs pattern rect g path".split()
)
"""Every element that our templates have; what was stored adds none."""


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "keys.json"
    return {"acme": add_key(file, "acme"), "globex": add_key(file, "globex"), "file": file}


@pytest.fixture
def served(serve: Serve, keys: dict[str, Any]) -> Served:
    """A server of two tenants; acme knows ana, globex knows ben."""
    served = serve(keys=ApiKeys.read(keys["file"]))
    for tenant, person, town in (("acme", "ana", "Porto"), ("acme", "carla", "Turin"), ("globex", "ben", "Bergen")):
        memory = served.memory(tenant)
        memory.observe([("user", f"I live in {town}.")], user_id=person)
        memory.flush(timeout=60)
    memory = served.memory("acme")
    memory.observe([("user", "I moved to Lisbon. I love hiking. I do not understand recursion.")], user_id="ana")
    memory.flush(timeout=60)
    return served


@pytest.fixture
def browser(served: Served, keys: dict[str, Any]) -> Browser:
    """Somebody of acme, signed in."""
    browser = Browser(served)
    assert browser.post("sign-in", key=keys["acme"]).url.path == "/ui/"
    return browser


def test_nobody_sees_anything_without_a_key(served: Served, keys: dict[str, Any]) -> None:
    """Every page leads to the sign-in; a wrong key, or one that names nobody, stays there."""
    browser = Browser(served)
    for path in ("", *PAGES, "export"):
        assert browser.get(path, user="ana").url.path == "/ui/sign-in"
    for wrong in ("", "pm-guessed", keys["acme"][:-1]):
        answer = browser.post("sign-in", key=wrong)
        assert (answer.status_code, "no key" in answer.text) == (401, True)
        assert browser.get("profile", user="ana").url.path == "/ui/sign-in"


def test_the_cookie_holds_no_key_and_is_hidden_from_scripts_and_other_sites(
    served: Served, keys: dict[str, Any]
) -> None:
    """It is signed: one that was changed signs nobody in. Signing out ends it."""
    browser = Browser(served)
    entered = browser.post("sign-in", key=keys["acme"])
    (cookie,) = entered.history[0].headers.get_list("set-cookie")
    assert keys["acme"] not in cookie
    assert {"path=/ui", "httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    value = browser.http.cookies["persona_memory_ui"]
    browser.http.cookies.clear()
    browser.http.cookies.set("persona_memory_ui", value.replace(".", "x.", 1))
    assert browser.get("profile", user="ana").url.path == "/ui/sign-in"
    browser.http.cookies.clear()
    browser.post("sign-in", key=keys["acme"])
    assert browser.get("profile", user="ana").status_code == 200
    assert browser.post("sign-out").url.path == "/ui/sign-in"
    assert browser.get("profile", user="ana").url.path == "/ui/sign-in"


def test_another_tenants_person_is_nobody(browser: Browser, served: Served) -> None:
    """404 like somebody who does not exist, for every page and every action; nothing of them changes."""
    for path in (*PAGES, "export"):
        assert {browser.get(path, user=one).status_code for one in ("ben", "nobody")} == {404}
    for path, fields in ACTIONS.items():
        assert path == "sign-out" or browser.post(path, user="ben", **fields).status_code == 404
    assert served.memory("globex").profile(user_id="ben").get("demographics.location") == "Bergen"
    assert "ben" not in browser.get("").text


def test_a_person_comes_by_a_link_and_sees_nobody_else(served: Served, keys: dict[str, Any]) -> None:
    """The application asks for it with its key; it signs in by a button, so that a preview of it does not."""
    with served.http(keys["acme"]) as http:
        link = http.post("/v1/users/ana/link").json()
    (token,) = parse_qs(urlsplit(link["path"]).query)["token"]
    browser = Browser(served)
    assert "See it" in browser.http.get(link["path"]).text
    assert browser.get("profile", user="ana").url.path == "/ui/sign-in"
    entered = browser.post("enter", token=token)
    assert (entered.url.path, "Lisbon" in entered.text) == ("/ui/profile", True)
    for path in PAGES:
        assert browser.get(path, user="carla").status_code == 404
    assert browser.post("erase", user="carla", typed="carla").status_code == 404
    assert browser.get("").url.path == "/ui/profile"
    for wrong in (token + "x", "", "e30.aaaa.bbbb"):
        assert browser.get("enter", token=wrong).status_code == 403
        assert browser.post("enter", token=wrong).status_code == 403


ACTIONS: dict[str, dict[str, str]] = {
    "correct": {"field": "demographics.location", "value": "Gotham"},
    "forget": {"what": "demographics.location"},
    "erase": {"typed": "ana"},
    "job": {"number": "1", "what": "discard"},
    "recall": {"message": "Where do I live?"},
    "sign-out": {},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_only_our_own_forms_change_anything(browser: Browser, served: Served, action: str) -> None:
    """Without this session's token, or from another site, 403 and nothing has changed."""
    before = served.memory("acme").export(user_id="ana")
    form, fields = browser.form(), ACTIONS[action]
    other = Browser(served).form()
    evil = {"origin": "https://evil.example"}
    for data, headers in (
        (fields, browser.origin),
        ({"form": "", **fields}, browser.origin),
        ({"form": other, **fields}, browser.origin),
        ({"form": form, **fields}, evil),
        ({"form": form, **fields}, {}),
        ({"form": form, **fields}, {**browser.origin, "sec-fetch-site": "same-site"}),
    ):
        answer = browser.http.post(f"/ui/{action}", params={"user": "ana"}, data=data, headers=headers)
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text
    assert browser.http.get(f"/ui/{action}", params={"user": "ana", **fields}).status_code != 303
    assert served.memory("acme").export(user_id="ana") == before
    assert browser.get("profile", user="ana").status_code == 200


def test_the_profile_is_shown_with_its_evidence_and_its_past(browser: Browser) -> None:
    """Now and as of an earlier change; what is past cannot be corrected."""
    now = browser.get("profile", user="ana").text
    assert all(one in now for one in ("Lisbon", "Lives in Lisbon", "Turn ", "hiking", "said plainly"))
    then = browser.get("profile", user="ana", step=1).text
    assert "Porto" in then
    assert "Lisbon" not in then.replace("Lives in Lisbon", "")
    assert "Correct" in now
    assert "Correct" not in then
    assert "Nothing was known then" in browser.get("profile", user="ana", as_of="2020-01-01").text
    assert browser.get("profile", user="ana", as_of="yesterday").status_code == 400


def test_memories_knowledge_and_recall_are_shown(browser: Browser) -> None:
    """Superseded ones struck through; a message with its hits, their scores, the route and what the model sees."""
    memories = browser.get("memories", user="ana").text
    assert "<s><bdi>Lives in Porto</bdi></s>" in memories
    assert "<s><bdi>Lives in Lisbon" not in memories
    assert "recursion" in browser.get("knowledge", user="ana").text
    recalled = browser.post("recall", user="ana", message="Where do I live?", max_tokens="300")
    assert recalled.status_code == 200
    assert all(one in unescape(recalled.text) for one in ("Lisbon", "context", "of 300", "<recalled_memories"))
    assert "Where" not in str(recalled.url)


def test_a_field_is_corrected(browser: Browser, served: Served) -> None:
    """One value, a list line by line; what does not fit is told and changes nothing."""
    assert browser.post("correct", user="ana", field="demographics.location", value=" Faro ").status_code == 200
    browser.post("correct", user="ana", field="personality.interests", many="true", value="chess\n\ntea\n")
    known = served.memory("acme").profile(user_id="ana")
    assert (known.get("demographics.location"), known.get("personality.interests")) == ("Faro", ("chess", "tea"))
    assert "is no field" in browser.post("correct", user="ana", field="no.such", value="x").text
    assert browser.post("correct", user="ana", field="demographics.location", value=" ").status_code == 400
    assert served.memory("acme").profile(user_id="ana").get("demographics.location") == "Faro"


def test_what_is_forgotten_and_erased_comes_with_a_receipt(browser: Browser, served: Served) -> None:
    """Erasing asks for the id to be typed."""
    memory = served.memory("acme")
    (hiking,) = [one for one in memory.memories(user_id="ana") if "hiking" in one.text]
    done = browser.post("forget", user="ana", what=hiking.id)
    (receipt,) = memory.receipts(user_id="ana")
    assert receipt.id in done.text
    assert receipt.id in browser.get("data", user="ana").text
    memory.flush(timeout=60)
    assert "hiking" not in browser.get("profile", user="ana").text
    assert browser.post("forget", user="ana", what="m-none").status_code == 404
    assert browser.post("erase", user="ana", typed="an").status_code == 400
    assert memory.knows(user_id="ana")
    erased = browser.post("erase", user="ana", typed="ana")
    assert "Receipt" in erased.text
    assert not memory.knows(user_id="ana")
    assert browser.get("profile", user="ana").status_code == 404


def test_the_export_is_a_file(browser: Browser, served: Served) -> None:
    """The same as the library's own."""
    answer = browser.get("export", user="ana")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.json() == served.memory("acme").export(user_id="ana")


def test_parked_jobs_are_retried_and_discarded(serve: Serve) -> None:
    """Without keys this machine's user is the operator; the reason of a job is shown."""
    opens = serve.open_memory  # type: ignore[attr-defined]
    with opens(model=ScriptedChatModel(answers=lambda *_: "I would rather chat."), retry=Retry(attempts=1)) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        memory.flush(timeout=60)
        (job,) = memory.jobs(user_id="ana")
        browser = Browser(serve())
        shown = browser.get("work", user="ana").text
        assert f"Retry job {job.id}" in shown
        assert str(job.last_error)[:20] in unescape(shown)
        browser.post("job", user="ana", number=job.id, what="retry")
        assert [one.state for one in memory.jobs(user_id="ana")] == ["queued"]
        memory.flush(timeout=60)
        (job,) = memory.jobs(user_id="ana")
        browser.post("job", user="ana", number=job.id, what="discard")
        assert memory.jobs(user_id="ana") == []
        assert browser.post("job", user="ana", number=job.id, what="discard").status_code == 404


def test_every_answer_is_guarded(browser: Browser) -> None:
    """Nothing inline, nothing from elsewhere, no frame, no copy in a cache; errors and files alike."""
    for path in ("", "sign-in", "profile", "export", "nonsense", "static/inspector.css"):
        headers = browser.get(path, user="ana").headers
        policy = headers["content-security-policy"]
        assert all(one in policy for one in ("default-src 'self'", "frame-ancestors 'none'", "form-action 'self'"))
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_what_was_stored_is_text_whatever_it_says(serve: Serve) -> None:
    """Attack strings in turns, memories, profile values, names and ids add no element, no attribute, no control."""
    served = serve()
    people = ["eve", *(one for one in HOSTILE_IDS if "\n" not in one)]
    memory: PersonaMemory = served.memory()
    for person in people:
        memory.observe([("user", "I live in Porto.")], user_id=person)
    for text in CORPUS:
        memory.remember(text, user_id="eve")
    memory.observe(
        [{"role": "user", "content": text, "name": name} for text in CORPUS[:20] for name in HOSTILE_NAMES],
        user_id="eve",
        thread_id="t",
    )
    for field, text in zip(("name", "location", "career"), CORPUS[::60], strict=False):
        memory.set_field(f"demographics.{field}", text, user_id="eve")
    memory.set_field("personality.interests", [one for one in CORPUS if "<" in one], user_id="eve")
    browser = Browser(served)
    shown = [browser.get(""), *(browser.get(path, user=one) for path in PAGES for one in ("eve", people[3]))]
    shown += [browser.get("memories", user="eve", part=part) for part in (2, 3)]
    shown += [browser.post("recall", user="eve", message=one) for one in CORPUS[::25]]
    gotham = 0
    for answer in shown:
        assert answer.status_code == 200
        gotham += answer.text.count("Gotham")
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", answer.text)
        for tag, attributes in Elements(answer.text).found:
            assert tag in ELEMENTS
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
            for name in ("href", "src", "action"):
                assert (attributes.get(name) or "/ui/").startswith(("/ui/", "#main"))
        assert len(re.findall("<script", answer.text)) == 1
    assert gotham > 300
    for person in people:
        assert browser.get("profile", user=person).status_code == 200


def test_a_short_secret_is_refused(serve: Serve) -> None:
    """It would keep nobody out."""
    with pytest.raises(InvalidInput, match="32 characters"):
        create_app(serve.open_memory, Settings(session_secret="hunter2"))  # type: ignore[attr-defined]
