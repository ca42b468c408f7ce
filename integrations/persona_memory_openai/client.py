"""wrap: an OpenAI client gains memory by one line, whichever of its methods asks the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from persona_memory import Doors, Host, InvalidInput, MissingExtra, PersonaMemory, Placement
from persona_memory_openai.transport import AsyncMemoryTransport, Memorising, MemoryTransport

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

Client = TypeVar("Client", "OpenAI", "AsyncOpenAI")


def wrap(
    client: Client,
    memory: PersonaMemory,
    *,
    user_id: str | Callable[[], str | None] | None = None,
    thread_id: str | None = None,
    max_tokens: int = 800,
    ask_questions: bool = True,
    profile: Placement = "system",
    memories: Placement = "message",
    doors: Doors | None = None,
) -> Client:
    """A client of the same kind that remembers; the given one is left as it is.

    Chat completions and responses have memory through every method that asks for them: `create`, `parse`, `stream`,
    raw and streaming responses, and clients made by `with_options`. Whose turn it is says the request's own `user`, or
    `extra_headers={"X-User-Id": …}`; the conversation `extra_headers={"X-Thread-Id": …}`. These headers stay here.
    A request that does not say whose turn it is fails with `openai.BadRequestError`.

    Args:
        client: `OpenAI`, `AsyncOpenAI` or a subclass, such as `AzureOpenAI`.
        memory: the memory; closed by whoever opened it.
        user_id: whose turn it is, where requests do not say so: an id, or a function that returns it.
        thread_id: the conversation, where requests do not say so.
        max_tokens: budget of what is put into a request.
        ask_questions: at most once per thread, offer the model a question about what is still unknown of the person.
        profile: where the profile goes, "system" (its end) or "message" (beside the latest human message).
        memories: where this turn's memories go.
        doors: counts failures of the memory; the request goes on without it.

    Raises:
        InvalidInput: it is no such client, or its HTTP client is not one of httpx2.
        MissingExtra: the OpenAI SDK is not installed.
    """
    try:
        from openai import AsyncOpenAI, OpenAI
    except ImportError as error:
        raise MissingExtra("wrapping an OpenAI client", "openai") from error
    host = Host(memory, max_tokens=max_tokens, ask_questions=ask_questions, doors=doors)
    how = Memorising(host, user_id, thread_id, places={"profile": profile, "memories": memories})
    # The SDK has no public name for the HTTP client that it was given or has made.
    sender = getattr(client, "_client", None)
    if isinstance(client, OpenAI) and isinstance(sender, httpx2.Client):
        http = httpx2.Client(transport=MemoryTransport(sender, how), **_options(sender))
        return client.with_options(http_client=http)
    if isinstance(client, AsyncOpenAI) and isinstance(sender, httpx2.AsyncClient):
        ahttp = httpx2.AsyncClient(transport=AsyncMemoryTransport(sender, how), **_options(sender))
        return client.with_options(http_client=ahttp)
    if isinstance(client, OpenAI | AsyncOpenAI):
        raise InvalidInput(f"the client sends with {type(sender).__module__}; give it an HTTP client of httpx2")
    raise InvalidInput(
        f"wrap takes an OpenAI or AsyncOpenAI client, and got {type(client).__name__}; a function is wrapped by "
        "persona_memory.wrap"
    )


def _options(sender: httpx2.Client | httpx2.AsyncClient) -> dict[str, Any]:
    """What the sender adds to each request that is built with it."""
    return {
        "headers": sender.headers, "cookies": sender.cookies, "params": sender.params, "timeout": sender.timeout,
        "base_url": sender.base_url,
    }  # fmt: skip
