"""`persona-memory serve` from outside: nothing but HTTP and JSON, as a chatbot in any language would do it.

`python examples/any_language.py` runs offline: it starts a model's server that can only quote, and `persona-memory
serve` in front of it. The memory lives in the folder ./served-memory, or in that of --home; your own ~/.persona-memory
is left alone. It needs the extra `serve`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from langchain_core.messages import convert_to_messages

from persona_memory.demo.offline_model import plain_reply
from persona_memory.testing import FakeOpenAI


def call(method: str, url: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    """One request with JSON both ways; `X_User_Id` is the header X-User-Id."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, named, method=method)) as answer:
        return json.load(answer)


def say(server: str, user: str, text: str) -> None:
    """One turn, printed."""
    body = {"model": "offline", "messages": [{"role": "user", "content": text}]}
    answer = call("POST", f"{server}/v1/chat/completions", body, X_User_Id=user)
    print(f"[{user}] {text}\n    → {answer['choices'][0]['message']['content']}")


@contextmanager
def served(home: str, upstream: str) -> Iterator[str]:
    """The URL of a server that ends with the block."""
    command = [sys.executable, "-m", "persona_memory", "serve", "--port", "0", "--home", home, "--upstream", upstream]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("listening on "):
                yield line.split()[2].rstrip(";")
                break
        process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description="A memory for a chatbot in any language.")
    parser.add_argument("--home", default="served-memory", help="folder of the memory (default: ./served-memory)")
    home = parser.parse_args().home
    model = FakeOpenAI(lambda body: plain_reply(convert_to_messages(body["messages"])))
    with model, served(home, model.base_url) as server:
        say(server, "ana", "My cat is called Miso.")
        say(server, "ana", "What is my cat called?")
        say(server, "ben", "What is my cat called?")
        ana = f"{server}/v1/users/ana"
        print("recalled:", [hit["text"] for hit in call("POST", f"{ana}/recall", {"query": "My cat?"})["hits"]])
        print("exported:", len(call("GET", f"{ana}/export")["messages"]), "messages")
        print("erased, completely:", call("DELETE", ana)["complete"])


if __name__ == "__main__":
    main()
