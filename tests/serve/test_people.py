"""The REST API: a person is observed, recalled, seen, exported and erased by HTTP alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wrapping.conftest import turns

from .conftest import Serve, Served

SAID = [
    {"role": "user", "content": "I live in Porto and my dog is called Rex.", "created_at": "2026-05-01T09:00:00Z"},
    {"role": "assistant", "content": "Nice."},
    {"role": "user", "content": "I do not understand recursion."},
]
BEN = "/v1/users/ben"


@pytest.fixture
def served(serve: Serve) -> Served:
    """A server that knows Ben, who is learnt."""
    served = serve()
    with served.http() as http:
        observed = http.post(f"{BEN}/observe", json={"messages": SAID, "thread_id": "t1"})
        assert (observed.status_code, observed.json()["new"]) == (200, [1, 2, 3])
    served.memory().flush(timeout=60)
    return served


def test_what_is_known_can_be_seen(served: Served) -> None:
    """Profile with its evidence and as of a past moment, knowledge, memories, and what a message recalls."""
    with served.http() as http:
        entry = http.get(f"{BEN}/profile").json()["entries"]["demographics.location"]
        assert (entry["value"], entry["evidence"]) == ("Porto", [1])
        assert http.get(f"{BEN}/profile", params={"as_of": "2020-01-01T00:00:00Z"}).json() == {"entries": {}}
        assert [topic["name"] for topic in http.get(f"{BEN}/knowledge").json()["topics"]] == ["recursion"]
        memories = http.get(f"{BEN}/memories").json()["data"]
        assert any("Porto" in one["text"] for one in memories)
        recalled = http.post(f"{BEN}/recall", json={"query": "What is my dog called?", "max_tokens": 400}).json()
        assert "Rex" in recalled["text"]
        assert 0 < recalled["tokens"] <= 400
        assert recalled["hits"][0]["score"] > 0
        exported = http.get(f"{BEN}/export").json()
    assert [one["content"] for one in exported["messages"]] == [one["content"] for one in SAID]


def test_what_is_still_to_be_learnt_is_told(served: Served) -> None:
    """With the list that it is missing in: 0 once everything is learnt."""

    def told() -> tuple[int, int, bool]:
        answer = http.get(f"{BEN}/memories").json()
        return answer["pending"], answer["parked"], any("Rex" in one["text"] for one in answer["data"])

    with served.http() as http:
        http.post(f"{BEN}/observe", json={"messages": [SAID[1], {"role": "user", "content": "I have a boat."}]})
        assert told() == (2, 0, True)
        served.memory().flush(timeout=60)
        assert told() == (0, 0, True)


def test_messages_are_stored_once(served: Served) -> None:
    """A resent history adds what is new; what nobody said is left out."""
    more = [
        *SAID,
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    with served.http() as http:
        observed = http.post(f"{BEN}/observe", json={"messages": more, "thread_id": "t1"}).json()
    assert (len(observed["new"]), observed["duplicates"], observed["ignored"]) == (1, 3, 1)


def test_a_memory_is_forgotten_and_a_person_erased(served: Served) -> None:
    """Each ends in a receipt; afterwards nothing is known."""
    with served.http() as http:
        (memory,) = (one for one in http.get(f"{BEN}/memories").json()["data"] if "Porto" in one["text"])
        receipt = http.delete(f"{BEN}/memories/{memory['id']}")
        assert (receipt.status_code, receipt.json()["complete"]) == (200, True)
        assert "Porto" not in http.get(f"{BEN}/export").text
        assert http.delete(f"{BEN}/memories/{memory['id']}").status_code == 404
        assert http.delete(f"{BEN}/memories/nonsense").json()["error"]["code"] == "not_found"
        assert http.delete(BEN).json()["erased"]["events"] >= 3
        assert [http.get(f"{BEN}/profile").status_code, http.delete(BEN).status_code] == [404, 404]
    assert served.memory().users() == []


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("observe", {"messages": [{"role": "user"}]}, "content"),
        ("observe", {"messages": [{"role": "robot", "content": "Hi"}]}, "role"),
        ("observe", {"messages": [{"role": "user", "content": [{"text": 7}, 7]}]}, "messages.0.content"),
        ("observe", {"messages": "Hi"}, "messages"),
        ("observe", {"messages": [], "thread_id": "x" * 600}, "thread_id"),
        ("recall", {}, "query"),
        ("recall", {"query": "x", "max_tokens": -1}, "max_tokens"),
        ("profile?as_of=yesterday", None, "as_of"),
    ],
)
def test_what_cannot_be_used_is_a_400_that_says_what(served: Served, path: str, body: Any, says: str) -> None:
    """In the one shape of all errors."""
    with served.http() as http:
        answer = http.request("GET" if body is None else "POST", f"{BEN}/{path}", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize("user", ["%00", "%20", "%ED%A0%80", "x" * 513])
def test_a_user_id_that_cannot_be_used_is_a_400(serve: Serve, user: str) -> None:
    """Nothing is stored under it."""
    served = serve()
    with served.http() as http:
        answer = http.post(f"/v1/users/{user}/observe", json={"messages": SAID})
    assert (answer.status_code, served.memory().users()) == (400, [])


@pytest.mark.parametrize("user", ["auth0|7", "ana@example.org", "ü 7", "a%b"])
def test_ids_of_login_services_are_ids(serve: Serve, user: str) -> None:
    """As they are, percent-encoded in the path."""
    from urllib.parse import quote

    served = serve()
    with served.http() as http:
        http.post(f"/v1/users/{quote(user)}/observe", json={"messages": SAID[:1]})
    assert turns(served.memory(), user) == [("user", SAID[0]["content"])]
