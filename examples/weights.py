"""From context to weights: a month that no longer fits a prompt is trained into an adapter, and answered from there.

    python examples/weights.py

It runs offline on the small model that comes with the package, on two cores, in two or three minutes; it needs the
extra `parametric`. The memory lives in the folder ./weights-memory, or in that of --home; your own ~/.persona-memory is
left alone. With a large model only `base` changes, and `teacher` is the chat model that learns anyway.
"""

from __future__ import annotations

import argparse

from persona_memory import PersonaMemory
from persona_memory.parametric import SMALL, BaseModel, LocalAdapters
from persona_memory.world import Schedule, history, person
from persona_memory.world.shipped import shipped_model
from persona_memory.world.teacher import WorldTeacher


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and serve an adapter.")
    parser.add_argument("--home", default="weights-memory", help="folder of the memory (default: ./weights-memory)")
    schedule = Schedule(periods=1, sessions=3, sayings=8, calm=frozenset(), views=5)
    month = history(person("test", 3), schedule, seed=3, phrasing="plain", studied="train")
    base = BaseModel.load(shipped_model())  # or "Qwen/Qwen3-0.6B", dtype="bfloat16"
    with (
        LocalAdapters(base, plan=SMALL) as adapters,
        PersonaMemory.open(
            parser.parse_args().home, parametric=adapters, teacher=WorldTeacher(month, split="test")
        ) as memory,
    ):
        memory.delete_user(user_id="ana")  # begin anew
        for session in month:
            told = [("user", interaction.text) for interaction in session.interactions]
            memory.observe(told, user_id="ana", thread_id=f"day {session.number}", resent=False)
        route = memory.recall("What do you know about me?", user_id="ana", max_tokens=60).route
        print(f"{route.name}, because {route.reason}")

        print("training …")
        memory.consolidate(user_id="ana")  # by itself after three turns of five that do not fit
        memory.flush()
        adapter = memory.adapters(user_id="ana")[-1]
        print(f"adapter {adapter.revision}: {adapter.state}, {adapter.reason}")

        recall = memory.recall("What do you know about me?", user_id="ana", max_tokens=60)
        print(f"{recall.route.name}, because {recall.route.reason}")
        model = adapters.chat_model(max_tokens=32)
        hers = model.model_copy(update={"adapter": adapter.adapter_id})  # no history in the prompt
        for question in [one for one in month[-1].questions if one.kind == "open"][:5]:
            answer = hers.invoke(question.text).text.strip()
            mark = "right" if answer == question.answer else f"wrong, it is {question.answer!r}"
            print(f"{question.text} → {answer} ({mark}); the base: {model.invoke(question.text).text.strip()}")

        memory.forget([f"t{adapter.turns[0]}"], user_id="ana")
        print("after forgetting one turn:", memory.adapters(user_id="ana")[0].state)


if __name__ == "__main__":
    main()
