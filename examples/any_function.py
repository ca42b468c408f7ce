"""Any function from messages to a reply gains memory by a decorator: here one that answers whole and one that streams.

`python examples/any_function.py` runs offline. The memory lives in the folder ./function-memory, or in that of --home;
your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from langchain_core.messages import convert_to_messages

from persona_memory import Doors, PersonaMemory, wrap
from persona_memory.demo.offline_model import plain_reply


def answer(messages: list[dict[str, Any]]) -> str:
    """Your bot, whatever stands behind it: a framework, a request, a model in this process."""
    return plain_reply(convert_to_messages(messages))


def streamed(messages: list[dict[str, Any]]) -> Iterator[str]:
    """The same word by word."""
    for word in answer(messages).split(" "):
        yield f"{word} "


def main() -> None:
    parser = argparse.ArgumentParser(description="A function with a memory.")
    parser.add_argument("--home", default="function-memory", help="folder of the memory (default: ./function-memory)")
    with PersonaMemory.open(parser.parse_args().home) as memory:
        doors = Doors()
        bot, streaming = wrap(answer, memory, doors=doors), wrap(streamed, memory, doors=doors)

        history: list[dict[str, Any]] = []
        for text in ("I am allergic to peanuts.", "I moved to Lisbon in May."):
            history.append({"role": "user", "content": text})
            history.append({"role": "assistant", "content": bot(history, user_id="ana", thread_id="monday")})

        question = [{"role": "user", "content": "What am I allergic to?"}]
        print("ana:", "".join(streaming(question, user_id="ana", thread_id="tuesday")))
        print("ben:", "".join(streaming(question, user_id="ben", thread_id="tuesday")))
        print("turns of ana:", sum(memory.progress(user_id="ana").values()))
        print("failures of the memory:", dict(doors.failures) or "none")


if __name__ == "__main__":
    main()
