"""An OpenAI client and the proxy in front of an engine: each person by their own adapter, nobody by another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, AsyncOpenAI, NotFoundError, OpenAI

from persona_memory import PersonaMemory
from persona_memory.testing import FakeOpenAI, FakeVllm, UntrainedAdapters
from persona_memory_openai import wrap
from persona_memory_serve import Settings, create_app
from persona_memory_vllm import AsyncVllmTransport, Fallback, VllmAdapters, VllmTransport
from tests.memory.test_consolidating import ByHeart
from tests.openai.conftest import prompt, user
from tests.serve.conftest import running
from tests.vllm.conftest import BASE, QUESTION, TIGHT, Open, train


class Wrapped:
    """Wrapped clients of an engine; closed at the end of the test."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack

    def __call__(self, memory: PersonaMemory, engine: VllmAdapters, **options: Any) -> OpenAI:
        http = httpx2.Client(transport=VllmTransport(engine, **options))
        client = OpenAI(base_url=engine.engine.base_url, api_key="engine-key", http_client=http, max_retries=0)
        return self.stack.enter_context(wrap(client, memory, max_tokens=TIGHT, ask_questions=False))


@pytest.fixture
def wrapped() -> Iterator[Wrapped]:
    with ExitStack() as stack:
        yield Wrapped(stack)


def ask(client: OpenAI, text: str = QUESTION, user_id: str = "ana", **options: Any) -> Any:
    asked: dict[str, Any] = {"model": BASE, "messages": [user(text)], "user": user_id, **options}
    return client.chat.completions.create(**asked, extra_headers={"X-Thread-Id": f"{user_id}-now"})


def test_each_person_is_answered_by_their_own_adapter(server: Any, open_engine: Open, wrapped: Wrapped) -> None:
    """With the best that fits in the prompt; where all of it fits, the base answers."""
    memory, engine = open_engine(server)
    ana, ben = train(memory, "ana", "ben")
    client = wrapped(memory, engine)
    for user_id in ("ana", "ben"):
        assert ask(client, user_id=user_id).choices[0].message.content == "Noted."
    assert ask(client, "Hm.", "cleo").choices[0].message.content == "Noted."
    assert server.answered == [ana, ben, BASE]
    assert "baker" in prompt(server.server.requests[0])
    assert engine.doors.failures == {}


def test_responses_are_answered_by_it_too(server: Any, open_engine: Open, wrapped: Wrapped) -> None:
    memory, engine = open_engine(server)
    (ana,) = train(memory, "ana")
    client = wrapped(memory, engine)
    assert client.responses.create(model=BASE, input=QUESTION, user="ana").output_text == "Noted."
    assert server.answered == [ana]


def test_a_stream_holds_its_adapter_to_its_end(open_engine: Open, wrapped: Wrapped) -> None:
    with FakeVllm(["one two three"], model=BASE) as server:
        memory, engine = open_engine(server, max_cpu_loras=1)
        ana, ben = train(memory, "ana", "ben")
        client = wrapped(memory, engine)
        stream = ask(client, stream=True)
        first = next(stream)
        assert first.model == ana
        ask(client, user_id="ben")
        assert server.loaded.keys() == {ana, ben}
        assert "".join(part.choices[0].delta.content or "" for part in stream) == "one two three"
        ask(client, user_id="ben")
        assert server.loaded.keys() == {ben}


def test_a_reply_ends_when_its_adapter_is_retired(open_engine: Open, wrapped: Wrapped) -> None:
    """Nothing of it is learnt, and the next try is answered by the base."""
    with FakeVllm(["one two three", "three two one"], model=BASE, pace=0.2) as server:
        memory, engine = open_engine(server)
        (ana,) = train(memory, "ana")
        client = wrapped(memory, engine)
        stream = ask(client, stream=True)
        next(stream)
        memory._learning.adapters.retire("ana", ana, reason="what it knows was erased")
        with pytest.raises(APIConnectionError) as caught:
            list(stream)
        assert "was retired" in str(caught.value.__cause__)
        assert server.loaded == {}
        assert [one["content"] for one in memory.export(user_id="ana")["messages"]].count("one two three") == 0
        assert ask(client).choices[0].message.content == "three two one"
        assert server.answered == [ana, BASE]


def test_an_engine_that_was_started_anew_costs_one_turn_its_adapter(
    server: Any, open_engine: Open, wrapped: Wrapped
) -> None:
    """Its 404 does not reach the chat: the base answers, with the same memory in the prompt."""
    memory, engine = open_engine(server)
    (ana,) = train(memory, "ana")
    client = wrapped(memory, engine)
    ask(client)
    server.restart()
    assert [ask(client).choices[0].message.content for _ in range(2)] == ["Noted."] * 2
    assert server.answered == [ana, BASE, ana]
    assert "baker" in prompt(server.server.requests[1])


def test_other_errors_are_the_clients(open_engine: Open, wrapped: Wrapped) -> None:
    from openai import BadRequestError

    from persona_memory.testing import Failure

    with FakeVllm([Failure(400, {"error": {"message": "too long", "code": 400}})], model=BASE) as server:
        memory, engine = open_engine(server)
        train(memory, "ana")
        with pytest.raises(BadRequestError, match="too long"):
            ask(wrapped(memory, engine))


def test_nobody_asks_for_an_adapter_by_its_name(server: Any, open_engine: Open, wrapped: Wrapped) -> None:
    """Names are not listed, and a request that brings one is for a model that does not exist."""
    memory, engine = open_engine(server)
    (ana,) = train(memory, "ana")
    client = wrapped(memory, engine)
    ask(client)
    assert ana in server.loaded
    assert [model.id for model in client.models.list()] == [BASE]
    with pytest.raises(NotFoundError, match="does not exist"):
        client.models.retrieve(ana)
    with pytest.raises(NotFoundError, match="does not exist"):
        ask(client, model=ana, user_id="ben")
    assert server.answered == [ana]


def test_another_model_of_the_engine_is_passed_on(server: Any, open_engine: Open, wrapped: Wrapped) -> None:
    memory, engine = open_engine(server)
    train(memory, "ana")
    with pytest.raises(NotFoundError, match="`other` does not exist"):
        ask(wrapped(memory, engine), model="other")
    assert server.asked == []


def test_while_the_engine_is_down_another_api_answers_from_context(
    server: Any, open_engine: Open, wrapped: Wrapped
) -> None:
    """It is shown the same memory, under its own key and model; without one the error is the client's."""
    memory, engine = open_engine(server)
    train(memory, "ana")
    server.__exit__(None, None, None)
    with FakeOpenAI(["Hello from elsewhere."]) as other:
        client = wrapped(memory, engine, fallback=Fallback(other.base_url, "gpt-5-mini", api_key="other-key"))
        assert ask(client).choices[0].message.content == "Hello from elsewhere."
        assert other.requests[0]["model"] == "gpt-5-mini"
        assert "baker" in prompt(other.requests[0])
        assert other.headers[0]["authorization"] == "Bearer other-key"
        assert "engine-key" not in str(other.headers)
    assert engine.doors.failures == {"adapter: EngineError": 1, "engine: ConnectError": 1}
    with pytest.raises(APIConnectionError):
        ask(wrapped(memory, engine))


async def test_off_the_event_loop_it_is_the_same(open_engine: Open) -> None:
    """Adapters, a new start, names, streams, another API."""
    with FakeVllm(["one two", "three", "four"], model=BASE) as server, FakeOpenAI(["elsewhere"]) as other:
        memory, engine = open_engine(server)
        (ana,) = train(memory, "ana")
        transport = AsyncVllmTransport(engine, fallback=Fallback(other.base_url, "gpt-5-mini"))
        plain = AsyncOpenAI(
            base_url=server.base_url, api_key="k", max_retries=0, http_client=httpx2.AsyncClient(transport=transport)
        )
        async with wrap(plain, memory, user_id="ana", max_tokens=TIGHT, ask_questions=False) as client:

            async def said(**options: Any) -> Any:
                return await client.chat.completions.create(messages=[user(QUESTION)], **{"model": BASE, **options})

            stream = await said(stream=True)
            assert "".join([part.choices[0].delta.content or "" async for part in stream]) == "one two"
            server.restart()
            assert (await said()).choices[0].message.content == "three"
            assert (await said()).choices[0].message.content == "four"
            assert server.answered == [ana, BASE, ana]
            assert [model.id async for model in client.models.list()] == [BASE]
            with pytest.raises(NotFoundError):
                await said(model=ana)
            server.__exit__(None, None, None)
            assert (await said()).choices[0].message.content == "elsewhere"


def test_the_proxy_answers_people_of_all_tenants_by_their_adapters(server: Any, open_memory: Any) -> None:
    with VllmAdapters(
        server.base_url, model=BASE, trainer=UntrainedAdapters(), max_cpu_loras=2, sync_every=3600
    ) as engine:

        def opened(namespace: str) -> PersonaMemory:
            memory: PersonaMemory = open_memory(parametric=engine, teacher=ByHeart(), namespace=namespace)
            return memory

        (ana,) = train(opened("default"), "ana")
        settings = Settings(upstream=server.base_url, max_tokens=TIGHT, ask_questions=False)
        app = create_app(opened, settings, transport=AsyncVllmTransport(engine))
        with running(app) as url, OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            assert ask(client).choices[0].message.content == "Noted."
            assert [model.id for model in client.models.list()] == [BASE]
            with pytest.raises(NotFoundError):
                ask(client, model=ana, user_id="mallory")
        assert server.answered == [ana]
