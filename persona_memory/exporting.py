"""Everything that is stored of a person, as JSON values that a person can read and `import` can read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from persona_memory.ledger import Ledger, Person, adapters, derived, events, people, routes
from persona_memory.types import Event, Profile

FORMAT = "persona-memory/1"


def export_person(ledger: Ledger, person: Person, *, profile: Profile) -> dict[str, Any]:
    """The person's messages (OpenAI-style), other source events, and what was derived from them."""
    with ledger.read() as connection:
        log = events.in_order(connection, person)
        memories = derived.read_memories(connection, person)
        edits = derived.read_edits(connection, person)
        evidence, _ = derived.read_evidence(connection, person)
        policy = people.policy_of(people.counters(connection, person))
        versions = adapters.read(connection, person)
        routed = routes.read(connection, person)
    return {
        "format": FORMAT,
        "user_id": person.user_id,
        "messages": [_message(event) for event in log if event.kind == "turn" and event.text],
        "events": [_plain(asdict(event)) for event in log if event.kind != "turn"],
        "memories": [_plain(asdict(memory)) for memory in memories],
        "profile": profile.to_dict(),
        "profile_edits": [_plain(asdict(edit)) for edit in edits],
        "topic_evidence": [_plain(asdict(one)) for one in evidence],
        "policy": _plain(asdict(policy)),
        "adapters": [_plain(asdict(one)) for one in versions],
        "routes": [_plain(asdict(one)) for one in routed],
    }


def _message(event: Event) -> dict[str, Any]:
    fields = {
        "role": event.role, "content": event.text, "id": event.message_id, "name": event.speaker,
        "thread_id": event.thread_id, "timestamp": event.at.isoformat(),
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
