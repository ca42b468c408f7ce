"""A local server that speaks OpenAI's chat protocol from a script, answers after as long as it is told, and counts.

Every system is asked to remember as much: one made-up fact for every second turn that it shows the model.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

_PIECE = re.compile(r"[A-Za-z]{1,6}|\d{1,3}|[^\sA-Za-z\d]")
_TURN = re.compile(r"^\d+\. \[", re.MULTILINE)
_NUMBERS = count(1)


@dataclass(slots=True)
class Usage:
    """What was asked of the model so far."""

    calls: int = 0
    tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, body: dict[str, Any]) -> None:
        with self.lock:
            self.calls += 1
            self.tokens += input_tokens(body)


def input_tokens(body: dict[str, Any]) -> int:
    """About how many tokens a request shows the model: messages, tools and the format of the answer.

    The same rule for every system (pieces of words of up to six letters, three digits, single signs), since no
    vocabulary can be counted on to be at hand.
    """
    shown: list[object] = [message.get("content") or "" for message in body["messages"]]
    shown += [message["tool_calls"] for message in body["messages"] if message.get("tool_calls")]
    shown += [body[name] for name in ("tools", "functions", "response_format") if body.get(name)]
    texts = (one if isinstance(one, str) else json.dumps(one) for one in shown)
    return sum(len(_PIECE.findall(text)) for text in texts)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """The scripted message for a request."""
    forms = {tool["function"]["name"] for tool in body.get("tools") or []}
    forms.add((body.get("response_format") or {}).get("json_schema", {}).get("name", ""))
    shown = str(body["messages"][-1].get("content") or "")
    if "LearnAnswer" in forms:
        turns = len(_TURN.findall(shown.rpartition("Turns to learn from:")[2]))
        facts = [{"text": fact(), "turns": [_own_turn(shown, place)]} for place in range(max(1, turns // 2))]
        return _filled("LearnAnswer", {"memories": facts}, body)
    if "ProfileAnswer" in forms:
        return _filled("ProfileAnswer", {"edits": []}, body)
    if "Memory" in forms:
        return _filled("Memory", {"content": fact()}, body)
    memories = [{"id": str(place), "text": fact(), "attributed_to": "user"} for place in range(_facts_for(shown))]
    return {"role": "assistant", "content": json.dumps({"memory": memories})}


def fact() -> str:
    """One more fact, of the length that facts have."""
    return f"The person has told that thing number {next(_NUMBERS)} happened to a friend in the old town"


def _own_turn(shown: str, place: int) -> int:
    own = re.findall(r"^(\d+)\. \[[^\]]*\] person", shown.rpartition("Turns to learn from:")[2], re.MULTILINE)
    return int(own[min(place, len(own) - 1)]) if own else 1


def _facts_for(shown: str) -> int:
    """mem0 shows new messages as lines "user: …" and "assistant: …" at the end of its prompt."""
    new = shown.rpartition("New Messages")[2] or shown
    return max(1, len(re.findall(r"(?:user|assistant):|\"role\"", new)) // 2)


def _filled(name: str, values: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The form as it was asked for: as a call of the tool, or as the reply itself."""
    if not body.get("tools"):
        return {"role": "assistant", "content": json.dumps(values)}
    made = {"id": f"call_{next(_NUMBERS)}", "type": "function"}
    function = {"name": name, "arguments": json.dumps(values)}
    return {"role": "assistant", "content": None, "tool_calls": [{**made, "function": function}]}


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    usage: Usage
    delay: float


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        due = time.monotonic() + self.server.delay
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.usage.add(body)
        message = answer(body)
        time.sleep(max(0.0, due - time.monotonic()))
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self._reply(
            {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
        )

    def do_GET(self) -> None:
        self._reply({"calls": self.server.usage.calls, "tokens": self.server.usage.tokens})

    def _reply(self, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(*, delay: float = 0.0) -> Iterator[tuple[str, Usage]]:
    """The base URL of a running server ("…/v1"), and what it has counted."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.usage, server.delay = Usage(), delay
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", server.usage
    finally:
        server.shutdown()
        server.server_close()
