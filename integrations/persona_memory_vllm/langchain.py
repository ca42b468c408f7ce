"""AdapterMiddleware: an agent whose chat model speaks to a vLLM server is answered by its user's adapter.

It stands behind `PersonaMemoryMiddleware`, whose recall says by which way a run's memory reaches the model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

from persona_memory import Route
from persona_memory_vllm.adapters import VllmAdapters


class AdapterMiddleware(AgentMiddleware[Any, Any, Any]):
    """Asks for the user's adapter in each model call, where the route has one; the base answers where it cannot.

    Args:
        adapters: of the engine that the agent's chat model speaks to. The model takes `model=…` with a call, as
            `ChatOpenAI` does.
    """

    def __init__(self, adapters: VllmAdapters) -> None:
        super().__init__()
        self.adapters = adapters

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Name the adapter in this call."""
        with self.adapters.answering(_route(request)) as model:
            try:
                return handler(_asking(request, model))
            except Exception as error:
                self._refuse_unknown(model, error)
        return handler(request)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """As `wrap_model_call`."""
        async with self.adapters.aanswering(_route(request)) as model:
            try:
                return await handler(_asking(request, model))
            except Exception as error:
                self._refuse_unknown(model, error)
        return await handler(request)

    def _refuse_unknown(self, model: str, error: Exception) -> None:
        """Note an adapter that the engine knows no more, or could not load; any other error is raised again."""
        unknown = getattr(error, "status_code", None) in (400, 404) and model in str(error)
        if model == self.adapters.model or not unknown:
            raise error
        self.adapters.refused(model)


def _route(request: ModelRequest[Any]) -> Route | None:
    """The route of what was recalled for this run; None where nothing was."""
    state: Mapping[str, Any] = request.state
    recalled = state.get("persona_memory") or {}
    return Route(**recalled["route"]) if "route" in recalled else None


def _asking(request: ModelRequest[Any], model: str) -> ModelRequest[Any]:
    return request.override(model_settings={**request.model_settings, "model": model})
