"""Erase one thing of a person, then everything, and prove it later from the receipt.

    python examples/erase.py

The memory lives in the folder ./erase-memory, or in that of --home; your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse

from persona_memory import PersonaMemory
from persona_memory.types import ErasureReceipt

SAID = [
    ("user", "My name is Ana. I live in Porto."),
    ("assistant", "Welcome, Ana."),
    ("user", "I'm allergic to peanuts."),
]


def show(what: str, receipt: ErasureReceipt) -> None:
    """What was erased where, and what only others can clear."""
    erased = ", ".join(f"{count} of {place}" for place, count in receipt.erased.items() if count)
    print(f"{what}: {erased}; complete: {receipt.complete}")
    for place in receipt.remains:
        print("  beyond our reach:", place)


def main() -> None:
    parser = argparse.ArgumentParser(description="Erase a user, and prove it.")
    parser.add_argument("--home", default="erase-memory", help="folder of the memory (default: ./erase-memory)")
    with PersonaMemory.open(parser.parse_args().home) as memory:
        memory.delete_user(user_id="ana")  # begin anew
        memory.observe(SAID, user_id="ana", thread_id="monday", resent=False)
        memory.flush()
        print("known:", memory.profile(user_id="ana").to_dict())
        print("a copy for her:", len(memory.export(user_id="ana")["messages"]), "messages")

        show("where she lives", memory.forget(["demographics.location"], user_id="ana"))
        memory.flush()
        print("known:", memory.profile(user_id="ana").to_dict())

        receipt = memory.delete_user(user_id="ana")
        show("everything", receipt)
        memory.observe(SAID, user_id="ana", thread_id="monday")  # a client that sends its old history again
        print("after a replay:", memory.profile(user_id="ana").to_dict())

        checkup = memory.verify_erasure(receipt.id, user_id="ana", text="Porto")
        for check in checkup.checks:
            print(f"  {check.name}: {check.skipped or check.problems or 'all is well'}")
        print("proven:", checkup.ok)


if __name__ == "__main__":
    main()
