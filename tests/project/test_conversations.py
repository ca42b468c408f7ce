"""The demo's conversations hold what the demo says about them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from persona_memory.demo.conversations import PEOPLE, SESSIONS, Probe, Session, sessions_of

PROBES = [(session, probe) for session in SESSIONS for probe in session.probes]

FORGOTTEN = {"Rua das Flores": "ana-2026-05-17", "118": "ana-2026-05-17"}
"""Words that a person asked to be forgotten, and the thread in which they did."""


def said_by(user_id: str, *, until: datetime) -> str:
    sessions = [session for session in sessions_of(user_id) if session.at <= until]
    return "\n".join(exchange.user for session in sessions for exchange in session.exchanges)


@pytest.mark.parametrize("user_id", PEOPLE)
def test_each_person_has_several_sessions_on_different_days(user_id: str) -> None:
    """At least five sessions each, 6 to 12 messages, each on a later day and in a thread of its own."""
    sessions = sessions_of(user_id)
    assert len(sessions) >= 5
    assert all(6 <= len(session.exchanges) <= 12 for session in sessions)
    assert [s.at.date() for s in sessions] == sorted({s.at.date() for s in sessions})
    assert len({s.thread_id for s in sessions}) == len(sessions)
    assert all(datetime(2026, 3, 1, tzinfo=UTC) <= s.at < datetime(2026, 10, 1, tzinfo=UTC) for s in sessions)


def test_all_sessions_come_in_order_of_time() -> None:
    """The demo can play them as they are, and every session asks at least one question."""
    assert [session.at for session in SESSIONS] == sorted(session.at for session in SESSIONS)
    assert {session.user_id for session in SESSIONS} == set(PEOPLE)
    assert all(session.probes for session in SESSIONS)


@pytest.mark.parametrize(("session", "probe"), PROBES, ids=lambda value: getattr(value, "question", None))
def test_what_a_probe_expects_was_said_by_that_person(session: Session, probe: Probe) -> None:
    """No probe expects what the person has not said, and none forbids what they said and never took back."""
    said = said_by(session.user_id, until=session.at).lower()
    assert [word for word in probe.recalls if word.lower() not in said] == []
    forgotten = {word for word, thread in FORGOTTEN.items() if session.thread_id >= thread}
    assert [word for word in probe.never if word.lower() in said and word not in forgotten] == []


def test_messages_of_a_session_are_minutes_apart() -> None:
    """Within a session time goes on with every message."""
    first = SESSIONS[0]
    assert first.said_at(0) == first.at
    assert first.said_at(3) > first.said_at(2)
