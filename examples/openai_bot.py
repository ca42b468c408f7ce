"""A chatbot that was there before persona-memory, and the one line that gives it a memory.

    python examples/openai_bot.py                   # offline: a server on this machine that quotes what it is shown
    OPENAI_API_KEY=… python examples/openai_bot.py gpt-5-mini

The memory lives in the folder ./bot-memory, or in that of --home; your own ~/.persona-memory is left alone. It needs
the extra `openai`, and offline also `serve`.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import Any

from langchain_core.messages import convert_to_messages
from openai import OpenAI

from persona_memory import PersonaMemory
from persona_memory.demo.offline_model import plain_reply
from persona_memory_openai import wrap


class Bot:
    """As it was: it resends its whole history at every turn, streams, and knows nothing of memory."""

    def __init__(self, client: OpenAI, model: str, user: str) -> None:
        self.client, self.model, self.user = client, model, user
        self.history: list[Any] = [{"role": "system", "content": "You are a friendly assistant."}]

    def say(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})
        parts = self.client.chat.completions.create(
            model=self.model, messages=self.history, user=self.user, stream=True
        )
        reply = "".join(part.choices[0].delta.content or "" for part in parts)
        self.history.append({"role": "assistant", "content": reply})
        print(f"[{self.user}] {text}\n    → {reply}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A chatbot with a memory, by one line.")
    parser.add_argument("model", nargs="?", help="a model of OpenAI's API; without one, an offline model")
    parser.add_argument("--home", default="bot-memory", help="folder of the memory (default: ./bot-memory)")
    options = parser.parse_args()
    with ExitStack() as stack:
        client = stack.enter_context(OpenAI() if options.model else offline(stack))
        memory = stack.enter_context(PersonaMemory.open(options.home))

        client = wrap(client, memory)  # the one line

        Bot(client, options.model or "offline", user="ana").say("My cat is called Miso and I live in Porto.")
        Bot(client, options.model or "offline", user="ana").say("What is my cat called?")
        Bot(client, options.model or "offline", user="ben").say("What is my cat called?")
        memory.flush()
        print("learnt of ana:", [one.text for one in memory.memories(user_id="ana")])


def offline(stack: ExitStack) -> OpenAI:
    """A client of a server on this machine, whose model can only quote."""
    from persona_memory.testing import FakeOpenAI

    server = stack.enter_context(FakeOpenAI(lambda request: plain_reply(convert_to_messages(request["messages"]))))
    return OpenAI(base_url=server.base_url, api_key="none needed")


if __name__ == "__main__":
    main()
