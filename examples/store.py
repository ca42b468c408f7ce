"""Memories that LangMem keeps in a LangGraph store: brought in, and what is known written back.

    python examples/store.py

The memory lives in the folder ./store-memory, or in that of --home; your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse

from langgraph.store.memory import InMemoryStore

from persona_memory import PersonaMemory
from persona_memory_langgraph import export_store, import_store


def langmem() -> InMemoryStore:
    """A store as LangMem leaves it: one memory of its tool, one of its store manager, one profile of a schema."""
    store = InMemoryStore()
    store.put(("memories", "ana"), "1", {"content": "The user is allergic to peanuts."})
    store.put(("memories", "ana"), "2", {"kind": "Memory", "content": {"content": "The user has a cat called Miso."}})
    store.put(("memories", "ana"), "3", {"kind": "UserProfile", "content": {"name": "Ana", "shoe_size": 38}})
    return store


def main() -> None:
    parser = argparse.ArgumentParser(description="From LangMem and back.")
    parser.add_argument("--home", default="store-memory", help="folder of the memory (default: ./store-memory)")
    store = langmem()
    with PersonaMemory.open(parser.parse_args().home) as memory:
        for user, came in import_store(store, memory, fields={"name": "demographics.name"}).items():
            print(f"{user}: {came.new} new, {came.held} held already, {came.fields} fields of the profile")
        memory.remember("The user lives in Porto.", user_id="ana")
        print(memory.recall("What is my cat called?", user_id="ana").text)
        print("written back:", export_store(memory, store))
    for item in store.search(("memories", "ana", "profile")):
        print("profile in the store:", item.value["content"])


if __name__ == "__main__":
    main()
