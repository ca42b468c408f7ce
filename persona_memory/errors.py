"""Everything that persona-memory raises on purpose.

PersonaMemoryError
├── InvalidInput             what the caller passed cannot be used; the message says what to pass instead
│   ├── InvalidUserId
│   ├── MissingState         a graph's state that reaches a node lacks a key
│   └── ImportFileError      a file to import is malformed: names the file, the line and the mend
├── RedactionError           the host's `redact` failed; nothing of the call was stored
├── NotFound                 no such memory, job or field of this user
├── MissingExtra             an optional package is needed; the message is the pip command
├── LedgerError              the ledger cannot be opened, read or written
│   ├── LedgerLocked         another process holds the write lock for too long
│   ├── LedgerReadOnly
│   ├── LedgerDiskError      the disk is full, over its quota or failing
│   ├── LedgerCorrupt
│   ├── LedgerTooNew         written by a newer persona-memory
│   └── EncryptionError      it is encrypted and there is no key, or the other way round, or a key is missing
│       ├── WrongKey         the master key is another one
│       ├── KeyDestroyed     the person's key was destroyed, and with it what it encrypted
│       └── Tampered         what is stored is not what was written there
├── IndexUnavailable         a vector index does not answer; the ledger still holds everything
├── EmbeddingError           an embedder failed or changed its dimension while running
├── AdapterError             a person's adapter cannot be used
│   ├── AdapterRefused       its files are not what they should be; nothing of them was loaded
│   │   └── AdapterForAnotherBase
│   ├── AdapterRetired       it was retired; a reply that was being written with it ends here
│   └── NoFreeSlot           all slots of the pool are in use
├── TrainingError            an adapter could not be trained; the one in service stays
├── LearningError            an LLM's answer could not be used; retried, then parked
├── ModelUnavailable         an LLM gave no answer at all; retried, and waited for where it answers nobody
├── OverBudget               a budget of calls or tokens is used up; the job waits for the next day
└── StaleJob                 a job's lease, fencing token or epoch is no longer valid; its result was dropped
"""

from __future__ import annotations

from datetime import datetime, timedelta

from persona_memory.installing import pip_install


class PersonaMemoryError(Exception):
    """Root of all errors that persona-memory raises on purpose."""


class InvalidInput(PersonaMemoryError, ValueError):
    """What the caller passed cannot be used."""


class InvalidUserId(InvalidInput):
    """The user id is missing, empty, too long or not a string."""


class MissingState(InvalidInput):
    """A graph's state lacks a key that a node needs; names the keys, never what they hold."""


class ImportFileError(InvalidInput):
    """A file to import is malformed.

    Args:
        source: the file's name as the caller gave it.
        line: 1-based line number, or None where the format has no lines.
        problem: what is wrong and what is expected.
    """

    def __init__(self, source: str, line: int | None, problem: str) -> None:
        self.source, self.line, self.problem = source, line, problem
        where = source if line is None else f"{source}, line {line}"
        super().__init__(f"{where}: {problem}")


class RedactionError(PersonaMemoryError):
    """The host's `redact` failed, or gave what is no text; nothing of the call was stored.

    The message does not say what the hook was given: it may be what nobody should see.
    """


class NotFound(PersonaMemoryError, LookupError):
    """This user has no such memory, job or field."""


class MissingExtra(PersonaMemoryError, ImportError):
    """An optional package is needed.

    Args:
        what: the feature that was asked for.
        extra: the extra of persona-memory that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs an extra: {pip_install(extra)}")


class LedgerError(PersonaMemoryError):
    """The ledger cannot be opened, read or written."""


class LedgerLocked(LedgerError):
    """Another process has held the write lock for longer than the timeout."""


class LedgerReadOnly(LedgerError):
    """The ledger's file or folder cannot be written."""


class LedgerDiskError(LedgerError):
    """The disk is full, over its quota or failing; what was acknowledged is stored, and nothing of this call."""


class LedgerCorrupt(LedgerError):
    """The ledger's file is not a readable database."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer persona-memory."""


class EncryptionError(LedgerError):
    """It is encrypted and there is no key, or the other way round; or a key or its service is missing."""


class WrongKey(EncryptionError):
    """The master key is not the one that the data keys were wrapped with; nothing was read or written."""


class KeyDestroyed(EncryptionError):
    """The person's key was destroyed when they were deleted, and with it everything that it had encrypted."""


class Tampered(EncryptionError):
    """What is stored is not what was written there: it was changed, or moved from somewhere else."""


class IndexUnavailable(PersonaMemoryError):
    """A vector index does not answer; the ledger still holds everything, and recall goes on by words."""


class EmbeddingError(PersonaMemoryError):
    """An embedder failed, or gave vectors that cannot be used."""


class AdapterError(PersonaMemoryError):
    """A person's adapter cannot be used.

    Args:
        name: the adapter's opaque name, as it was given.
        problem: what is wrong, and the way out.
    """

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"adapter {name!r}: {problem}")


class AdapterRefused(AdapterError):
    """The adapter's files are not what they should be; nothing of them was loaded."""


class AdapterForAnotherBase(AdapterRefused):
    """The adapter was trained on another base model, tokenizer or chat template than the one that is served."""


class AdapterRetired(AdapterError):
    """The adapter was retired; a reply that was being written with it ends here."""


class NoFreeSlot(AdapterError):
    """All slots of the pool are in use, so that the adapter cannot be loaded."""


class TrainingError(PersonaMemoryError):
    """An adapter could not be trained; the one in service stays.

    Args:
        step: at which step of the training, from 1.
        problem: what happened, and what to change.
    """

    def __init__(self, step: int, problem: str) -> None:
        self.step, self.problem = step, problem
        super().__init__(f"training stopped at step {step}: {problem}")


class LearningError(PersonaMemoryError):
    """An LLM's answer could not be used; the turns stay pending, are retried, then parked."""


class ModelUnavailable(PersonaMemoryError):
    """An LLM gave no answer at all.

    Args:
        kind: the provider's error by its name, without anything that was said.
        message: what it says, which may quote the question.
        certain: it is surely the provider (a rate limit, no connection); of a timeout, the question may be at fault.
        pause: how long the provider asks to be left alone.
    """

    def __init__(self, kind: str, message: str, *, certain: bool, pause: timedelta | None = None) -> None:
        self.kind, self.certain, self.pause = kind, certain, pause
        super().__init__(f"{kind}: {message}" if message else kind)


class OutOfMemory(PersonaMemoryError):
    """A base that runs here found no room for what it was asked.

    Args:
        problem: what was not done, and what to lower.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"out of memory: {problem}")


class OverBudget(PersonaMemoryError):
    """A budget of calls or tokens is used up; the job waits for the next day, and nothing is dropped.

    Args:
        reason: which one, and what it is.
        until: when it goes on.
    """

    def __init__(self, reason: str, *, until: datetime) -> None:
        self.until = until
        super().__init__(reason)


class StaleJob(PersonaMemoryError):
    """A job's lease, fencing token or epoch is no longer valid; its result was dropped, and nothing was stored."""
