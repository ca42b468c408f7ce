"""The one place where database errors get their names, which say what a caller can do about them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, StatementError

from persona_memory.errors import (
    LedgerCorrupt,
    LedgerDiskError,
    LedgerError,
    LedgerLocked,
    LedgerReadOnly,
    PersonaMemoryError,
)

LOCK_TIMEOUT_S = 10.0
"""For which SQLite waits for another process."""


@contextmanager
def named_errors(shown: str) -> Iterator[None]:
    """Database errors inside the block leave it under our names."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:  # a raw sqlite3.Error comes from the pragmas of a new connection
        # The driver's error alone: SQLAlchemy's would show a hundred lines of its own around it.
        raise _named(error, shown) from (error.orig if isinstance(error, DBAPIError) else error)
    except StatementError as error:  # around what was raised while a value was encrypted
        if isinstance(error.orig, PersonaMemoryError):
            raise error.orig from None
        raise


def _named(error: DBAPIError | sqlite3.Error, shown: str) -> LedgerError:
    """The database's error under the name that says what a caller can do about it."""
    raised = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(raised, sqlite3.Error):
        return _named_by_state(raised, shown)
    reason = str(raised)
    message = reason.lower()
    if "locked" in message or "busy" in message:
        return LedgerLocked(f"{shown} is locked by another process for more than {LOCK_TIMEOUT_S:.0f} s; try again")
    if "readonly" in message or "read-only" in message:
        return LedgerReadOnly(
            f"{shown} cannot be written; check the permissions of the file and its folder, or copy the folder to "
            "a place of your own and name it with home=…"
        )
    if "not a database" in message or "malformed" in message:
        return LedgerCorrupt(
            f"{shown} is not a readable ledger ({reason}); move the file away and restore a backup or start anew"
        )
    if "is full" in message or "disk i/o" in message or "no space" in message:
        return LedgerDiskError(
            f"{shown} cannot be written or read: the disk is full, over its quota or failing ({reason}); make room and "
            "try again, what was stored before is safe"
        )
    if "unable to open" in message:
        return LedgerError(
            f"{shown} cannot be opened; check that the path is right and that its folder may be read and written, or "
            "choose another home"
        )
    return LedgerError(f"{shown}: {reason}")


_BY_STATE: Mapping[str, tuple[type[LedgerError], str]] = {
    "40P01": (LedgerLocked, "was held up by another transaction (a deadlock); try again"),
    "40001": (LedgerLocked, "was changed by another transaction at the same time; try again"),
    "55P03": (LedgerLocked, "is locked by another transaction; try again"),
    "57014": (LedgerLocked, "took longer than the server's statement_timeout; try again"),
    "25006": (LedgerReadOnly, "cannot be written: the server, or this user's transactions, are read-only"),
    "42501": (LedgerReadOnly, "may not be read or written by this user; GRANT it, or connect as another one"),
    "53100": (LedgerDiskError, "cannot be written: the server's disk is full; make room and try again"),
    "58030": (LedgerDiskError, "cannot be written or read: the server's disk fails"),
    "XX001": (LedgerCorrupt, "is damaged; restore a backup"),
    "XX002": (LedgerCorrupt, "has a damaged index; REINDEX it"),
}  # fmt: skip
"""Postgres's own codes (appendix A of its manual)."""

_NO_SERVER = ("08", "57P")
"""Begins the codes of a server that is not there, or ends."""


def _named_by_state(error: BaseException | None, shown: str) -> LedgerError:
    """As `_named`, on Postgres: by the code of the error, as its words depend on the server's language.

    Of the words only the first line is told: the others may show the row, and with it what somebody said.
    """
    state = getattr(error, "sqlstate", None) or ""
    first = getattr(getattr(error, "diag", None), "message_primary", None) or str(error).partition("\n")[0]
    if state in _BY_STATE:
        kind, says = _BY_STATE[state]
        return kind(f"{shown} {says}")
    if state.startswith(_NO_SERVER) or not state:  # without a code the client speaks, not the server
        return LedgerError(f"{shown} does not answer: {first}; check that the server runs and can be reached")
    return LedgerError(f"{shown}: {first} ({state})")
