"""VllmAdapters: the parametric memory of a chatbot whose model is served by vLLM."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

import httpx2

from persona_memory import Adapter, Doors, InvalidInput, NotFound, ParametricMemory, Revisions, Route
from persona_memory_vllm.engine import NO_ADAPTER, Engine, EngineError, check_serves, check_unloaded, served
from persona_memory_vllm.loading import Loader, Steps, asend, send
from persona_memory_vllm.residents import Residents, Stats
from persona_memory_vllm.shelf import Shelf


class VllmAdapters:
    """`ParametricMemory` on a vLLM server: each person is answered by a LoRA module that has their revision's name.

        engine = VllmAdapters("http://localhost:8000/v1", model="Qwen/Qwen3-0.6B", trainer=local)
        memory = PersonaMemory.open(model=teacher, parametric=engine)
        recall = memory.recall(question, user_id="ana")
        with engine.answering(recall.route) as model:
            client.chat.completions.create(model=model, messages=inject(messages, recall))

    Whatever is wrong with an adapter or with loading it, the base answers, with the same memory in its prompt; `doors`
    says what failed. Thread-safe. Several processes may serve from one engine, if they share one ledger.

    Args:
        base_url: of the engine, as an OpenAI client takes it, e.g. "http://localhost:8000/v1".
        model: name of the base model there.
        trainer: trains the adapters, e.g. `persona_memory.parametric.LocalAdapters`. None: another process does, and
            this one's memory is opened with `worker=False`.
        fingerprint: without a trainer: of the base that adapters were trained for, see `Adapter.fingerprint`.
        api_key: the engine's.
        loading: "endpoint", this process loads adapters; "resolver", the plugin in the engine does.
        max_loras, max_cpu_loras, max_lora_rank: as the engine was started with, vLLM's defaults.
        folder: for the plain copies that the engine reads. Default: "vllm" in the home, unless that is encrypted.
        engine_folder: its path as the engine sees it, where that is another one.
        sync_every: seconds after which the engine lets go of what was retired by processes that do not know it.
        timeout: seconds that loading may take.
        doors: counts failures.

    Raises:
        InvalidInput: it is told neither who trains nor for what, or both.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        trainer: ParametricMemory | None = None,
        fingerprint: Mapping[str, str] | None = None,
        api_key: str | None = None,
        loading: Literal["endpoint", "resolver"] = "endpoint",
        max_loras: int = 1,
        max_cpu_loras: int | None = None,
        max_lora_rank: int = 16,
        folder: str | Path | None = None,
        engine_folder: str | None = None,
        sync_every: float = 60.0,
        timeout: float = 10.0,
        doors: Doors | None = None,
    ) -> None:
        if (trainer is None) == (fingerprint is None):
            raise InvalidInput("pass trainer=…, or else the fingerprint=… of the base that adapters are trained for")
        self.engine = Engine(base_url, model, api_key, timeout)
        self.doors = doors or Doors()
        self._trainer, self._fingerprint = trainer, fingerprint
        self._loading, self._max_lora_rank = loading, max_lora_rank
        self._folder, self._engine_folder, self._sync_every = folder, engine_folder, sync_every
        self._residents = Residents(max_cpu_loras or max_loras)
        self._revisions: list[Revisions] = []
        self._loader: Loader | None = None
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._syncing = threading.Thread(target=self._keep_synced, name="persona-memory-vllm", daemon=True)
        self._tls = httpx2.create_ssl_context()
        self._client = httpx2.Client(verify=self._tls)

    # ── what a chatbot uses ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def model(self) -> str:
        """The base model's name at the engine."""
        return self.engine.model

    @property
    def stats(self) -> Stats:
        """Counts since the start."""
        return self._residents.stats

    @contextmanager
    def answering(self, route: Route | None) -> Iterator[str]:
        """The `model` to ask for while the block runs: the person's adapter where the route has one, else the base."""
        name = route.adapter_id if route is not None else None
        if name is None:
            yield self.model
            return
        with self._residents.using(name):
            ready = False
            with self.doors.open("adapter"):
                send(self._client, self._ready(name))
                ready = True
            with self.doors.open("evict"):
                send(self._client, self._surplus())
            yield name if ready else self.model

    @asynccontextmanager
    async def aanswering(self, route: Route | None) -> AsyncIterator[str]:
        """As `answering`, off the event loop."""
        name = route.adapter_id if route is not None else None
        if name is None:
            yield self.model
            return
        with self._residents.using(name):
            ready = False
            with self.doors.open("adapter"):
                await asend(self._tls, self._ready(name))
                ready = True
            with self.doors.open("evict"):
                await asend(self._tls, self._surplus())
            yield name if ready else self.model

    def refused(self, name: str) -> None:
        """Note that the engine knows no adapter of this name: it was started anew, or the plugin did not find it."""
        self._residents.lose([name])
        if self._loading == "resolver":
            self._residents.refuse(name, "the engine did not find it; its log says why")

    def ended(self, name: str) -> bool:
        """Whether the adapter was retired while a reply was being written with it."""
        return self._residents.ended(name)

    def check(self) -> None:
        """Ask the engine whether it can serve what is asked of it; for the start of a server.

        Raises:
            EngineError: it does not answer, or takes no adapters while it runs.
            InvalidInput: it serves other models.
        """

        def asked() -> Steps[None]:
            check_serves(served((yield self.engine.models())), self.model)
            check_unloaded((yield self.engine.unload(NO_ADAPTER)), NO_ADAPTER)

        send(self._client, asked())

    def sync(self) -> int:
        """Withdraw from the engine what may not be served any more; how many adapters that were.

        Where all memories are closed nobody knows, and the engine is left alone.

        Raises:
            LedgerError: the ledger cannot be read; nothing was withdrawn.
        """
        loads, known = self._loads, self._open()
        if not known:
            return 0

        def gone(names: set[str]) -> set[str]:
            return names.difference(*(revisions.standing(names) for revisions in known))

        withdrawn = send(self._client, loads.withdraw(gone))
        send(self._client, loads.tidy())
        return withdrawn

    def close(self) -> None:
        """Leave the engine alone. What it holds it goes on holding, until the next process that serves from it."""
        self._closing.set()
        if self._syncing.is_alive():
            self._syncing.join()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── what a memory uses ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def base_model(self) -> str:
        """The base model, as its trainer calls it."""
        return self._trainer.base_model if self._trainer is not None else self.model

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """Of the base that adapters are trained for. No engine tells its own: that it is the same is for you to see."""
        return self._fingerprint if self._fingerprint is not None else self._training().fingerprint

    def trainable(self) -> bool:
        """Always: adapters for the base can be run, and are trained here or elsewhere."""
        return True

    def interpolates(self) -> bool:
        """Never: an engine reads one prompt."""
        return False

    def serve(self, revisions: Revisions) -> None:
        """Serve these revisions, too, and withdraw from the engine what may not be served any more, now and then.

        Raises:
            InvalidInput: they are encrypted, and no folder was given for plain copies.
        """
        if revisions.opener is not None and self._folder is None and self._loading == "endpoint":
            raise InvalidInput(
                "this memory is encrypted, and vLLM reads plain files: pass folder=… in a file system in memory, such "
                "as /dev/shm/…, where copies lie until their adapter is retired"
            )
        with self._lock:
            self._revisions.append(revisions)
            if self._loader is None:
                folder = Path(self._folder) if self._folder is not None else revisions.copies
                shelf = Shelf(folder, self._engine_folder)
                self._loader = Loader(
                    self.engine, shelf, self._residents, self.doors, max_lora_rank=self._max_lora_rank
                )
        if self._trainer is not None:
            self._trainer.serve(revisions)
        with self._lock:
            if self._syncing.ident is None:  # it begins once
                self._syncing.start()

    def route(self, user_id: str, route: Route) -> None:
        """Nothing: what a reply needs is loaded when it is asked for."""

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        """End replies with the owner's other revisions, unload these from the engine, delete their plain copies.

        Raises:
            OSError: a copy cannot be deleted.
        """
        if self._trainer is not None:
            self._trainer.keep(owner, adapter_ids)
        if self._loader is None:
            return

        def gone(names: set[str]) -> set[str]:
            return {name for name in names if name.startswith(f"{owner}-") and name not in adapter_ids}

        send(self._client, self._loader.withdraw(gone))

    async def drift(self, adapter: Adapter, fresh: Any) -> Any:
        """As the trainer finds."""
        return await self._training().drift(adapter, fresh)

    async def foretell(self, profiles: Any, said: Any) -> Any:
        """As the trainer finds."""
        return await self._training().foretell(profiles, said)

    async def train(self, study: Any) -> Any:
        """As the trainer does."""
        return await self._training().train(study)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _training(self) -> ParametricMemory:
        if self._trainer is None:
            raise InvalidInput(
                "this process serves adapters and trains none: pass trainer=…, or open its memory with worker=False "
                "and run `persona-memory worker --local MODEL` on the same ledger"
            )
        return self._trainer

    @property
    def _loads(self) -> Loader:
        if self._loader is None:
            raise InvalidInput("open a memory first: PersonaMemory.open(parametric=…) says where the adapters are")
        return self._loader

    def _ready(self, name: str) -> Steps[None]:
        """Load the adapter, unless it is, or the engine does so itself.

        Raises:
            PersonaMemoryError: it may not be served, or the engine cannot.
        """
        revisions = self._registered(name)
        reason = self._residents.refused(name)
        if reason is not None:
            raise EngineError(reason)
        if self._loading == "endpoint":
            yield from self._loads.load(name, revisions)

    def _surplus(self) -> Steps[None]:
        """Let go of what is over the engine's capacity."""
        yield from self._loads.unload(self._residents.surplus())

    def _registered(self, name: str) -> Revisions:
        """Whose revision it is.

        Raises:
            AdapterRetired: it may not be served any more.
            NotFound: it is nobody's.
        """
        for revisions in self._open():
            with suppress(NotFound):
                revisions.digest(name)
                return revisions
        raise NotFound(f"there is no adapter {name!r}")

    def _open(self) -> list[Revisions]:
        """Those of memories that are open: one that is closed says nothing, and must not keep others from it."""
        with self._lock:
            self._revisions = [one for one in self._revisions if not one.closed]
            return list(self._revisions)

    def _keep_synced(self) -> None:
        while not self._closing.is_set():
            with self.doors.open("sync"):
                self.sync()
            self._closing.wait(self._sync_every)
