"""The process that plays a script, says what is done, and is killed while it does so."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from persona_memory import NotFound, PersonaMemory, Retry
from persona_memory.importers import ImportedMessage
from persona_memory.ledger import events
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.torture.fakes import ByHeart, Scribe
from tests.torture.points import Kill, Points, die
from tests.torture.script import Call, Said

FIELD = "demographics.name"


def opened(home: Path, **options: Any) -> PersonaMemory:
    """A memory on a home with everything that can be lost: an embedder, adapters, a teacher."""
    settings: dict[str, Any] = {
        "embeddings": HashingEmbedder(), "worker": False, "parametric": Scribe(), "teacher": ByHeart(),
        "retry": Retry(backoff=0.05),
    }  # fmt: skip
    return PersonaMemory.open(home, **{**settings, **options})


def play(place: str, calls: Sequence[tuple[int, Call]], kill: Kill, options: dict[str, Any]) -> None:
    """Open the home in this folder and make the calls, each with its number; whatever happens, the process dies."""
    log = os.open(Path(place) / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(**line: Any) -> None:
        os.write(log, (json.dumps(line) + "\n").encode())

    points = Points(kill)
    points.watch()
    number = -1
    try:
        points.enter(number)
        memory = opened(Path(place) / "home", quiet=timedelta(0), **options)
        for number, call in calls:
            say(begun=number)
            points.enter(number)
            make(memory, call, Path(place))
            points.hit("done")
            say(done=number)
        points.enter(number + 1)
        memory.close()
    except BaseException as error:  # said, and a violation
        say(failed=number, error=f"{type(error).__name__}: {error}")
    say(ended=number)
    die()


def make(memory: PersonaMemory, call: Call, place: Path) -> None:
    """Make the call; when this returns it is durable."""
    user = call.user_id
    if call.kind in ("observe", "replay"):
        memory.observe([_message(one) for one in call.said], user_id=user, thread_id=call.thread_id)
    elif call.kind == "import":
        _import(memory, call, place)
    elif call.kind in ("forget", "forget memory"):
        _forget(memory, call)
    elif call.kind == "delete":
        memory.delete_user(user_id=user)
    elif call.kind == "flush":
        memory.flush(timeout=60)
    elif call.kind == "recall":
        memory.recall("Where do I live?", user_id=user, thread_id="other", max_tokens=30)
    elif call.kind == "field":
        memory.set_field(FIELD, call.mark, user_id=user)
    elif call.kind == "rebuild":
        memory.rebuild(user_id=user)
    elif call.kind == "consolidate" and user in memory.users():
        memory.consolidate(user_id=user)
        memory.flush(timeout=60)
    elif call.kind == "backup" and not (place / call.name).exists():
        memory.backup(place / call.name)
    elif call.kind == "restore" and (place / call.name).exists():
        number = sum(1 for one in place.glob("restored-*"))
        PersonaMemory.restore(place / call.name, place / f"restored-{number}")


def _message(one: Said) -> dict[str, str]:
    named = {} if one.message_id is None else {"id": one.message_id}
    return {"role": one.role, "content": one.text, **named}


def _import(memory: PersonaMemory, call: Call, place: Path) -> None:
    """As `persona-memory import` does it."""
    from rich.console import Console

    from persona_memory.cli.importing import import_file

    path = place / "talk.jsonl"
    path.write_text("".join(one.text for one in call.said), encoding="utf-8")
    messages = [
        ImportedMessage(call.user_id, call.thread_id, one.message_id, one.role, None, one.text, None)
        for one in call.said
    ]
    import_file(memory, Console(quiet=True), messages, path, total=len(messages))


def _forget(memory: PersonaMemory, call: Call) -> None:
    """Erase the turn with the mark, or a memory that tells of it; a turn that is not there is forgotten already."""
    ids = [one.id for one in memory.memories(user_id=call.user_id, superseded=True) if call.mark in one.text]
    if call.kind == "forget" or not ids:
        with memory._ledger.read() as connection:
            turns = events.turns(connection, memory._person(call.user_id))
        ids = [f"t{turn.seq}" for turn in turns if call.mark in turn.text]
    if not ids:
        return
    try:
        memory.forget(ids, user_id=call.user_id)
    except NotFound:  # a worker beside us has derived the memories anew, under other ids
        _forget(memory, call)
