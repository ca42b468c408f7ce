"""Finishing an erasure: what the ledger has erased leaves index and adapters, then the files. Safe to run again."""

from __future__ import annotations

from typing import Any

from persona_memory.budget import tokens as costs
from persona_memory.errors import EmbeddingError, EncryptionError, IndexUnavailable, LedgerError
from persona_memory.learning.context import Learning
from persona_memory.learning.index import withdraw
from persona_memory.ledger import erasure
from persona_memory.ledger.index import LedgerIndex
from persona_memory.memo import Memo
from persona_memory.profile import schema
from persona_memory.retrieval import words
from persona_memory.telemetry import told

SHARED: tuple[Memo[Any], ...] = (words.PIECES, costs.PIECES, schema.FOLDED)
"""What this process remembers of single words and values, whoever said them."""

READ = "somebody reads the file at this moment"


def finish(learning: Learning) -> str | None:
    """Clear index and adapters of what was erased, then let its bytes disappear; returns what stays yet, and why.

    It stays noted with its receipt, and the worker tries again.
    """
    ledger = learning.ledger
    forget_words()
    with ledger.read() as connection:
        waiting = erasure.outside(connection, ledger.namespace)
    problem = None
    try:
        for receipt_id, gone in waiting.items():
            _clear(learning, gone)
            with ledger.write() as tx:
                erasure.withdrawn(tx, ledger.namespace, receipt_id)
    except (IndexUnavailable, EmbeddingError) as error:
        problem = f"vectors stay in the index: {told(error)}"
    except EncryptionError as error:
        problem = f"their key stays: {told(error)}"
    except OSError as error:
        problem = f"files of adapters stay: {error.strerror}"
    except LedgerError as error:
        problem = f"that it left index and adapters cannot be noted: {error}"
    try:
        erasure.scrub(ledger)
        if problem is None and erasure.unfinished(ledger):
            problem = READ
    except LedgerError as error:  # erased it is, and durable: who has asked for it must not take it for failed
        problem = problem or f"bytes stay in the file: {error}"
    return problem


def forget_words() -> None:
    """Drop what this process remembers of words: some may be those that have been erased. It costs a millisecond."""
    for memo in SHARED:
        memo.clear()


def _clear(learning: Learning, gone: erasure.Outside) -> None:
    """Destroy keys, delete adapters, retire starts that learnt from the person, delete from an index outside.

    Of the one in it only what is cached is left.
    """
    if learning.ledger.vault is not None:
        learning.ledger.vault.destroy(gone.keys)
    learning.adapters.tidy(gone.user_id)
    learning.adapters.tidy_starts(now=learning.clock())
    space = learning.semantic.known_space
    if not learning.semantic.in_ledger:
        withdraw(learning, learning.semantic.space(), learning.person(gone.user_id), points=gone.points)
    elif space is not None and isinstance(space.index, LedgerIndex):
        space.index.drop(gone.user_id)
