"""What an operator can set."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from persona_memory import InvalidInput

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server behaves.

    Attributes:
        upstream: base URL of an OpenAI-compatible API, with its version: "https://api.openai.com/v1".
        upstream_key: bearer token for it. Without one, and without keys of tenants, the client's own is passed on.
        user_header: header that names the user, before the request's `user` field.
        thread_header: header that names the conversation.
        without_user: what becomes of a chat request that names nobody: "refuse" (400), or "pass" (without memory).
        rate: requests of one key (without keys: of all together), as "600/minute"; None for no limit.
        max_body: bytes that a request may have.
        upstream_timeout: seconds that the upstream may be silent.
        memory_timeout: seconds after which a chat goes on without its memory.
        max_tokens: budget of what is put into a request.
        session_secret: signs the inspector's sessions and links: 32 random characters or more, the same for all servers
            behind one balancer. None: a new one, so that a restart signs everybody out.
        hosts: names by which clients reach the server (`Host`). Empty: with keys any; without, those of this machine,
            so that no web page reaches it under a name of its own (DNS rebinding).
        https: clients come by HTTPS, and the inspector's cookie is sent by nothing else.
        ask_questions: at most once per thread, offer the model a question about what is still unknown of the person.
    """

    upstream: str = "https://api.openai.com/v1"
    upstream_key: str | None = field(default=None, repr=False)
    user_header: str = "x-user-id"
    thread_header: str = "x-thread-id"
    without_user: Literal["refuse", "pass"] = "refuse"
    rate: str | None = "600/minute"
    max_body: int = 10 * MIB
    upstream_timeout: float = 600.0
    memory_timeout: float = 5.0
    max_tokens: int = 800
    ask_questions: bool = True
    session_secret: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    https: bool = False

    def __post_init__(self) -> None:
        """Refuses an upstream that nothing could be sent to."""
        url = urlsplit(self.upstream)
        if url.scheme not in ("http", "https") or not url.netloc:
            raise InvalidInput(
                f"the upstream is {self.upstream!r}; pass the base URL of an OpenAI-compatible API with its version, "
                "such as https://api.openai.com/v1"
            )

    @property
    def names_version(self) -> bool:
        """Whether the upstream's path has a version in it, as /v1 or /v1beta/openai have."""
        return re.search(r"/v\d", urlsplit(self.upstream).path) is not None
