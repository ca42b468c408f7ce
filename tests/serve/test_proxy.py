"""The proxy: a chatbot in any language changes its base URL and remembers."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, APIStatusError, APITimeoutError, BadRequestError, InternalServerError, RateLimitError

from persona_memory import PersonaMemory
from persona_memory.testing import Cut, Failure
from tests.langchain.conftest import break_tables
from tests.openai.conftest import prompt
from tests.wrapping.conftest import turns

from .conftest import CAT, WHICH_CAT, Serve, chat, user

NOTED = [("user", CAT), ("assistant", "Noted.")]


def test_a_client_that_changes_its_base_url_remembers(serve: Serve) -> None:
    """Chat completions and responses, whole and streamed, with the real SDK; models are the upstream's."""
    served = serve()
    client = served.client()
    assert chat(client, CAT) == "Noted."
    parts = client.chat.completions.create(model="m", messages=[user(WHICH_CAT)], user="ana", stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "Noted."
    assert client.responses.create(model="m", input=WHICH_CAT, user="ana").output_text == "Noted."
    with client.responses.stream(model="m", input=WHICH_CAT, user="ana") as stream:
        assert stream.get_final_response().output_text == "Noted."
    assert all("Miso" in prompt(one) for one in served.upstream.requests[1:])
    assert [one.id for one in client.models.list()] == ["fake-1"]
    assert client.models.retrieve("team/fake 2?").id == "team/fake 2?"
    assert turns(served.memory())[:4] == [*NOTED, ("user", WHICH_CAT), ("assistant", "Noted.")]


def test_the_user_may_be_named_by_a_header(serve: Serve) -> None:
    """Under the name that the chatbot's own platform has for it."""
    served = serve(user_header="X-OpenWebUI-User-Id", thread_header="X-OpenWebUI-Chat-Id")
    headers = {"X-OpenWebUI-User-Id": "ben", "X-OpenWebUI-Chat-Id": "chat-7"}
    chat(served.client(), CAT, person="somebody", extra_headers=headers)
    messages = served.memory().export(user_id="ben")["messages"]
    assert [one["thread_id"] for one in messages] == ["chat-7"] * 2
    assert not any(name.startswith("x-openwebui") for name in served.upstream.headers[0])


def test_what_is_not_ours_passes_unchanged(serve: Serve) -> None:
    """Unknown fields and headers, in both directions; bytes of a request in which nothing is put."""
    odd = {"id": "c", "choices": [{"message": {"content": "Hi", "mood": "odd"}}], "new": [1, 2.5, None, "ü"]}
    replies = [Failure(200, odd, {"x-ratelimit-remaining-requests": "7"})]
    served = serve(replies=replies, ask_questions=False)
    sent = b'{"messages": [{"role": "user", "content": "h\\u00fc"}],  "user": "ana", "big": 12345678901234567890}'
    with served.http() as http:
        answer = http.post("/v1/chat/completions?beta=1", content=sent, headers={"x-trace": "t1"})
    assert (answer.status_code, answer.json()) == (200, odd)
    assert answer.headers["x-ratelimit-remaining-requests"] == "7"
    assert served.upstream.requests == [json.loads(sent)]
    assert served.upstream.headers[0]["content-length"] == str(len(sent))
    assert served.upstream.headers[0]["x-trace"] == "t1"
    assert turns(served.memory()) == [("user", "hü"), ("assistant", "Hi")]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_errors_of_the_upstream_pass_unchanged(serve: Serve, status: int) -> None:
    """With their status, body and headers; what was said is kept."""
    body = {"error": {"message": "No.", "type": "odd", "code": 7, "new": {"deep": True}}}
    served = serve(replies=[Failure(status, body, {"retry-after": "9", "x-request-id": "r1"})])
    with served.http() as http:
        answer = http.post("/v1/chat/completions", json={"model": "m", "messages": [user(CAT)], "user": "ana"})
    assert (answer.status_code, answer.json()) == (status, body)
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("9", "r1")
    assert turns(served.memory()) == NOTED[:1]


def test_without_a_user_it_is_said_what_to_do(serve: Serve) -> None:
    """Or the chat goes on without memory, where the operator says so."""
    strict, lenient = serve(), serve(without_user="pass")
    with pytest.raises(BadRequestError, match="Pass user='…' in the request, or the header x-user-id"):
        strict.client().chat.completions.create(model="m", messages=[user(CAT)])
    assert strict.upstream.requests == []
    answer = lenient.client().chat.completions.with_raw_response.create(model="m", messages=[user(CAT)])
    assert answer.parse().choices[0].message.content == "Noted."
    assert "x-persona-memory" not in answer.headers
    assert lenient.memory().users() == []


def test_an_upstream_that_is_down_is_a_502_and_one_that_is_slow_a_504(serve: Serve) -> None:
    """In OpenAI's shape; what was said is kept, and the next try is the same turn."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    down, slow = serve(upstream=nowhere), serve(delay=1.5, upstream_timeout=0.3)
    for served, status, code in ((down, 502, "upstream_unreachable"), (slow, 504, "upstream_timeout")):
        with pytest.raises(InternalServerError) as failed:
            chat(served.client(), CAT)
        assert (failed.value.status_code, failed.value.code) == (status, code)
    assert turns(down.memory()) == NOTED[:1]


def test_if_memory_breaks_the_chat_goes_on(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The response, the log and the metrics say so; none of them says what was said."""
    served = serve()
    chat(served.client(), "Hello.", person="ben")
    break_tables(tmp_path / "home")
    raw = served.client().chat.completions.with_raw_response.create(model="m", messages=[user(CAT)], user="ana")
    assert raw.parse().choices[0].message.content == "Noted."
    assert raw.headers["x-persona-memory"] == "failed"
    with served.http() as http:
        assert http.get("/healthz").json()["memory"] == "failing"
        assert 'persona_memory_failures_total{kind="observe: LedgerError"} 2.0' in http.get("/metrics").text
        gone = http.get("/v1/users/ana/profile")
    assert (gone.status_code, gone.json()["error"]["code"]) == (503, "memory_unavailable")
    assert "observe failed, the turn goes on" in caplog.text
    assert "Miso" not in caplog.text


def test_a_memory_that_is_slow_is_not_waited_for(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The chat goes on after `memory_timeout`, which the log names; what was said is stored all the same."""

    class Slow(PersonaMemory):
        async def arecall(self, *args: Any, **options: Any) -> Any:
            await asyncio.sleep(30)

    def slow(namespace: str) -> PersonaMemory:
        opened: PersonaMemory = serve.open_memory(namespace)  # type: ignore[attr-defined]
        opened.__class__ = Slow
        return opened

    served = serve(open_memory=slow, memory_timeout=0.2)
    started = time.perf_counter()
    raw = served.client().chat.completions.with_raw_response.create(model="m", messages=[user(CAT)], user="ana")
    assert time.perf_counter() - started < 5
    assert raw.headers["x-persona-memory"] == "failed"
    assert turns(served.memory()) == NOTED
    (line,) = [one.getMessage() for one in caplog.records if "memory failed" in one.getMessage()]
    assert "longer than 0.2 s" in line
    assert "set `persona-memory serve --memory-timeout`" in line


def test_a_stream_that_the_upstream_breaks_off_is_an_error_of_the_client(serve: Serve) -> None:
    """The SDK raises it; what the user said is kept, and the next try is the same turn."""
    served = serve(replies=[Cut("One two"), "All of it."])
    client = served.client()
    stream = client.chat.completions.create(model="m", messages=[user(CAT)], user="ana", stream=True)
    heard = [next(stream).choices[0].delta.content for _ in range(3)]
    assert "".join(heard) == "One two"
    with pytest.raises(APIError, match="broke off"):
        next(stream)
    assert turns(served.memory()) == NOTED[:1]
    chat(client, CAT)
    assert turns(served.memory()) == [("user", CAT), ("assistant", "All of it.")]


def test_a_client_that_goes_in_the_middle_is_learnt_from(serve: Serve) -> None:
    """And the upstream is left alone."""
    served = serve(replies=["One two three four five six seven eight nine ten."], pace=0.1)
    stream = served.client().chat.completions.create(model="m", messages=[user(CAT)], user="ana", stream=True)
    for part in stream:
        if "two" in (part.choices[0].delta.content or ""):
            break
    stream.response.close()
    memory, deadline = served.memory(), time.monotonic() + 5
    while len(turns(memory)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    (_, heard) = turns(memory)[1]
    assert heard.startswith("One two")
    assert "nine" not in heard
    while not served.upstream.unread and time.monotonic() < deadline:
        time.sleep(0.05)
    assert served.upstream.unread == 1


def test_a_client_that_closes_half_its_connection_is_served(serve: Serve) -> None:
    """It has said all it wants to say, and listens."""
    served = serve(replies=["One two three."], pace=0.05)
    body = json.dumps({"model": "m", "messages": [user(CAT)], "user": "ana", "stream": True}).encode()
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body)
        raw.shutdown(socket.SHUT_WR)
        came = b""
        while chunk := raw.recv(65536):
            came += chunk
    # uvicorn takes the end of what is read for the end of the client: the turn is learnt either way.
    memory, deadline = served.memory(), time.monotonic() + 5
    while not memory.knows(user_id="ana") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert turns(memory)[0] == ("user", CAT)


def test_deliveries_that_come_twice_are_stored_once(serve: Serve) -> None:
    """One after the other, and at the same time."""
    served = serve()
    client = served.client()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: chat(client, CAT), range(8))) == ["Noted."] * 8
    assert turns(served.memory()) == NOTED


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_a_413(serve: Serve, chunked: bool) -> None:
    """Whether it says its length or not; the upstream and the memory see nothing."""
    served = serve(max_body=1000)
    body = json.dumps({"model": "m", "messages": [user("x" * 2000)], "user": "ana"}).encode()
    content: Any = (body[start : start + 100] for start in range(0, len(body), 100)) if chunked else body
    with served.http() as http:
        for path in ("/v1/chat/completions", "/v1/users/ana/observe"):
            given = content if path.endswith("completions") or not chunked else iter([body])
            answer = http.post(path, content=given, headers={"content-type": "application/json"})
            assert answer.status_code == 413
            assert "more than 1000 bytes" in answer.json()["error"]["message"]
    assert (served.upstream.requests, served.memory().users()) == ([], [])


def test_who_asks_too_often_is_told_when_to_come_back(serve: Serve) -> None:
    """As a 429 that clients know how to wait for."""
    served = serve(rate="3/minute")
    client = served.client()
    for _ in range(3):
        chat(client, CAT)
    with pytest.raises(RateLimitError) as refused:
        chat(client, CAT)
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert len(served.upstream.requests) == 3


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"messages": 7, "user": "ana"}', b'{"messages": [7]}'])
def test_what_is_no_conversation_is_for_the_upstream_to_refuse(serve: Serve, body: bytes) -> None:
    """Its error passes, whatever came."""
    served = serve()
    with served.http() as http:
        answer = http.post("/v1/chat/completions", content=body)
    assert answer.status_code < 500
    assert served.memory().users() == []


def test_nothing_else_of_the_upstream_can_be_reached(serve: Serve) -> None:
    """The operator's account has files, batches and other people's responses."""
    served = serve()
    with served.http() as http:
        for method, path in (
            ("GET", "/v1/files"), ("GET", "/v1/responses/resp_1"), ("POST", "/v1/embeddings"),
            ("GET", "/v1/models/%2e%2e/files"), ("GET", "/v1/models/x%2f..%2f..%2ffiles"), ("GET", "/v1/models/"),
        ):  # fmt: skip
            answer = http.request(method, path)
            assert answer.status_code in (404, 405)
            assert answer.json()["error"]["type"]


def test_no_log_says_what_was_said(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Not in chats, nor where something fails."""
    caplog.set_level(logging.INFO)
    served = serve(replies=["Miso it is.", Failure(500), Cut("Miso")])
    client = served.client(timeout=5)
    chat(client, CAT)
    with pytest.raises(APIStatusError):
        chat(client, CAT)
    with pytest.raises((APIError, APITimeoutError)):
        list(client.chat.completions.create(model="m", messages=[user(CAT)], user="ana", stream=True))
    with served.http() as http:
        http.post("/v1/users/ana/recall", json={"query": WHICH_CAT})
        http.post(
            "/v1/users/ana/observe", json={"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}
        )
    assert "Miso" not in caplog.text
    assert "cat called" not in caplog.text


def test_headers_about_a_connection_stay_on_it(serve: Serve) -> None:
    """Encodings, too: what comes back is what the client can read."""
    served = serve()
    with served.http() as http:
        answer = http.post(
            "/v1/chat/completions",
            json={"model": "m", "messages": [user(CAT)], "user": "ana"},
            headers={"accept-encoding": "br", "te": "trailers"},
        )
    assert answer.json()["choices"][0]["message"]["content"] == "Noted."
    assert "te" not in served.upstream.headers[0]
