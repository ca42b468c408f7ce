"""The pool: each reply with its own person's adapter, whoever else is being served."""

from __future__ import annotations

import random
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory.adapters import delete_revision, revision_name
from persona_memory.adapters.files import WEIGHTS
from persona_memory.errors import (
    AdapterError,
    AdapterRefused,
    AdapterRetired,
    InvalidInput,
    NoFreeSlot,
    NotFound,
    OutOfMemory,
)
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.decoding import Sampling, Written, decode
from persona_memory.parametric.files import save_adapter
from persona_memory.parametric.lora import target_shapes
from persona_memory.parametric.pool import AdapterPool, Prompt
from persona_memory.parametric.slots import Slots, attach
from persona_memory.parametric.streams import Row

from .checkpoints import KEY, NOW, SPEC, adapter

NAMES = [revision_name(KEY, f"person {n}", 1) for n in range(6)]
PROMPT, CONTEXT = tuple(range(10, 22)), (*range(60, 83), *range(10, 22))
SHORT = Sampling(max_tokens=6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path]) -> Path:
    """Six people's adapters."""
    folder, base = tmp_path_factory.mktemp("store"), BaseModel.load(checkpoints["qwen3"], dtype="float32")
    shapes = target_shapes(base.model, SPEC)
    for seed, name in enumerate(NAMES):
        options = {"fingerprint": base.fingerprint, "base_model": "tiny", "now": NOW}
        save_adapter(folder, name, adapter(shapes, seed), spec=SPEC, **options)
    return folder


@pytest.fixture
def pool(qwen: BaseModel, store: Path) -> Iterator[AdapterPool]:
    """A pool of two slots."""
    with AdapterPool(qwen, store, SPEC, slots=2) as opened:
        yield opened


def alone(base: BaseModel, seed: int | None, prompt: Prompt) -> tuple[int, ...]:
    """What one person's adapter writes on a model of its own."""
    slots = attach(base.model, SPEC, size=1)
    if seed is not None:
        slots.write(1, adapter(slots.shapes, seed))
    row = Row(prompt.ids, prompt.context, prompt.lam, slot=0 if seed is None else 1)
    (written,) = decode(base, [row], SHORT, slots=slots)
    slots.detach()
    return written.ids


def hold(pool: AdapterPool) -> threading.Event:
    """The pool's thread is busy until this is set."""
    started, go = threading.Event(), threading.Event()

    def work(slots: Slots, taken: tuple[int, ...]) -> bool:
        started.set()
        return go.wait(10)

    pool.submit([], work)
    started.wait(10)
    return go


def test_threads_get_their_own_persons_replies(qwen: BaseModel, store: Path) -> None:
    """56 replies asked for by 12 threads, of six people and none, with and without context, over three slots."""
    kinds = [(seed, context) for seed in (None, *range(6)) for context in ((), CONTEXT)]
    asked = {kind: Prompt(PROMPT, kind[1], 0.5, None if kind[0] is None else NAMES[kind[0]]) for kind in kinds}
    expected = {kind: alone(qwen, kind[0], prompt) for kind, prompt in asked.items()}
    assert len(set(expected.values())) > 10
    jobs = kinds * 4
    random.Random(1).shuffle(jobs)
    with AdapterPool(qwen, store, SPEC, slots=3) as pool, ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda kind: pool.generate(asked[kind], SHORT).result().ids, jobs))
        assert [found[place] == expected[kind] for place, kind in enumerate(jobs)] == [True] * len(jobs)
        assert pool.stats.evictions > 0


def test_replies_that_wait_are_decoded_together(pool: AdapterPool) -> None:
    """What queues up behind a forward goes in one batch, with as many people as there are slots."""
    go = hold(pool)
    order: list[tuple[int, int]] = []

    def note(place: int, token: int) -> bool:
        order.append((place, token))
        return False

    def ask(place: int, name: str | None) -> Future[Written]:
        return pool.generate(Prompt(PROMPT, adapter=name), SHORT, on_token=partial(note, place))

    replies = [ask(place, name) for place, name in enumerate([NAMES[0], NAMES[1], None, NAMES[2]])]
    go.set()
    lengths = [len(reply.result(20).ids) for reply in replies]
    assert lengths == [6, 6, 6, 6]
    rows = [place for place, _ in order]
    assert rows[:3] == [0, 1, 2]
    assert rows[3:18] == [0, 1, 2] * 5
    assert rows[18:] == [3] * 6


def test_the_least_recently_used_is_evicted(pool: AdapterPool) -> None:
    """Two slots, three people: the one whose last use is longest ago makes room."""
    for name in (NAMES[0], NAMES[1], NAMES[0], NAMES[2]):
        pool.generate(Prompt(PROMPT, adapter=name), SHORT).result(20)
    assert pool.resident == (NAMES[0], NAMES[2])
    assert (pool.stats.hits, pool.stats.loads, pool.stats.evictions) == (1, 3, 1)


def test_what_is_in_use_is_not_evicted(pool: AdapterPool) -> None:
    """With all slots pinned, a third person gets an error that says what to do; afterwards there is room again."""
    with pool.pin(NAMES[0], NAMES[1]):
        with pytest.raises(NoFreeSlot, match="all 2 slots are in use; open the pool with more slots"):
            pool.generate(Prompt(PROMPT, adapter=NAMES[2]), SHORT).result(20)
        with pytest.raises(NoFreeSlot), pool.pin(NAMES[3]):
            pass
        assert pool.resident == (NAMES[0], NAMES[1])
        pool.generate(Prompt(PROMPT, adapter=NAMES[0]), SHORT).result(20)
    pool.generate(Prompt(PROMPT, adapter=NAMES[2]), SHORT).result(20)


def test_more_people_in_one_piece_of_work_than_slots_take_none(pool: AdapterPool) -> None:
    """All adapters of a piece of work are loaded or none stays in use."""
    with pytest.raises(NoFreeSlot):
        pool.submit(NAMES[:3], lambda slots, taken: taken).result(20)
    assert pool.submit(NAMES[3:5], lambda slots, taken: taken).result(20) in {(1, 2), (2, 1)}
    assert pool.submit([None, NAMES[3]], lambda slots, taken: taken[0]).result(20) == 0


def test_work_runs_on_the_pools_thread_with_the_right_slots(pool: AdapterPool) -> None:
    """Log probabilities of a mixed batch can be had; every piece of work is on the one thread."""

    def work(slots: Slots, taken: tuple[int, ...]) -> tuple[str, torch.Tensor]:
        with slots.routed(taken), torch.inference_mode():
            logits = slots.model(torch.tensor([PROMPT, PROMPT])).logits
        return threading.current_thread().name, logits

    thread, logits = pool.submit([NAMES[0], None], work).result(20)
    assert thread == "persona-memory-model_0"
    assert (logits[0] - logits[1]).abs().max() > 0.1


def test_a_retired_adapter_is_gone_at_once(pool: AdapterPool) -> None:
    """A reply that is being written ends with an error, the next is refused, and the numbers are overwritten."""
    written: list[int] = []
    retired: list[Future[bool]] = []

    def on_token(token: int) -> bool:
        written.append(token)
        if len(written) == 3:
            retired.append(pool.retire(NAMES[0]))
        return False

    reply = pool.generate(Prompt(PROMPT, adapter=NAMES[0]), Sampling(max_tokens=100), on_token=on_token)
    with pytest.raises(AdapterRetired, match="it was retired"):
        reply.result(20)
    assert len(written) == 3
    assert retired[0].result(20) is True
    assert pool.resident == ()
    assert not pool.submit([], lambda slots, taken: any(p.any() for p in slots.parameters())).result(20)
    with pytest.raises(AdapterRetired):
        pool.generate(Prompt(PROMPT, adapter=NAMES[0])).result(20)
    assert pool.retire(NAMES[0]).result(20) is False
    with pytest.raises(AdapterRefused, match="not a name"):
        pool.retire("ana")


def retired_at(call: int) -> Callable[[str], None]:
    """A registry in which the first person's adapter is retired when it is asked about for this time."""
    calls = count(1)

    def digest_of(name: str) -> None:
        if name == NAMES[0] and next(calls) >= call:
            raise AdapterRetired(name, "it was erased")

    return digest_of


def test_what_is_erased_while_it_is_loaded_answers_nothing(qwen: BaseModel, store: Path) -> None:
    """Its files were read before they were deleted: no reply begins with it all the same."""
    with AdapterPool(qwen, store, SPEC, slots=1, digest_of=retired_at(2)) as pool:
        with pytest.raises(AdapterRetired, match="it was erased"):
            pool.generate(Prompt(PROMPT, adapter=NAMES[0]), SHORT).result(20)
        assert pool.resident == ()


def test_a_slot_that_is_taken_from_a_batch_answers_nobody_else(qwen: BaseModel, store: Path) -> None:
    """Retired elsewhere while a batch is put together: its slot goes to the next person, its rows to nobody."""
    other = Prompt(PROMPT, adapter=NAMES[1])
    expected = alone(qwen, 1, other)
    with AdapterPool(qwen, store, SPEC, slots=2, digest_of=retired_at(3)) as pool:
        go = hold(pool)
        hers = [pool.generate(Prompt(PROMPT, adapter=NAMES[0]), SHORT) for _ in range(2)]
        his = pool.generate(other, SHORT)
        go.set()
        assert his.result(20).ids == expected
        for reply in hers:
            with pytest.raises(AdapterRetired):
                reply.result(20)


def test_one_bad_prompt_fails_alone(pool: AdapterPool, store: Path) -> None:
    """A missing revision, a changed one and a prompt that is too long do not touch who waits beside them."""
    changed = revision_name(KEY, "changed", 1)
    (store / changed).mkdir()
    for file in (store / NAMES[0]).iterdir():
        (store / changed / file.name).write_bytes(file.read_bytes()[: 50 if file.name == WEIGHTS else None])
    good = [pool.generate(Prompt(PROMPT, adapter=NAMES[0]), SHORT)]
    bad = [
        pool.generate(Prompt(PROMPT, adapter=name), SHORT)
        for name in (changed, revision_name(KEY, "nobody", 1), "../x")
    ]
    bad.append(pool.generate(Prompt((5,) * 600), SHORT))
    bad.append(pool.generate(Prompt(PROMPT), SHORT, on_token=lambda token: [][token]))
    good.append(pool.generate(Prompt(PROMPT, adapter=NAMES[0]), SHORT))
    for future, error in zip(bad, (AdapterRefused, NotFound, AdapterRefused, InvalidInput, IndexError), strict=True):
        with pytest.raises(error):
            future.result(20)
    assert good[0].result(20) == good[1].result(20)
    delete_revision(store, changed)


def test_the_base_answers_where_all_slots_are_in_use_and_it_will_do(pool: AdapterPool) -> None:
    """Whoever takes the base is told why; whoever does not gets the error."""
    told: list[Exception] = []
    with pool.pin(*NAMES[:2]):
        prompt = Prompt(PROMPT, CONTEXT, 0.5, NAMES[2])
        written = pool.generate(prompt, SHORT, or_base=told.append)
        refused = pool.generate(prompt, SHORT)
        assert written.result() == pool.generate(Prompt(CONTEXT), SHORT).result()
        with pytest.raises(NoFreeSlot):
            refused.result()
    assert [type(one) for one in told] == [NoFreeSlot]
    assert pool.generate(prompt, SHORT, or_base=told.append).result() != written.result()


def of_cuda() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def of_the_machine() -> None:
    torch.empty(1 << 50)


@contextmanager
def starved(base: BaseModel, *, at: int = 1, by: Callable[[], None] = of_cuda) -> Iterator[None]:
    """Within the block, this forward of the model finds no memory."""
    forwards = count(1)

    def starve(*_: Any) -> None:
        if next(forwards) == at:
            by()

    handle = base.model.register_forward_pre_hook(starve)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("by", [of_cuda, of_the_machine])
@pytest.mark.parametrize("at", [1, 3], ids=["while it is read", "while it is written"])
def test_a_reply_without_memory_fails_and_says_what_to_do(pool: AdapterPool, at: int, by: Callable[[], None]) -> None:
    """The next one is answered as before, and no slot stays in use."""
    prompt = Prompt(PROMPT, CONTEXT, adapter=NAMES[0])
    before = pool.generate(prompt, SHORT).result(20)
    with starved(pool.base, at=at, by=by):
        said = r"^out of memory: .*\(max_tokens=6\), .*smaller batch \(now 8\) or fewer slots \(now 2\), or load"
        with pytest.raises(OutOfMemory, match=said):
            pool.generate(prompt, SHORT).result(20)
        assert pool.generate(prompt, SHORT).result(20) == before
    assert sorted(pool.submit(NAMES[1:3], lambda slots, taken: taken).result(20)) == [1, 2]


def test_a_batch_without_memory_is_written_one_by_one(pool: AdapterPool) -> None:
    """Nobody has read anything of it yet, so that nobody need know."""
    prompts = [Prompt(PROMPT, CONTEXT, adapter=name) for name in NAMES[:2]]
    before = [pool.generate(prompt, SHORT).result(20) for prompt in prompts]
    go = hold(pool)
    heard: list[int] = []

    def hear(token: int) -> bool:
        heard.append(token)
        return False

    with starved(pool.base, at=3):  # the first has been read
        replies = [pool.generate(prompt, SHORT, on_token=hear) for prompt in prompts]
        go.set()
        assert [reply.result(20) for reply in replies] == before
    assert len(heard) == 12
    assert pool.stats.split == 1


def test_what_was_begun_without_memory_is_not_begun_again(pool: AdapterPool) -> None:
    """Its reader would read it twice; one who had failed already hears of that, and who did not fit in is answered."""
    go = hold(pool)
    prompt = Prompt(PROMPT)
    with starved(pool.base, at=3):
        begun = pool.generate(prompt, SHORT)
        failed = pool.generate(prompt, SHORT, on_token=lambda token: [][token])
        other = pool.generate(prompt, Sampling(max_tokens=5))
        go.set()
        with pytest.raises(OutOfMemory):
            begun.result(20)
        with pytest.raises(IndexError):
            failed.result(20)
        assert len(other.result(20).ids) == 5


def test_work_without_memory_says_what_to_do(pool: AdapterPool) -> None:
    """The model answers afterwards: what was routed when it failed is no more."""

    def work(slots: Slots, taken: tuple[int, ...]) -> torch.Tensor:
        with slots.routed(taken), torch.inference_mode():
            logits: torch.Tensor = slots.model(torch.tensor([PROMPT, PROMPT])).logits
            return logits

    with starved(pool.base):
        with pytest.raises(OutOfMemory, match="the base could not be asked; ask less at a time, open the pool"):
            pool.submit(NAMES[:2], work).result(20)
        assert pool.submit(NAMES[2:4], work).result(20).isfinite().all()


def test_whoever_keeps_the_error_keeps_no_tensors(pool: AdapterPool) -> None:
    """Else the memory that was lacking would be lacking until the error is forgotten."""
    held: list[weakref.ref[torch.Tensor]] = []

    def starve() -> None:
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        of_the_machine()

    with starved(pool.base, at=2, by=starve):
        error = pool.generate(Prompt(PROMPT), SHORT).exception(20)
    assert isinstance(error, OutOfMemory)
    assert error.__cause__ is not None
    assert held[0]() is None


def test_an_adapter_without_memory_is_the_bases_to_answer(pool: AdapterPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it will do; the slot that was meant for it is free again."""
    told: list[Exception] = []
    prompt = Prompt(PROMPT, CONTEXT, 0.5, NAMES[0])
    with monkeypatch.context() as patch:
        patch.setattr(Slots, "write_flat", lambda *_: of_cuda())
        with pytest.raises(AdapterError, match=r"out of memory while it was loaded; open the pool with fewer slots"):
            pool.generate(prompt, SHORT).result(20)
        assert pool.generate(prompt, SHORT, or_base=told.append).result(20)
    assert [type(one) for one in told] == [AdapterError]
    with pool.pin(*NAMES[:2]):
        assert pool.generate(prompt, SHORT).result(20) != pool.generate(Prompt(CONTEXT), SHORT).result(20)


def test_more_slots_than_there_is_memory_for(qwen: BaseModel, store: Path) -> None:
    """The base is as it was, for a pool of fewer."""
    with pytest.raises(InvalidInput, match=f"^out of memory for slots={1 << 40}; pass fewer"):
        AdapterPool(qwen, store, SPEC, slots=1 << 40)
    with AdapterPool(qwen, store, SPEC, slots=1) as pool:
        assert pool.generate(Prompt(PROMPT, adapter=NAMES[0]), SHORT).result(20).ids


def test_a_reply_ends_when_its_reader_says_so(pool: AdapterPool) -> None:
    """A consumer that has gone costs no further tokens."""
    reply = pool.generate(Prompt(PROMPT), Sampling(max_tokens=400), on_token=lambda token: True).result(20)
    assert (len(reply.ids), reply.reason) == (1, "stop")


def test_the_registered_digest_is_checked(qwen: BaseModel, store: Path) -> None:
    """Where the registry knows a manifest's SHA-256, only that one is loaded."""
    with (
        AdapterPool(qwen, store, SPEC, slots=1, digest_of=lambda name: "0" * 64) as pool,
        pytest.raises(AdapterRefused, match="not the one that was registered"),
        pool.pin(NAMES[0]),
    ):
        pass


def test_a_closed_pool_leaves_the_model_and_answers_nothing(qwen: BaseModel, store: Path) -> None:
    """Waiting replies are cancelled, new ones refused, and the model has its own layers again."""
    names = list(qwen.model.state_dict())
    pool = AdapterPool(qwen, store, SPEC, slots=1)
    go = hold(pool)
    waiting = pool.generate(Prompt(PROMPT))
    threading.Timer(0.1, go.set).start()
    pool.close()
    with pytest.raises(CancelledError):
        waiting.result(1)
    with pytest.raises(InvalidInput, match="is closed"):
        pool.generate(Prompt(PROMPT))
    assert list(qwen.model.state_dict()) == names
