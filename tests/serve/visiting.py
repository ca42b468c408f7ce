"""Somebody who visits the inspector, by a plain client, and what a browser would make of its pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import httpx2

from persona_memory import Retry
from persona_memory.testing import ScriptedChatModel

from .conftest import Serve, Served


class Elements(HTMLParser):
    """Counts what a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


class Browser:
    """Keeps cookies, and fills forms in as a browser does."""

    def __init__(self, served: Served) -> None:
        client = httpx2.Client(base_url=served.url, follow_redirects=True, timeout=30)
        self.http = served.stack.enter_context(client)
        self.origin = {"origin": served.url}

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(f"/ui/{path}", params=query)

    def form(self, path: str = "sign-in") -> str:
        """The token of the forms of this session."""
        found = re.search(r'name="form" value="([^"]+)"', self.get(path).text)
        assert found
        return found[1]

    def post(self, path: str, *, user: str | None = None, **fields: Any) -> Any:
        query = {} if user is None else {"user": user}
        data = {"form": self.form(), **fields}
        return self.http.post(f"/ui/{path}", params=query, data=data, headers=self.origin)


def furnished(serve: Serve) -> Served:
    """A server that knows ana, of whom every page has something to show."""
    opens = serve.open_memory  # type: ignore[attr-defined]
    with opens() as memory:
        memory.observe([("user", "I live in Porto. I do not understand recursion.")], user_id="ana")
        memory.flush(timeout=60)
        memory.observe([("user", "I moved to Lisbon. I love hiking and jazz.")], user_id="ana")
        memory.flush(timeout=60)
        memory.recall("Where do I live?", user_id="ana", max_tokens=5)
        (turn,) = memory.observe([("user", "My locker code is 4711.")], user_id="ana").turns
        memory.forget([f"t{turn}"], user_id="ana")
        memory.flush(timeout=60)
    with opens(model=ScriptedChatModel(answers=lambda *_: "I would rather chat."), retry=Retry(attempts=1)) as memory:
        memory.observe([("user", "I like tea.")], user_id="ana", thread_id="t2")
        memory.flush(timeout=60)
    return serve()
