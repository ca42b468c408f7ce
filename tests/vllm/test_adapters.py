"""People are answered by their own adapter in the engine, or by the base; nobody by one that may not be served."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from persona_memory import InvalidInput, LedgerError, ParametricMemory, PersonaMemory, Route
from persona_memory.adapters import LoraSpec
from persona_memory.errors import AdapterRetired
from persona_memory.testing import FakeVllm, UntrainedAdapters
from persona_memory_vllm import EngineError, Stats, VllmAdapters
from persona_memory_vllm.engine import ADAPTER, adapters_of
from tests.memory.test_consolidating import FACTS, ByHeart
from tests.vllm.conftest import BASE, FINGERPRINT, QUESTION, TIGHT, Open, active, recalled, train


def answered(engine: VllmAdapters, route: Route | None) -> str:
    with engine.answering(route) as model:
        return model


def plain(memory: PersonaMemory) -> Path:
    """Where copies lie by default."""
    return memory._learning.adapters.folder.with_name("vllm")


def test_it_is_what_a_memory_is_opened_with(server: Any) -> None:
    with VllmAdapters(server.base_url, model=BASE, trainer=UntrainedAdapters()) as engine:
        one: ParametricMemory = engine
        assert (one.base_model, one.fingerprint, one.interpolates()) == (BASE, FINGERPRINT, False)


def test_what_does_not_fit_is_answered_by_the_persons_adapter(server: Any, open_engine: Open) -> None:
    """Under the revision's own name, from a copy of the two files that an engine reads, which only its owner may."""
    memory, engine = open_engine(server)
    (name,) = train(memory, "ana")
    recall = recalled(memory)
    assert (recall.route.name, recall.route.adapter_id) == ("parametric", name)
    assert recall.text
    with engine.answering(recall.route) as model:
        assert model == name
        assert server.loaded == {name: str(plain(memory) / name)}
    assert ADAPTER.fullmatch(name)
    assert sorted(path.name for path in (plain(memory) / name).iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    assert not stat.S_IMODE((plain(memory) / name).stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    assert engine.doors.failures == {}


def test_what_fits_is_answered_by_the_base_and_costs_the_engine_nothing(server: Any, open_engine: Open) -> None:
    memory, engine = open_engine(server)
    train(memory, "ana")
    recall = memory.recall("Where do I live?", user_id="ana", max_tokens=800)
    assert (recall.route.name, answered(engine, recall.route)) == ("context", BASE)
    assert answered(engine, None) == BASE
    assert server.asked == []


def test_an_adapter_is_loaded_once_and_each_revision_under_a_name_of_its_own(
    server: Any, open_engine: Open, clock: Any
) -> None:
    """A name is never loaded with other weights: what an engine has cached under it stays true."""
    memory, engine = open_engine(server)
    (first,) = train(memory, "ana")
    for _ in range(3):
        assert answered(engine, recalled(memory).route) == first
    assert engine.stats == Stats(hits=2, loads=1)
    for day in range(8):
        clock.move(days=1)
        memory.observe([("user", f"I play the cello. {day}")], user_id="ana", thread_id=f"d{day}")
    memory.flush()
    memory.consolidate(user_id="ana")
    memory.flush()
    second = active(memory)
    assert answered(engine, recalled(memory).route) == second != first
    assert [name for what, name in server.asked if what == "load"] == [first, second]


async def test_off_the_event_loop_it_is_the_same(server: Any, open_engine: Open) -> None:
    memory, engine = open_engine(server)
    (name,) = train(memory, "ana")
    route = (await memory.arecall(QUESTION, user_id="ana", max_tokens=TIGHT)).route
    for _ in range(2):
        async with engine.aanswering(route) as model:
            assert model == name
    assert engine.stats == Stats(hits=1, loads=1)
    server.restart()
    engine.sync()
    server.__exit__(None, None, None)
    async with engine.aanswering(route) as model:
        assert model == BASE
    assert engine.doors.failures == {"adapter: EngineError": 1}


# ── room in the engine ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_adapter_whose_use_is_longest_ago_makes_room(server: Any, open_engine: Open) -> None:
    memory, engine = open_engine(server)
    ana, ben, cleo = train(memory, "ana", "ben", "cleo")
    for user_id in ("ana", "ben", "ana", "cleo"):
        answered(engine, recalled(memory, user_id).route)
    assert server.loaded.keys() == {ana, cleo}
    assert server.asked[-1] == ("unload", ben)
    assert engine.stats == Stats(hits=1, loads=3, evictions=1)


def test_an_adapter_that_answers_somebody_makes_no_room(server: Any, open_engine: Open) -> None:
    """Where all answer somebody, the engine has one more for the moment, and lets them wait for each other."""
    memory, engine = open_engine(server, max_cpu_loras=1)
    ana, ben = train(memory, "ana", "ben")
    with engine.answering(recalled(memory, "ana").route):
        assert answered(engine, recalled(memory, "ben").route) == ben
        assert server.loaded.keys() == {ana, ben}
    answered(engine, recalled(memory, "ben").route)
    assert server.loaded.keys() == {ben}


def test_copies_of_what_the_engine_has_let_go_of_are_cleared(server: Any, open_engine: Open) -> None:
    """At the second look: a request that another process has sent may still be read from them."""
    memory, engine = open_engine(server, max_cpu_loras=1)
    ana, ben = train(memory, "ana", "ben")
    for user_id in ("ana", "ben"):
        answered(engine, recalled(memory, user_id).route)
    assert {path.name for path in plain(memory).iterdir()} == {ana, ben}
    engine.sync()
    engine.sync()
    assert {path.name for path in plain(memory).iterdir()} == {ben}


# ── retired ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("erase", ["forget", "delete_user"])
def test_what_is_erased_leaves_the_engine_before_the_receipt(server: Any, open_engine: Open, erase: str) -> None:
    """Unloaded, its copy deleted, and nobody is answered by it; the other person's stays."""
    memory, engine = open_engine(server)
    ana, ben = train(memory, "ana", "ben")
    routes = {user_id: recalled(memory, user_id).route for user_id in ("ana", "ben")}
    assert [answered(engine, route) for route in routes.values()] == [ana, ben]
    if erase == "forget":
        receipt = memory.forget([memory.memories(user_id="ana")[0].id], user_id="ana")
    else:
        receipt = memory.delete_user(user_id="ana")
    assert receipt.complete
    assert server.loaded.keys() == {ben}
    assert {path.name for path in plain(memory).iterdir()} == {ben}
    assert [answered(engine, route) for route in routes.values()] == [BASE, ben]


@pytest.mark.parametrize("erase", ["forget", "delete_user"])
def test_what_another_process_erases_answers_nobody_and_leaves_with_the_next_sync(
    server: Any, open_engine: Open, open_memory: Callable[..., PersonaMemory], erase: str
) -> None:
    """The ledger is asked at each request: between the erasure and the sync the engine only holds it."""
    memory, engine = open_engine(server)
    ana, ben = train(memory, "ana", "ben")
    routes = {user_id: recalled(memory, user_id).route for user_id in ("ana", "ben")}
    for route in routes.values():
        answered(engine, route)
    other = open_memory()  # knows of no engine
    if erase == "forget":
        other.forget([other.memories(user_id="ana")[0].id], user_id="ana")
    else:
        other.delete_user(user_id="ana")
    assert [answered(engine, route) for route in routes.values()] == [BASE, ben]
    assert ana in server.loaded
    assert engine.sync() == 1
    assert server.loaded.keys() == {ben}
    assert {path.name for path in plain(memory).iterdir()} == {ben}
    assert engine.sync() == 0


def test_what_cannot_be_looked_up_stays(server: Any, open_engine: Open) -> None:
    """A ledger that does not answer says nothing of who was erased."""
    memory, engine = open_engine(server)
    (ana,) = train(memory, "ana")
    answered(engine, recalled(memory).route)
    with memory._ledger.write() as tx:
        tx.exec_driver_sql("alter table adapters rename to away")
    with pytest.raises(LedgerError):
        engine.sync()
    assert server.loaded.keys() == {ana}


def test_a_memory_that_is_closed_keeps_no_other_from_the_engine(
    server: Any, open_engine: Open, open_memory: Callable[..., PersonaMemory]
) -> None:
    """Opened again with the same object, people have their adapters, and what is retired is withdrawn."""
    memory, engine = open_engine(server)
    (ana,) = train(memory, "ana")
    route = recalled(memory).route
    assert answered(engine, route) == ana
    memory.close()
    assert (answered(engine, route), engine.sync(), server.loaded.keys()) == (BASE, 0, {ana})
    open_memory(parametric=engine, teacher=ByHeart())
    assert answered(engine, route) == ana
    open_memory().delete_user(user_id="ana")  # knows of no engine
    assert (engine.sync(), server.loaded) == (1, {})


def test_what_a_killed_process_has_left_in_the_engine_leaves_when_the_next_one_starts(
    server: Any, open_engine: Open, open_memory: Callable[..., PersonaMemory]
) -> None:
    memory, engine = open_engine(server)
    (ana,) = train(memory, "ana")
    answered(engine, recalled(memory).route)
    engine.close()  # it knows nothing of what comes
    open_memory().delete_user(user_id="ana")
    assert ana in server.loaded
    _, again = open_engine(server)
    again.close()  # its first sync has ended
    assert server.loaded == {}
    assert list(plain(memory).iterdir()) == []


def test_who_comes_back_has_adapters_of_other_names(
    server: Any, open_engine: Open, open_memory: Callable[..., PersonaMemory]
) -> None:
    """Nobody told the engine of the deletion: what it holds of before is not taken for the new adapter."""
    memory, engine = open_engine(server)
    (old,) = train(memory, "ana")
    answered(engine, recalled(memory).route)
    engine.close()
    other = open_memory(parametric=UntrainedAdapters(), teacher=ByHeart())
    other.delete_user(user_id="ana")
    for day, said in enumerate(FACTS):
        other.observe([("user", said)], user_id="ana", thread_id=f"again{day}")
    other.flush()
    other.consolidate(user_id="ana")
    other.flush()
    assert server.loaded.keys() == {old}
    memory, engine = open_engine(server)
    assert answered(engine, recalled(memory).route) == active(memory) != old
    engine.sync()
    assert server.loaded.keys() == {active(memory)}


def test_what_is_erased_while_it_is_loaded_answers_nobody(server: Any, open_engine: Open) -> None:
    memory, engine = open_engine(server)
    (name,) = train(memory, "ana")
    (other,) = train(memory, "ben")
    with httpx2.Client() as client:
        steps = engine._ready(name)
        loading = next(steps)
        memory.delete_user(user_id="ana")
        with pytest.raises(EngineError, match="No adapter found"):  # the copy is gone already
            steps.send(client.send(loading))
        steps = engine._ready(other)
        loaded = client.send(next(steps))
        with memory._ledger.write() as tx:  # in another process, which knows of no engine
            tx.exec_driver_sql("update adapters set state = 'retired' where user_id = 'ben'")
        unload = steps.send(loaded)
        assert unload.url.path.endswith("/unload_lora_adapter")
        with pytest.raises(AdapterRetired):
            steps.send(client.send(unload))
    assert server.loaded == {}
    assert not list(plain(memory).iterdir())


def test_two_tenants_of_one_engine_leave_each_others_adapters_alone(server: Any, open_engine: Open) -> None:
    """The ledger knows all of them; a registry that looks at its own alone would take the others for erased."""
    memories = [open_engine(server, memory={"namespace": name}) for name in ("acme", "globex")]
    for memory, engine in memories:
        train(memory, "ana")
        answered(engine, recalled(memory).route)
    assert [engine.sync() for _, engine in memories] == [0, 0]
    assert len(server.loaded) == 2


def test_one_engine_serves_the_memories_of_several_tenants(
    server: Any, open_memory: Callable[..., PersonaMemory]
) -> None:
    with VllmAdapters(
        server.base_url, model=BASE, trainer=UntrainedAdapters(), max_cpu_loras=2, sync_every=3600
    ) as engine:
        memories = [open_memory(parametric=engine, teacher=ByHeart(), namespace=name) for name in ("acme", "globex")]
        for memory in memories:
            (name,) = train(memory, "ana")
            assert answered(engine, recalled(memory).route) == name
        memories[0].delete_user(user_id="ana")
        assert server.loaded.keys() == {active(memories[1])}


def test_what_the_worker_has_let_go_of_cannot_be_unloaded_and_is_said(open_engine: Open) -> None:
    """As vLLM would answer with a change that is proposed. Its file is gone: nobody can be answered by it."""
    with FakeVllm(model=BASE, max_cpu_loras=1, removes=True) as server:
        memory, engine = open_engine(server, max_cpu_loras=2)
        ana, _ = train(memory, "ana", "ben")
        for user_id in ("ana", "ben"):
            answered(engine, recalled(memory, user_id).route)
        memory.delete_user(user_id="ana")
        assert ana in server.loaded
        assert engine.doors.failures == {"unload: EngineError": 1}
        body = {"model": ana, "messages": [{"role": "user", "content": "Hello"}]}
        assert httpx2.post(f"{server.base_url}/chat/completions", json=body).status_code == 404


def test_a_password_in_the_engines_address_is_not_told(server: Any) -> None:
    """Neither in errors nor in the line of the log that is made of one."""
    secret = server.base_url.replace("http://", "http://chatbot:geheim@")
    with VllmAdapters(f"{secret}/nowhere", model=BASE, fingerprint=FINGERPRINT) as engine:
        with pytest.raises(EngineError, match=r"^http://127\.0\.0\.1:\d+/v1/nowhere/models lists no models") as told:
            engine.check()
        server.__exit__(None, None, None)
        with pytest.raises(EngineError, match="does not answer") as silent:
            engine.check()
    assert "geheim" not in f"{told.value} {silent.value}"


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_engine_that_is_down_leaves_the_base_and_is_not_asked_at_every_turn(
    server: Any, open_engine: Open, caplog: pytest.LogCaptureFixture
) -> None:
    memory, engine = open_engine(server)
    train(memory, "ana")
    recall = recalled(memory)
    server.__exit__(None, None, None)
    assert [answered(engine, recall.route) for _ in range(3)] == [BASE] * 3
    assert engine.doors.failures == {"adapter: EngineError": 3}
    assert recall.text  # goes into the prompt of whatever answers
    assert [one.name for one in caplog.records].count("persona_memory.vllm") == 1
    assert "does not answer" in caplog.text


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        ({"spec": LoraSpec(rank=32)}, {}, "start vLLM with --max-lora-rank 32"),
        ({"spec": LoraSpec(rank=32)}, {"max_lora_rank": 32}, "start it with a larger --max-lora-rank"),
        ({"config": {"use_dora": True}}, {}, "use_dora"),
        ({"config": {"bias": "all"}}, {}, "bias"),
        ({"config": {"target_modules": ["lm_head"]}}, {}, "of none of the target modules"),
    ],
)
def test_what_the_engine_cannot_load_is_said_once_and_the_base_answers(
    server: Any, open_engine: Open, caplog: pytest.LogCaptureFixture, made: Any, options: Any, said: str
) -> None:
    memory, engine = open_engine(server, made=made, **options)
    train(memory, "ana")
    with caplog.at_level(logging.WARNING, logger="persona_memory"):
        assert [answered(engine, recalled(memory).route) for _ in range(2)] == [BASE] * 2
    (record,) = [one for one in caplog.records if one.name == "persona_memory.vllm"]
    assert said in record.getMessage()
    assert server.loaded == {}
    engine.sync()
    engine.sync()
    assert not plain(memory).is_dir() or not list(plain(memory).iterdir())


def test_files_that_were_changed_are_not_handed_to_the_engine(server: Any, open_engine: Open) -> None:
    """An engine believes everything; the registry's checksums are compared before it sees anything."""
    memory, engine = open_engine(server)
    (name,) = train(memory, "ana")
    weights = memory._learning.adapters.folder / name / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\0")
    assert answered(engine, recalled(memory).route) == BASE
    assert server.asked == []
    assert engine.doors.failures == {"adapter: AdapterRefused": 1}


def test_an_adapter_that_another_process_has_loaded_is_used(server: Any, open_engine: Open) -> None:
    """vLLM answers 400 to the second."""
    memory, engine = open_engine(server)
    (name,) = train(memory, "ana")
    _, other = open_engine(server)
    routes = recalled(memory).route
    assert [answered(engine, routes), answered(other, routes)] == [name, name]
    assert other.doors.failures == {}


def test_an_engine_that_was_started_anew_is_loaded_again(server: Any, open_engine: Open) -> None:
    memory, engine = open_engine(server)
    (name,) = train(memory, "ana")
    answered(engine, recalled(memory).route)
    server.restart()
    engine.sync()
    assert answered(engine, recalled(memory).route) == name
    assert name in server.loaded


def test_a_check_says_what_is_wrong_with_the_engine(server: Any) -> None:
    with VllmAdapters(server.base_url, model=BASE, fingerprint=FINGERPRINT) as engine:
        engine.check()
    with (
        VllmAdapters(server.base_url, model="other", fingerprint=FINGERPRINT) as engine,
        pytest.raises(InvalidInput, match=r"serves \['base-1'\], not 'other'"),
    ):
        engine.check()
    with (
        FakeVllm(model=BASE, updating=False) as fixed,
        VllmAdapters(fixed.base_url, model=BASE, fingerprint=FINGERPRINT) as engine,
        pytest.raises(EngineError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=true"),
    ):
        engine.check()
    with (
        VllmAdapters("http://127.0.0.1:9/v1", model=BASE, fingerprint=FINGERPRINT) as engine,
        pytest.raises(EngineError, match="does not answer"),
    ):
        engine.check()


def test_an_engine_takes_no_adapters_unless_it_is_allowed_to(open_engine: Open) -> None:
    with FakeVllm(model=BASE, updating=False) as server:
        memory, engine = open_engine(server)
        train(memory, "ana")
        assert answered(engine, recalled(memory).route) == BASE
        assert engine.doors.failures == {"adapter: EngineError": 1}


async def test_who_only_serves_says_who_trains(server: Any) -> None:
    with VllmAdapters(server.base_url, model=BASE, fingerprint=FINGERPRINT) as engine:
        assert (engine.trainable(), engine.fingerprint) == (True, FINGERPRINT)
        for asked in (engine.train(None), engine.drift(None, ()), engine.foretell((), ())):  # type: ignore[arg-type]
            with pytest.raises(InvalidInput, match="persona-memory worker --local"):
                await asked
    for given in ({}, {"trainer": UntrainedAdapters(), "fingerprint": FINGERPRINT}):
        with pytest.raises(InvalidInput, match="trainer=…, or else the fingerprint"):
            VllmAdapters(server.base_url, model=BASE, **given)  # type: ignore[arg-type]


def test_an_engine_in_a_container_is_told_its_own_path(server: Any, open_engine: Open, tmp_path: Path) -> None:
    (tmp_path / "seen").symlink_to(tmp_path / "shared")  # as a volume that is mounted elsewhere
    memory, engine = open_engine(server, folder=tmp_path / "shared", engine_folder=str(tmp_path / "seen"))
    (name,) = train(memory, "ana")
    answered(engine, recalled(memory).route)
    assert server.loaded == {name: str(tmp_path / "seen" / name)}


# ── encrypted ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_encrypted_memory_wants_a_folder_for_plain_copies_and_clears_it(
    server: Any, open_engine: Open, tmp_path: Path
) -> None:
    """Nothing plain lies in its home by default; where copies lie is for its owner to say."""
    pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')
    key = {"memory": {"encryption": b"k" * 32}}
    with pytest.raises(InvalidInput, match=r"encrypted, and vLLM reads plain files: pass folder="):
        open_engine(server, **key)
    memory, engine = open_engine(server, folder=tmp_path / "in-memory", **key)
    (name,) = train(memory, "ana")
    assert answered(engine, recalled(memory).route) == name
    stored = (memory._learning.adapters.folder / name / "adapter_config.json").read_bytes()
    copied = (tmp_path / "in-memory" / name / "adapter_config.json").read_bytes()
    assert b"peft_type" not in stored
    assert b"peft_type" in copied
    memory.delete_user(user_id="ana")
    assert list((tmp_path / "in-memory").iterdir()) == []
    assert server.loaded == {}


def test_an_adapter_of_the_registry_is_known_by_its_name() -> None:
    """As `persona_memory.adapters.names` makes them."""
    from persona_memory.adapters import revision_name, start_name

    name = revision_name(b"k" * 16, "ana@example.com", 12)
    assert adapters_of([name, start_name(3), BASE, f"{name}0", f"x{name}"]) == {name}
