"""A server that serves LoRA modules on this machine as vLLM documents it, and answers from a script.

It loads no weights: of an adapter it reads the configuration. What it says and when it refuses is that of vLLM's
OpenAI-compatible server (its entrypoints/openai/models/serving.py).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from persona_memory.testing.upstream import FakeOpenAI, Reply, model_card


class FakeVllm:
    """The server, in a thread of its own, inside a `with` block.

    Args:
        replies: as for `FakeOpenAI`.
        model: name of the base.
        max_cpu_loras: adapters in the worker's memory; the one whose use is longest ago makes room, and is read again
            from its path when it is asked for.
        max_lora_rank: a larger rank is refused.
        updating: whether VLLM_ALLOW_RUNTIME_LORA_UPDATING is set.
        removes: whether unloading reaches the worker, as vLLM's pull request 42634 proposes. Then what the worker has
            let go of already cannot be unloaded.
        resolvers: asked in turn for a model that is not known, as `LoRAResolverRegistry` has them.
        options: of `FakeOpenAI`.

    Attributes:
        loaded: the modules that can be asked for by name, with their paths.
        in_worker: those of them that are in the worker's memory, the one that was used last at the end.
        asked: each request to load or unload, with its module's name.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[dict[str, Any]], Reply] = (),
        *,
        model: str = "base-1",
        max_cpu_loras: int = 1,
        max_lora_rank: int = 16,
        updating: bool = True,
        removes: bool = False,
        resolvers: Callable[[], Iterable[Any]] = tuple,
        **options: Any,
    ) -> None:
        self.model, self.max_cpu_loras, self.max_lora_rank = model, max_cpu_loras, max_lora_rank
        self.removes, self.resolvers = removes, resolvers
        self.loaded: dict[str, str] = {}
        self.in_worker: OrderedDict[str, None] = OrderedDict()
        self.asked: list[tuple[str, str]] = []
        updates = [
            Route("/v1/load_lora_adapter", self._load, methods=["POST"]),
            Route("/v1/unload_lora_adapter", self._unload, methods=["POST"]),
        ]
        routes = [
            Route("/v1/models", self._models),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/responses", self._respond, methods=["POST"]),
            *(updates if updating else [Route("/v1/{path}_lora_adapter", _no_route, methods=["POST"])]),
        ]
        self.server = FakeOpenAI(replies, routes=routes, **options)

    @property
    def base_url(self) -> str:
        """What a client takes for it."""
        return self.server.base_url

    @property
    def answered(self) -> list[str]:
        """The model of each request that was answered, oldest first."""
        return [request["model"] for request in self.server.requests]

    def restart(self) -> None:
        """Know no adapter any more."""
        self.loaded.clear()
        self.in_worker.clear()

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.__exit__(kind, error, at)

    async def _models(self, request: Request) -> Response:
        base = {**model_card(self.model), "owned_by": "vllm", "root": self.model, "parent": None}
        modules = [
            {**model_card(name), "owned_by": "vllm", "root": path, "parent": self.model}
            for name, path in self.loaded.items()
        ]
        return JSONResponse({"object": "list", "data": [base, *modules]})

    async def _load(self, request: Request) -> Response:
        body = await request.json()
        name, path = body.get("lora_name"), body.get("lora_path")
        self.asked.append(("load", name))
        if not name or not path:
            return _error(400, "Both 'lora_name' and 'lora_path' must be provided.", "InvalidUserInput")
        if name in self.loaded:
            told = f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set"
            return _error(400, f"{told} 'load_inplace' to True.", "InvalidUserInput")
        problem = self._read(name, path)
        if problem is not None:
            return problem
        self.loaded[name] = path
        return PlainTextResponse(f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload(self, request: Request) -> Response:
        name = (await request.json()).get("lora_name")
        self.asked.append(("unload", name))
        if name not in self.loaded:
            return _error(404, f"The lora adapter '{name}' cannot be found.", "NotFoundError")
        if self.removes:
            if name not in self.in_worker:
                return _error(500, f"Failed to remove lora adapter '{name}' from the engine.", "InternalServerError")
            del self.in_worker[name]
        del self.loaded[name]
        return PlainTextResponse(f"Success: LoRA adapter '{name}' removed successfully.")

    async def _chat(self, request: Request) -> Response:
        return await self._checked(request) or await self.server.chat(request)

    async def _respond(self, request: Request) -> Response:
        return await self._checked(request) or await self.server.respond(request)

    async def _checked(self, request: Request) -> Response | None:
        """Why the request is refused; None where its model answers."""
        model = (await request.json()).get("model")
        if model == self.model:
            return None
        if model not in self.loaded:
            for resolver in self.resolvers():
                found = await resolver.resolve_lora(self.model, model)
                if found is not None:
                    if self._read(model, found.lora_path) is not None:
                        return _error(400, f"LoRA adapter '{model}' was found but could not be loaded.")
                    self.loaded[model] = found.lora_path
                    return None
            return _error(404, f"The model `{model}` does not exist.", "NotFoundError", param="model")
        return None if self._is_in_worker(model) else self._read(model, self.loaded[model])

    def _is_in_worker(self, name: str) -> bool:
        if name in self.in_worker:
            self.in_worker.move_to_end(name)
            return True
        return False

    def _read(self, name: str, path: str) -> Response | None:
        """Why the worker cannot load the module; None where it has."""
        try:
            config = json.loads((Path(path) / "adapter_config.json").read_bytes())
        except OSError:
            return _error(404, f"Loading lora {name} failed: No adapter found for {path}", "NotFoundError")
        if config["r"] > self.max_lora_rank:
            told = f"LoRA rank {config['r']} is greater than max_lora_rank {self.max_lora_rank}."
            return _error(500, f"Call to add_lora method failed: {told}", "InternalServerError")
        self.in_worker[name] = None
        while len(self.in_worker) > self.max_cpu_loras:
            self.in_worker.popitem(last=False)
        return None


def _error(status: int, message: str, kind: str = "BadRequestError", *, param: str | None = None) -> Response:
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": status}}, status)


async def _no_route(request: Request) -> Response:
    """What FastAPI answers where there is no such route."""
    return JSONResponse({"detail": "Not Found"}, 404)
