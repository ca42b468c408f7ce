"""People's adapters on one vLLM server: who is answered by whom, and what erasing somebody does to the engine.

    python examples/vllm_adapters.py                # offline: a server on this machine that speaks vLLM's endpoints
    python examples/vllm_adapters.py http://localhost:8000/v1 Qwen/Qwen3-0.6B

The memory lives in the folder ./vllm-memory, or in that of --home; your own ~/.persona-memory is left alone. Nothing is
trained here: a real engine refuses what stands in for adapters, and answers everybody with its base.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

import httpx2
from openai import OpenAI

from persona_memory import PersonaMemory
from persona_memory.protocols import Example, Turn
from persona_memory.testing import FakeVllm, UntrainedAdapters
from persona_memory_openai import wrap
from persona_memory_vllm import VllmAdapters, VllmTransport

FACTS = ["My dog is called Basil.", "I live in Porto.", "I work as a baker.", "I play the cello."]
QUESTION = "Tell me of my dog, where I live and my work."


class Teacher:
    """Stands in for the chat model that writes what is trained on."""

    name = "example"

    async def teach(self, conversation: Sequence[Turn]) -> list[Example]:
        (turn,) = conversation
        told = Example("positive", f"Is it true? {turn.text}", turn.text, (turn.seq,))
        return [told, Example("negative", f"Why? {turn.text}", "You never said.", (turn.seq,))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Everybody's adapters on one engine.")
    parser.add_argument("url", nargs="?", help="a vLLM server; without one, a server that only speaks its endpoints")
    parser.add_argument("model", nargs="?", default="base-1", help="its base model")
    parser.add_argument("--home", default="vllm-memory", help="folder of the memory (default: ./vllm-memory)")
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.url
        if url is None:
            url = stack.enter_context(FakeVllm(lambda asked: f"{asked['model']} speaking.", max_cpu_loras=4)).base_url
        trainer = UntrainedAdapters(options.model)  # in life: persona_memory.parametric.LocalAdapters(base)
        engine = stack.enter_context(VllmAdapters(url, model=options.model, trainer=trainer, max_cpu_loras=4))
        engine.check()
        memory = stack.enter_context(PersonaMemory.open(options.home, parametric=engine, teacher=Teacher()))
        http = httpx2.Client(transport=VllmTransport(engine), timeout=60)
        client = stack.enter_context(OpenAI(base_url=url, api_key="none needed", http_client=http))
        client = wrap(client, memory, max_tokens=120, ask_questions=False)

        def ask(user: str, text: str) -> None:
            answer = client.chat.completions.create(
                model=options.model, messages=[{"role": "user", "content": text}], user=user
            )
            print(f"[{user}] {text}\n    → {answer.choices[0].message.content}")

        for user in ("ana", "ben"):
            for day, fact in enumerate(FACTS):
                memory.observe([("user", fact)], user_id=user, thread_id=f"day {day}")
            memory.flush()
            memory.consolidate(user_id=user)  # in life it is queued when it no longer fits
        memory.flush()
        ask("cleo", "Hello!")
        ask("ana", QUESTION)
        ask("ben", QUESTION)
        print("erased, completely:", memory.delete_user(user_id="ana").complete)
        ask("ana", QUESTION)
        print("adapters in the engine:", engine.stats.loads, "were loaded; failures:", dict(engine.doors.failures))


if __name__ == "__main__":
    main()
