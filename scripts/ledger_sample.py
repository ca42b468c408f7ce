"""Write tests/ledger/samples/ledger_v<N>.db: a small ledger that every later release must open."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from persona_memory import PersonaMemory, Policy
from persona_memory.ledger.schema import SCHEMA_VERSION
from persona_memory.registry import AdapterRegistry

SAMPLES = Path(__file__).parent.parent / "tests" / "ledger" / "samples"


def main() -> None:
    """Fill a ledger with one event of each kind and copy its file."""
    moment = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as home:
        with PersonaMemory.open(home, worker=False, clock=lambda: moment) as memory:
            memory.observe([("user", "I live in Porto."), ("assistant", "Noted.")], user_id="ana", thread_id="t1")
            memory.remember("The user's dog is called Rex.", user_id="ana")
            memory.set_field("demographics.name", "Ana", user_id="ana")
            memory.set_policy(Policy(retention_days=3650), user_id="ana")
            memory.recall("Where do I live?", user_id="ana")
            memory.observe([("user", "My locker code is 4711.")], user_id="ana", thread_id="t2")
            memory.flush()
            memory.forget(["t6"], user_id="ana")
            memory.flush()
            adapters = AdapterRegistry(memory._ledger, Path(home) / "adapters")
            base = {"base": "0" * 64, "tokenizer": "0" * 64, "template": "0" * 64}
            adapters.begin(
                "ana", base_model="tiny", fingerprint=base, turns=[1], memory_ids=[], now=moment
            )  # fmt: skip
        SAMPLES.mkdir(exist_ok=True)
        target = SAMPLES / f"ledger_v{SCHEMA_VERSION}.db"
        target.write_bytes((Path(home) / "memory.db").read_bytes())
    print(f"wrote {target.name}, {target.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
