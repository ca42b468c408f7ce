"""The ledger: the one source of truth. Each person's events in a gapless sequence, what is derived, and jobs."""

from persona_memory.ledger.engine import Durability, Ledger
from persona_memory.ledger.people import Counters, Person

__all__ = ["Counters", "Durability", "Ledger", "Person"]
