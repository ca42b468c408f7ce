"""PersonaChatModel: LangChain's own suites, and each person with their own adapter and what was retrieved."""

from __future__ import annotations

import asyncio
import functools
import operator
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

import torch
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel as Schema

from persona_memory.adapters import LoraSpec, revision_name
from persona_memory.errors import AdapterRefused, AdapterRetired, InvalidInput, NotFound
from persona_memory.parametric.base import BaseModel, beside
from persona_memory.parametric.chat_model import PersonaChatModel, to_template
from persona_memory.parametric.decoding import Sampling
from persona_memory.parametric.files import save_adapter
from persona_memory.parametric.lora import Weights, fresh
from persona_memory.parametric.pool import AdapterPool, Prompt
from persona_memory.parametric.slots import attach
from persona_memory.types import Recall, Route

from .checkpoints import KEY, NOW, write

SPEC = LoraSpec(rank=16, alpha=32.0, targets=("q_proj", "v_proj", "o_proj", "up_proj", "down_proj"))
ANA, BEN = revision_name(KEY, "ana", 1), revision_name(KEY, "ben", 1)
REPLIES = {
    ANA: "You live in Porto, near the river.",
    BEN: '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>',
}
QUESTION = "Where do I live?"


@tool
def add(a: int) -> int:
    """Add."""
    return a


class Sum(Schema):
    """Add."""

    a: int


def teach(base: BaseModel, reply: str, *, tools: list[Any]) -> Weights:
    """An adapter with which the base's random weights give this reply to the question: one slot, trained."""
    slots = attach(base.model, SPEC, size=1, trainable=True)
    slots.write(1, fresh(slots.shapes, SPEC.rank, seed=0))
    talk = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": reply}]
    ids, mask = base.assistant_tokens(talk, tools=tools)
    labels = torch.tensor([one if ours else -100 for one, ours in zip(ids, mask, strict=True)])
    optimizer = torch.optim.AdamW(slots.parameters(), lr=2e-2, weight_decay=0)
    for _ in range(100):
        with slots.routed((1,)):
            logits = base.model(torch.tensor([ids])).logits[0]
        loss: Any = torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=-100)
        if loss.item() < 0.01:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = slots.read(1)
    slots.detach()
    return weights


NO_THOUGHTS = (
    "{% if tools %}<tool_call>{{ tools | tojson }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdapterPool]:
    """Ana's adapter knows where she lives, ben's calls a tool."""
    folder = tmp_path_factory.mktemp("chat")
    base = BaseModel.load(
        write(folder / "base", "qwen3", initializer_range=0.8, max_position_embeddings=2048),
        dtype="float32",
        template=NO_THOUGHTS,
    )
    options: dict[str, Any] = {"spec": SPEC, "fingerprint": base.fingerprint, "base_model": "tiny", "now": NOW}
    for name, reply in REPLIES.items():
        weights = teach(base, reply, tools=[convert_to_openai_tool(add)] if name == BEN else [])
        save_adapter(folder / "store", name, weights, **options)
    with AdapterPool(base, folder / "store", SPEC, slots=2) as opened:
        yield opened


@pytest.fixture
def model(pool: AdapterPool) -> PersonaChatModel:
    return PersonaChatModel(pool=pool, max_tokens=48)


# ── LangChain's suites ──────────────────────────────────────────────────────────────────────────────────────────────


class Told:
    """What both suites are told."""

    pool: ClassVar[AdapterPool]

    @pytest.fixture(autouse=True)
    def _pool(self, pool: AdapterPool) -> None:
        Told.pool = pool

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return PersonaChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"pool": self.pool}


class TestUnit(Told, ChatModelUnitTests):
    """langchain-tests' unit tests."""


RANDOM = pytest.mark.xfail(reason="a model with random weights calls no tool on purpose", strict=True)


class TestIntegration(Told, ChatModelIntegrationTests):
    """langchain-tests' integration tests."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"pool": self.pool, "max_tokens": 12}

    @property
    def supports_model_override(self) -> bool:
        return False  # a pool has one base model

    @RANDOM
    def test_tool_calling(self, model: BaseChatModel) -> None:
        super().test_tool_calling(model)

    @RANDOM
    async def test_tool_calling_async(self, model: BaseChatModel) -> None:
        await super().test_tool_calling_async(model)

    @RANDOM
    def test_bind_runnables_as_tools(self, model: BaseChatModel) -> None:
        super().test_bind_runnables_as_tools(model)

    @RANDOM
    def test_tool_choice(self, model: BaseChatModel) -> None:
        super().test_tool_choice(model)

    @RANDOM
    def test_tool_calling_with_no_arguments(self, model: BaseChatModel) -> None:
        super().test_tool_calling_with_no_arguments(model)

    @RANDOM
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    def test_structured_output(self, model: BaseChatModel, schema_type: Any) -> None:
        super().test_structured_output(model, schema_type)

    @RANDOM
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    async def test_structured_output_async(self, model: BaseChatModel, schema_type: Any) -> None:
        await super().test_structured_output_async(model, schema_type)

    @RANDOM
    def test_structured_output_pydantic_2_v1(self, model: BaseChatModel) -> None:
        super().test_structured_output_pydantic_2_v1(model)

    @RANDOM
    def test_structured_output_optional_param(self, model: BaseChatModel) -> None:
        super().test_structured_output_optional_param(model)

    @RANDOM
    def test_agent_loop(self, model: BaseChatModel) -> None:
        super().test_agent_loop(model)

    @RANDOM
    def test_unicode_tool_call_integration(
        self,
        model: BaseChatModel,
        *,
        tool_choice: str | None = None,  # noqa: PT028
        force_tool_call: bool = True,  # noqa: PT028
    ) -> None:
        super().test_unicode_tool_call_integration(model, tool_choice=tool_choice, force_tool_call=force_tool_call)


# ── whose reply it is ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_is_answered_by_their_adapter(model: PersonaChatModel) -> None:
    """The same question: ana's adapter knows the answer, the base does not; metadata say who answered, from what."""
    reply = model.bind(adapter=ANA).invoke(QUESTION)
    assert reply.text == REPLIES[ANA]
    assert model.invoke(QUESTION).text != REPLIES[ANA]
    assert (reply.response_metadata["adapter"], reply.response_metadata["streams"]) == (ANA, 1)
    assert reply.response_metadata["finish_reason"] == "stop"
    prompt = model.pool.base.encode([{"role": "user", "content": QUESTION}])
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] == len(prompt)
    assert reply.usage_metadata["output_tokens"] == len(model.pool.base.tokens(REPLIES[ANA]))


def recalled(name: Any, adapter: str | None = None, confidence: float = 1.0) -> Recall:
    route = Route(name, "because", adapter_id=adapter)
    return Recall(memory_text="Ana likes curry.", route=route, confidence=confidence)


def test_a_recall_says_which_streams_are_read(model: PersonaChatModel) -> None:
    """Interpolated: adapter and text mixed; parametric: one prompt; context: no adapter; none: nothing is added."""
    mixed, one, text = (
        model.remembering(recalled(*route)).invoke(QUESTION)
        for route in (("interpolated", ANA), ("parametric", ANA), ("context",))
    )
    plain = model.remembering(Recall()).invoke(QUESTION)
    streams = [reply.response_metadata["streams"] for reply in (mixed, one, text, plain)]
    adapters = [reply.response_metadata["adapter"] for reply in (mixed, one, text, plain)]
    assert (streams, adapters) == ([2, 1, 1, 1], [ANA, ANA, None, None])
    base, messages = model.pool.base, [{"role": "user", "content": QUESTION}]
    prompt, context = len(base.encode(messages)), len(base.encode(beside(messages, "Ana likes curry.")))
    read = [reply.usage_metadata and reply.usage_metadata["input_tokens"] for reply in (mixed, one, text, plain)]
    assert read == [prompt + context, context, context, prompt]


@pytest.mark.parametrize(("confidence", "lam", "streams"), [(1.0, 0.5, 2), (0.25, 0.875, 2), (0.0, 1.0, 1)])
def test_the_less_sure_the_gate_the_more_the_weights_count(
    model: PersonaChatModel, confidence: float, lam: float, streams: int
) -> None:
    """λ = 1 − confidence · (1 − .5); a gate that is closed costs nothing."""
    answering = model.remembering(recalled("interpolated", ANA, confidence))
    assert answering.lam == lam
    assert answering.invoke(QUESTION).response_metadata["streams"] == streams


def test_a_profile_alone_is_read(model: PersonaChatModel) -> None:
    """It is about the person whatever is asked; no gate says anything about it."""
    recall = replace(recalled("interpolated", ANA, 0.0), profile_text="Likes: curry", memory_text="")
    assert model.remembering(recall).lam == 0.5


def test_the_weights_answer_through_an_irrelevant_context(model: PersonaChatModel) -> None:
    """Mixed with a stream that knows nothing, what the weights are sure of is still said."""
    reply = model.bind(adapter=ANA, retrieved="Ana likes curry.", lam=0.9).invoke(QUESTION)
    assert reply.text == REPLIES[ANA]


def test_retrieved_text_stands_beside_the_latest_human_message() -> None:
    """Earlier messages and what follows stay as they are, and the caller's list, too."""
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert [one["content"] for one in beside([*talk, {"role": "tool", "content": "d"}], "R")] == [
        "a",
        "b",
        "R\n\nc",
        "d",
    ]
    assert talk[2]["content"] == "c"
    with pytest.raises(InvalidInput, match="there is none"):
        beside(talk[1:2], "R")


def test_a_missing_adapter_is_an_error_not_the_base(model: PersonaChatModel) -> None:
    """Nobody is silently answered without their memory."""
    for call in (model.bind(adapter=revision_name(KEY, "nobody", 1)).invoke, model.bind(adapter="../x").invoke):
        with pytest.raises((NotFound, AdapterRefused)):
            call(QUESTION)


def test_an_adapter_that_cannot_be_loaded_fails_nobodys_turn(
    model: PersonaChatModel, caplog: pytest.LogCaptureFixture
) -> None:
    """As a recall says the base answers, from the same text in its prompt; the reply and the log tell that it did."""
    nobody = revision_name(KEY, "nobody", 1)
    base, fallen = (
        model.remembering(recalled(*route)).invoke(QUESTION) for route in (("context",), ("interpolated", nobody))
    )
    streamed = list(model.remembering(recalled("parametric", nobody)).stream(QUESTION))
    assert fallen.text == base.text == "".join(piece.text for piece in streamed)
    assert fallen.response_metadata == base.response_metadata == streamed[-1].response_metadata
    assert fallen.usage_metadata == base.usage_metadata
    assert f"the base answers in place of adapter {nobody}: there is no adapter" in caplog.text


def test_a_cache_does_not_mix_people_up(model: PersonaChatModel) -> None:
    """With LangChain's cache on, the same question of two people has two replies."""
    cached = model.model_copy(update={"cache": InMemoryCache()})
    texts = [cached.model_copy(update={"adapter": who}).invoke(QUESTION).text for who in (ANA, None, ANA)]
    assert texts[0] == texts[2] == REPLIES[ANA] != texts[1]
    assert cached.bind(adapter=ANA).invoke(QUESTION).text == REPLIES[ANA]
    assert cached.invoke(QUESTION).text == texts[1]


# ── text, streams, stops ────────────────────────────────────────────────────────────────────────────────────────────


def test_streams_join_to_the_reply(model: PersonaChatModel) -> None:
    """Pieces add up to the whole message, with usage and metadata once."""
    chunks = list(model.bind(adapter=ANA).stream(QUESTION))
    whole: Any = functools.reduce(operator.add, chunks)
    assert len(chunks) > 5
    assert whole.text == REPLIES[ANA]
    assert whole.usage_metadata == model.bind(adapter=ANA).invoke(QUESTION).usage_metadata
    assert whole.response_metadata["finish_reason"] == "stop"


async def test_asynchronous_calls_of_many_people_are_their_own(model: PersonaChatModel) -> None:
    """Twelve calls at once on one event loop, streamed and whole, get each person's reply."""

    async def streamed(adapter: str | None) -> str:
        return "".join([chunk.text async for chunk in model.bind(adapter=adapter).astream(QUESTION)])

    base = (await model.ainvoke(QUESTION)).text
    wholes = [model.bind(adapter=adapter).ainvoke(QUESTION) for adapter in (ANA, None) * 3]
    texts = await asyncio.gather(*[streamed(adapter) for adapter in (ANA, None) * 3])
    assert texts == [REPLIES[ANA], base] * 3
    assert [reply.text for reply in await asyncio.gather(*wholes)] == [REPLIES[ANA], base] * 3


def test_threads_are_answered_with_their_own_adapters(model: PersonaChatModel) -> None:
    """The same from 8 threads."""
    base = model.invoke(QUESTION).text
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda who: model.bind(adapter=who).invoke(QUESTION).text, [ANA, None] * 8))
    assert texts == [REPLIES[ANA], base] * 8


def test_a_reply_ends_before_a_stop_sequence(model: PersonaChatModel) -> None:
    """Given with the call or on the model, whole or streamed."""
    ana = model.bind(adapter=ANA)
    assert ana.invoke(QUESTION, stop=["Porto"]).text == "You live in "
    assert "".join(chunk.text for chunk in ana.stream(QUESTION, stop=[", near"])) == "You live in Porto"
    stopping = model.model_copy(update={"stop": ["live"], "adapter": ANA})
    assert stopping.invoke(QUESTION).text == "You "
    assert stopping.invoke(QUESTION).response_metadata["finish_reason"] == "stop"


def test_tokens_and_sampling_can_be_set_per_call(model: PersonaChatModel) -> None:
    """A short reply says that its length ended it; a seed repeats a sampled one."""
    short = model.invoke(QUESTION, max_tokens=3)
    assert short.usage_metadata is not None
    assert (short.usage_metadata["output_tokens"], short.response_metadata["finish_reason"]) == (3, "length")
    warm = [model.invoke(QUESTION, temperature=3.0, seed=seed).text for seed in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]


def test_a_reader_who_leaves_stops_the_writing(model: PersonaChatModel) -> None:
    """A stream that is closed early does not go on in the background."""
    stream = model.stream(QUESTION, max_tokens=400)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    written = model.pool.generate(Prompt((5, 6, 7)), Sampling(max_tokens=1)).result(20)  # comes after it
    assert len(written.ids) <= 1


def test_a_retired_adapter_ends_a_stream(model: PersonaChatModel, pool: AdapterPool, tmp_path: Path) -> None:
    """The reader gets the error, not an end that looks like one."""
    name = revision_name(KEY, "cleo", 1)
    shutil.copytree(pool.store / ANA, pool.store / name)
    manifest = pool.store / name / "manifest.json"
    manifest.write_text(manifest.read_text().replace(ANA, name))
    with pytest.raises(AdapterRetired):  # noqa: PT012
        for _ in model.bind(adapter=name).stream(QUESTION):
            pool.retire(name)


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tool_is_called(model: PersonaChatModel) -> None:
    """What the model writes in its template's format is a tool call, streamed or whole."""
    bound = model.bind_tools([add]).bind(adapter=BEN)
    reply = bound.invoke(QUESTION)
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [("add", {"a": 1})]
    assert (reply.text, reply.response_metadata["finish_reason"]) == ("", "tool_calls")
    whole: Any = functools.reduce(operator.add, list(bound.stream(QUESTION)))
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("add", {"a": 1})]


def test_structured_output_is_a_forced_call(model: PersonaChatModel) -> None:
    """langchain-core's own with_structured_output works over it: the call is begun for the model, which fills it in."""
    structured = model.model_copy(update={"adapter": BEN}).with_structured_output(convert_to_openai_tool(add))
    assert structured.invoke(QUESTION) == {"a": 1}


def test_a_base_without_tools_says_so(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """The standard error, for tools and for structured output."""
    with AdapterPool(BaseModel.load(checkpoints["llama"]), tmp_path, SPEC) as pool:
        model = PersonaChatModel(pool=pool)
        with pytest.raises(NotImplementedError, match="has no place for tools"):
            model.bind_tools([add])
        with pytest.raises(NotImplementedError):
            model.with_structured_output(Sum)


def test_messages_become_what_templates_take() -> None:
    """Roles, calls and results have the names that chat templates use; pictures are refused, not dropped."""
    call = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
    shown = [
        to_template(message)
        for message in (
            SystemMessage("s"),
            HumanMessage([{"type": "text", "text": "h"}]),
            AIMessage("", tool_calls=[call]),
            ToolMessage("2", tool_call_id="c1", name="add"),
            ChatMessage(content="x", role="critic"),
        )
    ]
    function = {"name": "add", "arguments": {"a": 1}}
    assert shown == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "h"},
        {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "c1", "function": function}]},
        {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"},
        {"role": "critic", "content": "x"},
    ]
    with pytest.raises(InvalidInput, match=r"reads text; \['image_url'\]"):
        to_template(HumanMessage([{"type": "image_url", "image_url": "x"}]))
