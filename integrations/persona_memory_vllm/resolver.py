"""A plugin for vLLM: asked for a model that it does not know, the engine finds the person's adapter itself.

It runs in vLLM's process, where `pip install "persona-memory[vllm]"` was run, and reads the registry. A revision that
is retired is never loaded; what was loaded before is unloaded by `VllmAdapters`, as vLLM asks a resolver only once.

    VLLM_ALLOW_RUNTIME_LORA_UPDATING=true VLLM_PLUGINS=persona_memory PERSONA_MEMORY_VLLM_FOLDER=/dev/shm/adapters \\
        PERSONA_MEMORY_HOME=… vllm serve Qwen/Qwen3-0.6B --enable-lora --max-loras 8
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from vllm.lora.request import LoRARequest
from vllm.lora.resolver import LoRAResolver, LoRAResolverRegistry

from persona_memory import Doors, InvalidInput, NotFound, PersonaMemoryError, Revisions, open_adapters
from persona_memory_vllm.engine import ADAPTER
from persona_memory_vllm.format import base_of, check_format
from persona_memory_vllm.loading import not_served
from persona_memory_vllm.shelf import Shelf

NAME = "persona-memory"
"""Of the resolver, in vLLM's registry."""

FOLDER = "PERSONA_MEMORY_VLLM_FOLDER"
"""Variable: the folder for plain copies of adapters. Without it the plugin does nothing."""

URL, NAMESPACES = "PERSONA_MEMORY_VLLM_URL", "PERSONA_MEMORY_VLLM_NAMESPACES"
"""Variables: the ledger's URL, where it is not the file in the home; tenants with commas between them."""

TRAINED_ON, MAX_LORA_RANK = "PERSONA_MEMORY_VLLM_TRAINED_ON", "PERSONA_MEMORY_VLLM_MAX_LORA_RANK"
"""Variables: what training called the base, where the engine calls it otherwise; the engine's --max-lora-rank."""


class RegistryResolver(LoRAResolver):  # type: ignore[misc] # vLLM has an environment of its own
    """Finds people's adapters in the registry, for vLLM's `LoRAResolverRegistry`.

    Args:
        open_revisions: opens the registries of all tenants; called at the first question, as a plugin is loaded by all
            of vLLM's processes and only one of them is asked.
        folder: for plain copies, which the engine reads.
        trained_on: what training called the base; by default as the engine does.
        max_lora_rank: the engine's.
        sweep_every: seconds between two looks for copies of what was retired.

    Attributes:
        doors: what failed, by kind: the engine answers that it knows no such model, and the base is asked.
    """

    def __init__(
        self,
        open_revisions: Callable[[], Sequence[Revisions]],
        folder: str | Path,
        *,
        trained_on: str | None = None,
        max_lora_rank: int = 16,
        sweep_every: float = 60.0,
    ) -> None:
        self._open, self._shelf = open_revisions, Shelf(Path(folder))
        self._trained_on, self._max_lora_rank, self._sweep_every = trained_on, max_lora_rank, sweep_every
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._revisions: Sequence[Revisions] = ()
        self.doors = Doors()

    async def resolve_lora(self, base_model_name: str, lora_name: str) -> LoRARequest | None:
        """Where the engine finds the adapter; None where it may not be served, or is nobody's."""
        if ADAPTER.fullmatch(lora_name) is None:
            return None
        path = await asyncio.to_thread(self._path, base_model_name, lora_name)
        if path is None:
            return None
        return LoRARequest(lora_name=lora_name, lora_int_id=abs(hash(lora_name)) or 1, lora_path=path)

    def sweep(self) -> None:
        """Delete the copies of what may not be served any more."""
        names = self._shelf.names()
        self._shelf.drop(names.difference(*(one.standing(names) for one in self._opened())))
        self._shelf.sweep()

    def close(self) -> None:
        """Sweep no more."""
        self._closing.set()

    def _path(self, base_model_name: str, name: str) -> str | None:
        with self.doors.open("resolve"):
            for revisions in self._opened():
                try:
                    return self._copied(revisions, base_model_name, name)
                except NotFound:  # another tenant's, or nobody's
                    continue
                except PersonaMemoryError as error:
                    not_served(name, error)
                    raise
        return None

    def _copied(self, revisions: Revisions, base_model_name: str, name: str) -> str:
        files = revisions.files(name)
        base = base_of(files)
        if base != (self._trained_on or base_model_name):
            raise InvalidInput(
                f"{name} was trained on {base!r}, and the engine serves {base_model_name!r}; if that is the same "
                f"model, set {TRAINED_ON}={base}"
            )
        check_format(name, files, max_lora_rank=self._max_lora_rank)
        path = self._shelf.put(name, files)
        try:
            revisions.digest(name)
        except PersonaMemoryError:  # it was erased while it was copied
            self._shelf.drop([name])
            raise
        return path

    def _opened(self) -> Sequence[Revisions]:
        with self._lock:
            if not self._revisions:
                self._revisions = self._open()
                threading.Thread(target=self._keep_swept, name="persona-memory-resolver", daemon=True).start()
            return self._revisions

    def _keep_swept(self) -> None:
        while not self._closing.is_set():
            with self.doors.open("sweep"):
                self.sweep()
            self._closing.wait(self._sweep_every)


def register() -> None:
    """The entry point: a resolver as the environment says, none where it names no folder."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    url, namespaces = os.environ.get(URL), os.environ.get(NAMESPACES, "default").split(",")
    stack = ExitStack()
    atexit.register(stack.close)

    def opened() -> Sequence[Revisions]:
        with ExitStack() as so_far:  # closes these, where a later one cannot be opened
            found = [so_far.enter_context(open_adapters(url=url, namespace=name.strip())) for name in namespaces]
            stack.enter_context(so_far.pop_all())
        return found

    resolver = RegistryResolver(
        opened,
        folder,
        trained_on=os.environ.get(TRAINED_ON),
        max_lora_rank=int(os.environ.get(MAX_LORA_RANK, "16")),
    )
    LoRAResolverRegistry.register_resolver(NAME, resolver)
