"""Finishing an erasure: what the ledger has erased leaves the index, then the files. Safe to run again at any time."""

from __future__ import annotations

from persona_memory.errors import EmbeddingError, IndexUnavailable
from persona_memory.learning.context import Learning
from persona_memory.learning.index import withdraw
from persona_memory.ledger import erasure


def finish(learning: Learning) -> str | None:
    """Clear the index of what was erased, then make the bytes disappear; returns why the index could not be cleared.

    What does not work now stays noted with its receipt and is tried again by the worker.
    """
    ledger = learning.ledger
    with ledger.read() as connection:
        waiting = erasure.outside(connection, ledger.namespace)
    problem = None
    try:
        for receipt_id, gone in waiting.items():
            withdraw(learning, learning.semantic.space(), learning.person(gone.user_id), points=gone.points)
            with ledger.write() as tx:
                erasure.withdrawn(tx, ledger.namespace, receipt_id)
    except (IndexUnavailable, EmbeddingError) as error:
        problem = str(error)
    erasure.scrub(ledger)
    return problem
