"""Memories that mem0 holds, brought in once: dated as they were, and asked for like all others.

    python examples/from_mem0.py

The memory lives in the folder ./mem0-memory, or in that of --home; your own ~/.persona-memory is left alone. What
mem0 gives (`json.dump(Memory().get_all(filters={"user_id": "ana"}, top_k=10_000), file)`) is written out below.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from persona_memory import PersonaMemory
from persona_memory.importers import read_mem0

HELD = {
    "results": [
        {"id": "0b6c", "memory": "Name is Ana", "user_id": "ana", "created_at": "2026-01-05T10:00:00-08:00"},
        {"id": "77aa", "memory": "Is vegetarian", "user_id": "ana", "created_at": "2026-01-06T10:00:00-08:00"},
        {"id": "91d2", "memory": "Has a cat called Miso", "user_id": "ana", "created_at": "2026-02-01T08:30:00+00:00"},
    ]
}


def main() -> None:
    parser = argparse.ArgumentParser(description="From mem0.")
    parser.add_argument("--home", default="mem0-memory", help="folder of the memory (default: ./mem0-memory)")
    with tempfile.TemporaryDirectory() as folder, PersonaMemory.open(parser.parse_args().home) as memory:
        file = Path(folder) / "mem0.json"
        file.write_text(json.dumps(HELD), encoding="utf-8")
        for one in read_mem0(file):
            memory.import_statement(one.text, user_id=one.user_id, source=one.source, at=one.at)
        memory.flush()
        for held in memory.memories(user_id="ana"):
            print(f"{held.valid_from:%Y-%m-%d}  {held.text}")
        print("profile:", memory.profile(user_id="ana").to_dict())
        print(memory.recall("What shall I cook tonight?", user_id="ana").text)


if __name__ == "__main__":
    main()
