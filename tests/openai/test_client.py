"""wrap: an OpenAI client remembers, whichever of its methods asks the model, and stays the client that it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from openai import (
    APIConnectionError,
    AsyncOpenAI,
    AzureOpenAI,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
)
from pydantic import BaseModel

from persona_memory import Doors, InvalidInput, PersonaMemory
from persona_memory.testing import Cut, Failure, FakeOpenAI
from persona_memory_openai import wrap
from tests.langchain.conftest import break_tables
from tests.wrapping.conftest import turns

from .conftest import CAT, WHICH_CAT, Connect, prompt, user

NOTED = [("user", CAT), ("assistant", "Noted.")]
ANA = {"X-User-Id": "ana"}


@pytest.fixture
def client(upstream: FakeOpenAI, connect: Connect) -> Any:
    """A wrapped client; nobody is fixed."""
    return connect(upstream)


def chat(client: OpenAI, text: str, **options: Any) -> str | None:
    """One turn of a chat completion."""
    answer: Any = client.chat.completions.create(model="m", messages=[user(text)], **{"user": "ana", **options})
    said: str | None = answer.choices[0].message.content
    return said


def test_one_changed_line_and_the_client_remembers(
    upstream: FakeOpenAI, memory: PersonaMemory, connect: Connect
) -> None:
    """It is the same kind of client; what was said in one conversation is known in the next."""
    client = connect(upstream, user_id="ana")
    assert isinstance(client, OpenAI)
    messages: list[Any] = [user(CAT)]
    assert client.chat.completions.create(model="m", messages=messages).choices[0].message.content == "Noted."
    client.chat.completions.create(model="m", messages=[user(WHICH_CAT)], temperature=0.5)
    assert "Miso" in prompt(upstream.requests[1])
    assert upstream.requests[0] == {"model": "m", "messages": [user(CAT)]}
    assert upstream.requests[1]["temperature"] == 0.5
    assert turns(memory) == [*NOTED, ("user", WHICH_CAT), ("assistant", "Noted.")]


def test_the_request_says_whose_turn_it_is(client: OpenAI, upstream: FakeOpenAI, memory: PersonaMemory) -> None:
    """By the API's own field, or by a header, which stays here and counts more."""
    chat(client, CAT, user="ana", extra_headers={"X-Thread-Id": "one"})
    chat(client, "I have no cat.", user="everybody", extra_headers={"X-User-Id": "ben", "X-Thread-Id": "two"})
    assert memory.users() == ["ana", "ben"]
    assert [one["thread_id"] for one in memory.export(user_id="ben")["messages"]] == ["two", "two"]
    assert not any(name.startswith(("x-user", "x-thread")) for headers in upstream.headers for name in headers)


def test_there_is_no_default_user(client: OpenAI, upstream: FakeOpenAI, memory: PersonaMemory) -> None:
    """The request is refused as the API refuses bad requests, and says what to pass."""
    with pytest.raises(BadRequestError, match="Pass user='…' in the request, or the header x-user-id") as refused:
        chat(client, CAT, user="")
    assert refused.value.code == "missing_user"
    assert (upstream.requests, memory.users()) == ([], [])


def test_responses_remember(client: OpenAI, upstream: FakeOpenAI, memory: PersonaMemory) -> None:
    """A plain input stays one; the profile joins the instructions."""
    answer = client.responses.create(model="m", input="I live in Porto.", user="ana")
    assert answer.output_text == "Noted."
    memory.flush()
    client.responses.create(model="m", input="Where do I live?", instructions="Be brief.", user="ana")
    client.responses.create(
        model="m", input=[{"role": "user", "content": [{"type": "input_text", "text": "Where?"}]}], user="ana"
    )
    client.responses.create(model="m", input="Where?", prompt={"id": "pmpt_1"}, user="ana")
    first, second, third, template = upstream.requests
    assert first == {"model": "m", "input": "I live in Porto.", "user": "ana"}
    assert second["instructions"].startswith("Be brief.\n\n<user_profile>")
    assert second["input"].endswith("Where do I live?")
    assert third["instructions"].startswith("<user_profile>")
    assert {part["type"] for part in third["input"][0]["content"]} == {"input_text"}
    assert "instructions" not in template
    assert template["input"][0]["role"] == "system"
    assert turns(memory)[:2] == [("user", "I live in Porto."), ("assistant", "Noted.")]


def test_streams_pass_as_they_come_and_are_learnt_at_their_end(client: OpenAI, memory: PersonaMemory) -> None:
    """Of both APIs, with create and with the SDK's own helpers."""
    parts: Any = client.chat.completions.create(model="m", messages=[user(CAT)], user="ana", stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "Noted."
    with client.chat.completions.stream(model="m", messages=[user(CAT)], user="ben") as helped:
        assert helped.get_final_completion().choices[0].message.content == "Noted."
    events = client.responses.create(model="m", input=CAT, user="cem", stream=True)
    assert [event.type for event in events][-1] == "response.completed"
    with client.responses.stream(model="m", input=CAT, user="dea") as response:
        assert response.get_final_response().output_text == "Noted."
    assert [turns(memory, person) for person in ("ana", "ben", "cem", "dea")] == [NOTED] * 4


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_that_is_closed_early_is_learnt_as_far_as_it_came(
    memory: PersonaMemory, api: str, connect: Connect
) -> None:
    """And the model is left alone."""
    with FakeOpenAI(["One two three four five six seven eight."], pace=0.05) as slow:
        client = connect(slow, user_id="ana")
        if api == "chat":
            stream = client.chat.completions.create(model="m", messages=[user(CAT)], stream=True)
            said = (part.choices[0].delta.content for part in stream)
        else:
            stream = client.responses.create(model="m", input=CAT, stream=True)
            said = (getattr(event, "delta", None) for event in stream)
        assert next(text for text in said if text) == "One "
        stream.close()
    (_, heard) = turns(memory)[1]
    assert heard.startswith("One")
    assert "eight" not in heard


def test_a_stream_that_breaks_is_an_error_of_the_client(memory: PersonaMemory, connect: Connect) -> None:
    """As without memory; what the user said is kept, and the next try is the same turn."""
    with FakeOpenAI([Cut("One two"), "All of it."]) as upstream:
        client = connect(upstream, user_id="ana")
        with pytest.raises(APIConnectionError):
            list(client.chat.completions.create(model="m", messages=[user(CAT)], stream=True))
        assert turns(memory) == NOTED[:1]
        chat(client, CAT)
    assert turns(memory) == [("user", CAT), ("assistant", "All of it.")]


def test_calls_of_tools_pass_untouched_and_the_turn_is_stored_once(memory: PersonaMemory, connect: Connect) -> None:
    """A call alone is no reply yet; the result goes back with it, and then comes the reply."""
    call = {"name": "weather", "args": {"city": "Porto"}}
    with FakeOpenAI([call, "It is sunny.", call]) as upstream:
        client = connect(upstream, user_id="ana")
        tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
        messages: list[Any] = [user("How is the weather at home in Porto?")]
        first = client.chat.completions.create(model="m", messages=messages, tools=tools).choices[0].message
        assert first.tool_calls is not None
        assert json.loads(first.tool_calls[0].function.arguments) == call["args"]
        assert turns(memory) == [("user", "How is the weather at home in Porto?")]
        messages += [first.model_dump(), {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
        client.chat.completions.create(model="m", messages=messages, tools=tools)
        assert upstream.requests[1]["messages"][-2:] == messages[-2:]
        assert upstream.requests[1]["tools"] == tools
        with client.chat.completions.stream(model="m", messages=[user("And now?")], tools=tools) as stream:
            assert stream.get_final_completion().choices[0].message.tool_calls
    assert turns(memory) == [
        ("user", "How is the weather at home in Porto?"), ("assistant", "It is sunny."), ("user", "And now?"),
    ]  # fmt: skip


def test_calls_of_tools_in_responses(memory: PersonaMemory, connect: Connect) -> None:
    """Items that nobody said pass untouched, too."""
    with FakeOpenAI([{"name": "weather", "args": {}}, "It is sunny."]) as upstream:
        client = connect(upstream, user_id="ana")
        items: list[Any] = [user("How is the weather?")]
        first = client.responses.create(model="m", input=items)
        items += [one.model_dump() for one in first.output]
        items += [{"type": "function_call_output", "call_id": "call_1", "output": "sunny"}]
        assert client.responses.create(model="m", input=items).output_text == "It is sunny."
        assert upstream.requests[1]["input"][1:] == items[1:]
    assert turns(memory) == [("user", "How is the weather?"), ("assistant", "It is sunny.")]


def test_a_history_that_is_resent_is_stored_once(upstream: FakeOpenAI, memory: PersonaMemory, connect: Connect) -> None:
    """As most chatbots do it: everything at every turn, without ids; in both APIs."""
    client = connect(upstream)
    asks: dict[str, Callable[[Any], Any]] = {
        "ana": lambda items: client.chat.completions.create(model="m", messages=items, user="ana"),
        "ben": lambda items: client.responses.create(model="m", input=items, user="ben"),
    }
    for person, ask in asks.items():
        history: list[Any] = []
        for text in (CAT, "Yes.", "Yes."):
            history.append(user(text))
            answer = ask(history)
            if person == "ana":
                history.append(answer.choices[0].message.model_dump())
            else:
                history += [one.model_dump() for one in answer.output]
        assert [text for _, text in turns(memory, person)] == [CAT, "Noted.", "Yes.", "Noted.", "Yes.", "Noted."]


class City(BaseModel):
    """What a parsed answer holds."""

    name: str


def test_no_way_to_ask_loses_the_memory(memory: PersonaMemory, connect: Connect) -> None:
    """parse, raw and streaming responses, clients made by with_options; each is learnt."""
    with FakeOpenAI(['{"name": "Porto"}'] * 2) as upstream:
        client = connect(upstream)
        parsed = client.chat.completions.parse(model="m", messages=[user(CAT)], response_format=City, user="parse")
        assert parsed.choices[0].message.parsed == City(name="Porto")
        assert client.responses.parse(model="m", input=CAT, text_format=City, user="parse2").output_parsed
        raw = client.chat.completions.with_raw_response.create(model="m", messages=[user(CAT)], user="raw")
        assert raw.parse().choices[0].message.content == "Noted."
        assert raw.headers["x-persona-memory"] == "nothing known"
        with client.responses.with_streaming_response.create(model="m", input=CAT, user="streaming") as response:
            assert "Noted." in response.read().decode()
        chat(client.with_options(timeout=7, max_retries=1), CAT, user="options")
        assert client.models.list().data[0].id == "fake-1"
    assert memory.users() == ["options", "parse", "parse2", "raw", "streaming"]
    assert all(len(turns(memory, person)) == 2 for person in memory.users())


def test_the_clients_own_settings_stay(upstream: FakeOpenAI, memory: PersonaMemory) -> None:
    """Headers of its HTTP client, hooks, timeouts; the client that was given has no memory."""
    seen: list[Any] = []
    http = httpx2.Client(headers={"x-team": "blue"}, event_hooks={"request": [seen.append]}, timeout=9)
    plain = OpenAI(base_url=upstream.base_url, api_key="k", http_client=http, max_retries=5)
    client = wrap(plain, memory, user_id="ana")
    chat(client, CAT)
    assert upstream.headers[0]["x-team"] == "blue"
    assert len(seen) == 1
    assert (client.timeout, client.max_retries) == (plain.timeout, plain.max_retries)
    chat(plain, WHICH_CAT)
    assert turns(memory) == NOTED
    client.close()
    assert http.is_closed


def test_errors_of_the_model_reach_the_caller(memory: PersonaMemory, connect: Connect) -> None:
    """As they are; the client tries again as it always does, and the turn is stored once."""
    overloaded = Failure(503, {"error": {"message": "Come back.", "new": 1}}, {"retry-after-ms": "1"})
    with FakeOpenAI([overloaded, overloaded, "Noted."]) as upstream:
        client = connect(upstream, user_id="ana")
        with pytest.raises(InternalServerError) as failed:
            chat(client, CAT)
        assert failed.value.body == {"message": "Come back.", "new": 1}
        assert turns(memory) == NOTED[:1]
        assert chat(client.with_options(max_retries=1), CAT) == "Noted."
    assert turns(memory) == NOTED


def test_what_nobody_said_is_for_the_upstream_to_refuse(client: OpenAI, memory: PersonaMemory) -> None:
    """An empty conversation needs no user."""
    with pytest.raises(BadRequestError, match="Missing required parameter: 'messages'"):
        client.chat.completions.create(model="m", messages=[])
    assert memory.users() == []


def test_if_memory_breaks_the_model_answers(
    upstream: FakeOpenAI, memory: PersonaMemory, tmp_path: Path, connect: Connect
) -> None:
    """The response says so, and it is counted."""
    doors = Doors()
    client = connect(upstream, user_id="ana", doors=doors)
    break_tables(tmp_path / "home")
    raw = client.chat.completions.with_raw_response.create(model="m", messages=[user(CAT)])
    assert raw.parse().choices[0].message.content == "Noted."
    assert raw.headers["x-persona-memory"] == "failed"
    assert doors.failures == {"observe: LedgerError": 2, "recall: LedgerError": 1}
    assert upstream.requests == [{"model": "m", "messages": [user(CAT)]}]


async def test_the_asynchronous_client_remembers_and_streams(upstream: FakeOpenAI, memory: PersonaMemory) -> None:
    """Many people at once."""
    client = wrap(AsyncOpenAI(base_url=upstream.base_url, api_key="k"), memory)

    async def talk(person: str) -> str:
        await client.chat.completions.create(model="m", messages=[user(CAT)], user=person)
        stream: Any = await client.chat.completions.create(
            model="m", messages=[user(WHICH_CAT)], user=person, stream=True
        )
        return "".join([part.choices[0].delta.content or "" async for part in stream])

    people = [f"person-{number}" for number in range(8)]
    assert await asyncio.gather(*map(talk, people)) == ["Noted."] * 8
    await client.close()
    assert all(turns(memory, one) == [*NOTED, ("user", WHICH_CAT), ("assistant", "Noted.")] for one in people)
    assert sum("Miso" in prompt(one) for one in upstream.requests) == 16
    assert (await _refused(wrap(AsyncOpenAI(base_url=upstream.base_url, api_key="k"), memory))) == "missing_user"


async def _refused(client: AsyncOpenAI) -> str | None:
    with pytest.raises(BadRequestError) as refused:
        await client.responses.create(model="m", input=CAT)
    await client.close()
    return refused.value.code


async def test_a_cancelled_stream_is_learnt(memory: PersonaMemory) -> None:
    """The reader is cancelled, as when its own client has gone."""
    with FakeOpenAI(["One two three four."], pace=0.3) as slow:
        async with wrap(AsyncOpenAI(base_url=slow.base_url, api_key="k"), memory, user_id="ana") as client:

            async def read() -> None:
                stream: Any = await client.chat.completions.create(model="m", messages=[user(CAT)], stream=True)
                async with stream:
                    async for _ in stream:
                        pass

            task = asyncio.create_task(read())
            await asyncio.sleep(0.9)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.3)
    (_, heard) = turns(memory)[1]
    assert heard.startswith("One")
    assert "four" not in heard


def test_subclasses_are_clients_too(upstream: FakeOpenAI, memory: PersonaMemory) -> None:
    """Azure's, whose paths have a deployment in them."""
    root = upstream.base_url.removesuffix("/v1")
    azure = AzureOpenAI(azure_endpoint=root, api_key="k", api_version="1", max_retries=0)
    with wrap(azure, memory, user_id="ana") as client:
        assert isinstance(client, AzureOpenAI)
        with pytest.raises(NotFoundError):  # the fake has no deployments
            chat(client, CAT)
    assert turns(memory) == NOTED[:1]


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (lambda messages: "hi", "a function is wrapped by persona_memory.wrap"),
        (OpenAI(api_key="k", http_client=httpx.Client()), "HTTP client of httpx2"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_wrapped_is_refused(memory: PersonaMemory, client: Any, says: str) -> None:
    """The message says what to do."""
    with pytest.raises(InvalidInput, match=says):
        wrap(client, memory)
