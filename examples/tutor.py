"""A tutor that knows what its student knows: a map of topics, and which exercise comes next.

    python examples/tutor.py

It runs offline and without a model: rules read plain sentences. The memory lives in the folder ./tutor-memory, or in
that of --home; your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from persona_memory import PersonaMemory
from persona_memory.knowledge import Tracker
from persona_memory.types import Topic

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LESSON = [
    ("user", "I don't understand recursion."),
    ("assistant", "A function calls itself on a smaller part, until there is nothing left to do."),
    ("user", "Can you explain pointers to me?"),
    ("assistant", "A pointer holds an address."),
    ("user", "I already know loops well."),
]
URGENT = {"gap": 0, "learning": 1, "discussed": 2, "familiar": 3}


def show(topics: tuple[Topic, ...]) -> None:
    """What the map says, and on which turns it rests."""
    for topic in topics:
        recalled = "" if topic.retrievability is None else f", would be recalled with {topic.retrievability:.2f}"
        print(f"  {topic.name}: {topic.status}{recalled}, because of turns {[one.seq for one in topic.evidence]}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A tutor that knows what its student knows.")
    parser.add_argument("--home", default="tutor-memory", help="folder of the memory (default: ./tutor-memory)")
    with PersonaMemory.open(parser.parse_args().home, clock=lambda: MONDAY) as memory:
        memory.observe(LESSON, user_id="ana", thread_id="monday")
        memory.flush()
        for when, at in (("on Monday", MONDAY), ("two months later", MONDAY + timedelta(days=60))):
            known = memory.knowledge(user_id="ana", now=at)
            print(f"{when}:")
            show(known.topics)
            chosen = min(known.topics, key=lambda topic: (URGENT[topic.status], topic.retrievability or 0.0))
            print("  next:", chosen.name)
        if known.gaps:
            print("worth asking:", known.gaps[0].question)
    tracker = Tracker()  # what marked exercises say, and what the next one will
    for right in (False, True, True):
        tracker.observe(["recursion"], right)
        print(f"recursion {'right' if right else 'wrong'}: the next with {tracker.p_correct(['recursion']):.2f}")


if __name__ == "__main__":
    main()
