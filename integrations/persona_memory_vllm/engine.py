"""What is asked of vLLM's server about LoRA modules, and what its answers mean. Nothing here sends.

Its endpoints, in the order in which an adapter meets them (vLLM's docs/features/lora.md):

    POST /v1/load_lora_adapter      200; 400 where the name is loaded already; 404, 400 or 500 where it cannot be
    GET  /v1/models                 the base, and every LoRA module with the path that it was loaded from
    POST /v1/unload_lora_adapter    200; 404 where there is no such name

The first and the last exist only where VLLM_ALLOW_RUNTIME_LORA_UPDATING is set.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import httpx2

from persona_memory import InvalidInput, PersonaMemoryError

ADAPTER = re.compile(r"[a-z2-7]{26}-r[0-9]{6}", re.ASCII)
"""A name as the registry gives it to a person's revision: nobody can read from it whose it is."""

NO_ADAPTER = "persona-memory-asks-whether-it-may"
"""A name that no module has."""


class EngineError(PersonaMemoryError):
    """The engine could not do what it was asked; the message says what it answered and what to change."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One vLLM server, as an OpenAI client takes it.

    Attributes:
        base_url: e.g. "http://localhost:8000/v1".
        model: name of the base model there (`--served-model-name`, else `--model`).
        api_key: of `--api-key`.
        timeout: seconds that it may take to load or unload an adapter.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 10.0

    def load(self, name: str, path: str) -> httpx2.Request:
        """Load the adapter in this folder of the engine's machine, under this name."""
        return self._request("POST", "/load_lora_adapter", {"lora_name": name, "lora_path": path})

    def unload(self, name: str) -> httpx2.Request:
        """Serve nobody under this name any more."""
        return self._request("POST", "/unload_lora_adapter", {"lora_name": name})

    def models(self) -> httpx2.Request:
        """List what is served."""
        return self._request("GET", "/models", None)

    def _request(self, method: str, path: str, body: Any) -> httpx2.Request:
        headers = {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}
        extensions = {"timeout": httpx2.Timeout(self.timeout).as_dict()}
        url = self.base_url.rstrip("/") + path
        return httpx2.Request(method, url, headers=headers, json=body, extensions=extensions)


def check_loaded(response: httpx2.Response, name: str) -> None:
    """Nothing, if the adapter is loaded, by this request or before.

    Raises:
        EngineError: it is not.
    """
    said = message(response)
    if response.is_success or (response.status_code == 400 and "already been loaded" in said):
        return
    _check_allowed(response)
    raise EngineError(f"vLLM does not load {name} ({response.status_code}): {said[:300]}{_mend(said)}")


def check_unloaded(response: httpx2.Response, name: str) -> None:
    """Nothing, if the engine serves nobody under this name.

    Raises:
        EngineError: it may go on to.
    """
    if response.is_success:
        return
    _check_allowed(response)
    if response.status_code != 404:
        raise EngineError(f"vLLM does not unload {name} ({response.status_code}): {message(response)[:300]}")


def served(response: httpx2.Response) -> dict[str, dict[str, Any]]:
    """What the engine lists, by name.

    Raises:
        EngineError: it lists nothing.
    """
    try:
        return {card["id"]: card for card in response.raise_for_status().json()["data"]}
    except (httpx2.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        where = _shown(response.url)
        raise EngineError(f"{where} lists no models ({response.status_code}); is it vLLM?") from error


def adapters_of(listed: Collection[str]) -> set[str]:
    """The people's adapters among the names."""
    return {name for name in listed if ADAPTER.fullmatch(name)}


def check_serves(listed: dict[str, dict[str, Any]], model: str) -> None:
    """Nothing, if the engine has a base model of this name.

    Raises:
        InvalidInput: it has not; the message says what it has.
    """
    bases = sorted(name for name, card in listed.items() if not card.get("parent"))
    if model not in bases:
        raise InvalidInput(f"the engine serves {bases}, not {model!r}; pass the name that it has there as model=…")


def is_unknown(response: httpx2.Response, name: str) -> bool:
    """Whether a chat was refused because the engine has no such module (any more), or could not load it."""
    return response.status_code in (400, 404) and name in response.text


def silent(request: httpx2.Request, error: httpx2.TransportError) -> EngineError:
    """What a request that was not answered comes to."""
    return EngineError(f"vLLM at {_shown(request.url)} does not answer: {error or type(error).__name__}")


def message(response: httpx2.Response) -> str:
    """What an error says, in the shape of today or in that of older versions."""
    try:
        body = response.json()
    except ValueError:
        return response.text
    error = body.get("error", body) if isinstance(body, dict) else body
    return str(error.get("message", error) if isinstance(error, dict) else error)


def _shown(url: httpx2.URL) -> str:
    """The URL as it may be logged: without a name, a password or a query."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}"


def _check_allowed(response: httpx2.Response) -> None:
    """Of an endpoint that is not there, the answer is FastAPI's own."""
    if response.status_code == 404 and "detail" in response.text and "message" not in response.text:
        raise EngineError(
            "vLLM takes no adapters while it runs: start it with --enable-lora, and with "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=true in its environment"
        )


def _mend(said: str) -> str:
    if "max_lora_rank" in said:
        return "; start it with a larger --max-lora-rank, or train adapters of a smaller rank (Plan.spec)"
    if "target modules" in said:
        return "; train adapters of layers that vLLM knows in this model (Plan.spec's targets)"
    return ""
