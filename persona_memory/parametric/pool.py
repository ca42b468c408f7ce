"""Many people's adapters on one base model: loaded from disk when they are asked for, run by one thread.

Two threads in one model can swap each other's routing without an error (with PEFT's `adapter_names`, half of the
outputs were wrong). So a pool owns its model: every forward runs on the pool's one thread, and requests are futures.
Requests that wait at the same time are decoded together, whoever they are from.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from persona_memory.adapters import LoraSpec, parse_name
from persona_memory.errors import AdapterError, AdapterRetired, InvalidInput, NoFreeSlot, NotFound, OutOfMemory
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.decoding import Sampling, Written, check_rows, decode
from persona_memory.parametric.files import Limits, load_flat
from persona_memory.parametric.shortage import ELSEWHERE, KIND, no_answer, said_as
from persona_memory.parametric.slots import BASE, Slots, attach
from persona_memory.parametric.streams import Row
from persona_memory.protocols import Opener

T = TypeVar("T")
OnToken = Callable[[int], bool]
"""Called on the pool's thread with each token that is written; True ends the reply."""
OrBase = Callable[[AdapterError | NotFound], None]
"""Called on the pool's thread with what keeps an adapter from answering, before the base does in its place."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One reply that is asked for.

    Attributes:
        ids: what the model reads.
        context: the same with what was retrieved; empty where nothing relevant was: then one stream is read.
        lam: weight of the stream without the retrieved text, in [0, 1].
        adapter: name of the person's revision, or None for the base model.
    """

    ids: tuple[int, ...]
    context: tuple[int, ...] = ()
    lam: float = 0.5
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Counts since the pool was opened. Evictions that keep growing: more people are active than there are slots.

    Attributes:
        split: batches that memory did not suffice for. Where it keeps growing, a smaller `batch` is faster.
    """

    hits: int = 0
    loads: int = 0
    evictions: int = 0
    split: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    prompt: Prompt
    sampling: Sampling
    on_token: OnToken | None
    or_base: OrBase | None
    future: Future[Written]


class AdapterPool:
    """Serves a folder of adapter revisions over one base model. Safe to share between threads.

    Args:
        base: the model; it belongs to the pool until `close`.
        store: the folder of revisions.
        spec: the shape that all of them have.
        slots: how many adapters are in memory at a time.
        dtype: of the adapters in memory.
        batch: how many waiting replies are decoded together at most.
        digest_of: for a revision's name, the SHA-256 of its manifest.json as it was registered, or None; see
            `load_flat`.
        limits: see `Limits`.
        opener: what opens the files, where they are encrypted.

    Raises:
        InvalidInput: the slots do not fit the model, or not into memory.
    """

    def __init__(
        self,
        base: BaseModel,
        store: Path,
        spec: LoraSpec,
        *,
        slots: int = 8,
        dtype: torch.dtype = torch.float32,
        batch: int = 8,
        digest_of: Callable[[str], str | None] | None = None,
        limits: Limits | None = None,
        opener: Opener | None = None,
    ) -> None:
        self.base, self.store, self.spec, self.batch = base, store, spec, batch
        self._digest_of, self._limits = digest_of or (lambda name: None), limits
        self._opener = opener
        with said_as(lambda: InvalidInput(f"{KIND} for slots={slots}; pass fewer, or dtype=torch.bfloat16")):
            self._slots = attach(base.model, spec, size=slots, dtype=dtype)
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="persona-memory-model")
        self._lock = threading.Lock()
        self._resident: OrderedDict[str, int] = OrderedDict()  # least recently used first
        self._free = list(range(slots, 0, -1))
        self._users: Counter[str] = Counter()
        self._retired: set[str] = set()
        self._waiting: deque[_Waiting] = deque()
        self._stats, self._closed = PoolStats(), False

    def generate(
        self,
        prompt: Prompt,
        sampling: Sampling | None = None,
        *,
        on_token: OnToken | None = None,
        or_base: OrBase | None = None,
    ) -> Future[Written]:
        """The reply, later. Its result raises what `pin`, `decode` and `on_token` raise, for this prompt only.

        It is `OutOfMemory` where memory ran out; the pool goes on. What waits beside it and has no token yet is
        begun anew, each reply alone.

        Args:
            or_base: told what `pin` raises, if it does; then the base answers, with the context in its one prompt.
        """
        future: Future[Written] = Future()
        with self._lock:
            self._refuse_closed()
            self._waiting.append(_Waiting(prompt, sampling or Sampling(), on_token, or_base, future))
            self._owner.submit(self._answer_waiting)
        return future

    def submit(self, adapters: Sequence[str | None], work: Callable[[Slots, tuple[int, ...]], T]) -> Future[T]:
        """What `work` returns, later: it runs on the pool's thread with the slot of each adapter, all of them loaded.

        Work that runs forwards does so within `slots.routed(…)`. Raises (in the future) what `pin` raises, and
        `OutOfMemory` where memory ran out.
        """

        def run() -> T:
            taken = self._take(adapters)
            try:
                with said_as(lambda: self._short("the base could not be asked; ask less at a time")):
                    return work(self._slots, taken)
            finally:
                self._release(adapters)

        with self._lock:
            self._refuse_closed()
            return self._owner.submit(run)

    @contextmanager
    def pin(self, *adapters: str) -> Iterator[None]:
        """Within the block these adapters are loaded and not evicted.

        Raises:
            AdapterRetired: one was retired.
            NoFreeSlot: all slots are in use.
            AdapterRefused: the files of one are not what they should be.
            AdapterError: memory ran out while one was loaded.
            NotFound: there is no such revision.
        """
        with self._lock:
            self._refuse_closed()
            loading = self._owner.submit(self._take, adapters)
        loading.result()
        try:
            yield
        finally:
            self._release(adapters)

    def retire(self, adapter: str) -> Future[bool]:
        """At once no reply begins with this adapter, and one that is being written ends with `AdapterRetired`.

        The result, whether it was loaded, is there when its numbers are overwritten in memory. Files are not touched.
        """
        parse_name(adapter)
        with self._lock:
            self._refuse_closed()
            self._retired.add(adapter)
            return self._owner.submit(self._unload, adapter)

    def keep(self, owner: str, adapters: Collection[str]) -> None:
        """Retire what is loaded of an owner (the first part of a name), all but these."""
        for name in self.resident:
            if parse_name(name)[0] == owner and name not in adapters:
                self.retire(name)

    @property
    def closed(self) -> bool:
        """Whether it answers nobody any more."""
        return self._closed

    @property
    def resident(self) -> tuple[str, ...]:
        """Names of the adapters in memory, least recently used first."""
        with self._lock:
            return tuple(self._resident)

    @property
    def stats(self) -> PoolStats:
        """Counts since the pool was opened."""
        return self._stats

    def close(self) -> None:
        """Finish what runs, drop what waits, and give the base model its own layers back."""
        with self._lock:
            self._closed, waiting, self._waiting = True, list(self._waiting), deque()
        for one in waiting:
            one.future.cancel()
        self._owner.shutdown(wait=True, cancel_futures=True)
        self._slots.detach()

    def __enter__(self) -> AdapterPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── on the pool's thread ────────────────────────────────────────────────────────────────────────────────────────

    def _answer_waiting(self) -> None:
        """Decode, in one batch, the replies that wait and are sampled alike, the oldest first."""
        taken: list[tuple[_Waiting, Row]] = []
        for one in self._next_batch():
            if not one.future.set_running_or_notify_cancel():
                continue
            try:
                taken.append(self._begun(one))
            except Exception as error:  # nobody else's reply is to fail for it
                one.future.set_exception(error)
        if taken:
            self._answer(taken)

    def _begun(self, one: _Waiting) -> tuple[_Waiting, Row]:
        """The reply with its row, its adapter loaded; the base's where the adapter cannot be, and that will do."""
        row = Row(one.prompt.ids, one.prompt.context, one.prompt.lam)
        check_rows(self.base, [row])
        try:
            (slot,) = self._take([one.prompt.adapter])
        except (AdapterError, NotFound) as error:
            if one.or_base is None:
                raise
            one.or_base(error)
            return replace(one, prompt=replace(one.prompt, lam=0.0, adapter=None)), replace(row, lam=0.0)
        return one, replace(row, slot=slot)

    def _next_batch(self) -> list[_Waiting]:
        """Those that go together: sampled alike, without a seed (which is a promise about a batch of one)."""
        with self._lock:
            if not self._waiting:
                return []
            first, rest, batch = self._waiting.popleft(), deque[_Waiting](), []
            batch.append(first)
            adapters = {first.prompt.adapter} - {None}
            while self._waiting:
                one = self._waiting.popleft()
                more = adapters | ({one.prompt.adapter} - {None})
                alike = one.sampling == first.sampling and first.sampling.seed is None
                if alike and len(batch) < self.batch and len(more) <= self._slots.size:
                    adapters = more
                    batch.append(one)
                else:
                    rest.append(one)
            self._waiting = rest
            return batch

    def _answer(self, taken: list[tuple[_Waiting, Row]]) -> None:
        failed: dict[int, Exception] = {}
        begun: set[int] = set()

        def watch(place: int, token: int) -> bool:
            one = taken[place][0]
            begun.add(place)
            try:
                self._refuse_retired(one.prompt.adapter)
                return one.on_token is not None and one.on_token(token)
            except Exception as error:
                failed[place] = error
                return True

        written: list[Written] = []
        again: set[int] = set()
        rows, sampling = [row for _, row in taken], taken[0][0].sampling
        try:
            with torch.inference_mode(), said_as(lambda: self._too_long(sampling)):
                written = decode(self.base, rows, sampling, slots=self._slots, watch=watch)
        except Exception as error:
            failed = dict.fromkeys(range(len(taken)), error) | failed
            if isinstance(error, OutOfMemory) and len(taken) > 1:
                again = set(range(len(taken))) - begun
                self._stats = replace(self._stats, split=self._stats.split + bool(again))
        for place, (one, _) in enumerate(taken):
            if place in again:
                continue
            self._release([one.prompt.adapter])
            if place in failed:
                one.future.set_exception(failed[place])
            else:
                one.future.set_result(written[place])
        for place in sorted(again):
            self._answer([taken[place]])

    def _too_long(self, sampling: Sampling) -> OutOfMemory:
        return self._short(f"the reply was not finished; ask for a shorter one (max_tokens={sampling.max_tokens})")

    def _short(self, problem: str) -> OutOfMemory:
        return no_answer(problem, slots=self._slots.size, batch=self.batch)

    def _take(self, adapters: Sequence[str | None]) -> tuple[int, ...]:
        """The slot of each adapter, loaded and counted as in use; all of them or none."""
        taken: list[int] = []
        try:
            for adapter in adapters:
                taken.append(BASE if adapter is None else self._slot(adapter))
                self._users[adapter or ""] += 1
        except Exception:
            self._release(adapters[: len(taken)])
            raise
        return tuple(taken)

    def _slot(self, adapter: str) -> int:
        """The adapter's slot, into which it is loaded unless it is there."""
        self._refuse_retired(adapter)
        digest = self._registered(adapter)
        with self._lock:
            if adapter in self._resident:
                self._resident.move_to_end(adapter)
                self._stats = replace(self._stats, hits=self._stats.hits + 1)
                return self._resident[adapter]
        with said_as(lambda: AdapterError(adapter, f"{KIND} while it was loaded; {ELSEWHERE}")):
            slot = self._loaded(adapter, digest)
        self._registered(adapter)  # `keep` ends what is loaded only: it may have been erased while it was read
        return slot

    def _loaded(self, adapter: str, digest: str | None) -> int:
        flat, _ = load_flat(
            self.store,
            adapter,
            spec=self.spec,
            parts=self._slots.parts,
            fingerprint=self.base.fingerprint,
            digest=digest,
            limits=self._limits,
            opener=self._opener,
        )
        slot = self._room(adapter)
        try:
            self._slots.write_flat(slot, flat)
        except Exception:
            self._slots.clear(slot)
            with self._lock:
                self._free.append(slot)
            raise
        with self._lock:
            self._resident[adapter] = slot
            self._stats = replace(self._stats, loads=self._stats.loads + 1)
        return slot

    def _registered(self, adapter: str) -> str | None:
        """The digest of its manifest; what may not be served any more is unloaded, and whoever uses it is refused."""
        try:
            return self._digest_of(adapter)
        except (AdapterRetired, NotFound):  # maybe by another process
            with self._lock:
                if adapter in self._resident:  # a row of the same batch may have its slot, which is free now
                    self._retired.add(adapter)
            self._unload(adapter)
            raise

    def _room(self, adapter: str) -> int:
        """A slot that nobody uses: a free one, else that of the adapter whose last use is longest ago."""
        with self._lock:
            if self._free:
                return self._free.pop()
            idle = next((name for name in self._resident if not self._users[name]), None)
            if idle is None:
                problem = f"all {self._slots.size} slots are in use; open the pool with more slots, or try again later"
                raise NoFreeSlot(adapter, problem)
            self._stats = replace(self._stats, evictions=self._stats.evictions + 1)
            return self._resident.pop(idle)

    def _release(self, adapters: Sequence[str | None]) -> None:
        with self._lock:
            self._users.subtract(adapter or "" for adapter in adapters)

    def _unload(self, adapter: str) -> bool:
        with self._lock:
            slot = self._resident.pop(adapter, None)
        if slot is None:
            return False
        self._slots.clear(slot)
        with self._lock:
            self._free.append(slot)
        return True

    def _refuse_closed(self) -> None:
        if self._closed:
            raise InvalidInput("this AdapterPool is closed; open another one")

    def _refuse_retired(self, adapter: str | None) -> None:
        if adapter in self._retired:
            raise AdapterRetired(adapter or "", "it was retired; ask the registry for the active revision")
