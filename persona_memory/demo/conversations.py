"""The demo's conversations: two people, twelve dated sessions, written for this project."""

from __future__ import annotations

from persona_memory.demo import ana, ben
from persona_memory.demo.session import Exchange, Probe, Session

__all__ = ["PEOPLE", "SESSIONS", "Exchange", "Probe", "Session", "sessions_of"]

SESSIONS: tuple[Session, ...] = tuple(sorted((*ana.SESSIONS, *ben.SESSIONS), key=lambda session: session.at))
"""All sessions, oldest first."""

PEOPLE = ("ana", "ben")


def sessions_of(user_id: str) -> tuple[Session, ...]:
    """One person's sessions, oldest first."""
    return tuple(session for session in SESSIONS if session.user_id == user_id)
