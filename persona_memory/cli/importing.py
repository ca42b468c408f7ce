"""Importing a file: stored thread by thread, then learnt and indexed, with a progress bar for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from persona_memory import Backlog, PersonaMemory
from persona_memory.errors import InvalidInput
from persona_memory.importers import ImportedMessage, read_chatgpt, read_locomo, read_openai

BATCH = 200
"""Messages that are stored in one transaction."""


def import_file(
    memory: PersonaMemory, console: Console, kind: str, path: Path, *, user_id: str | None, learn: bool
) -> None:
    """Store a file's messages; each batch is durable when the bar moves, and a second run stores nothing twice.

    Raises:
        ImportFileError: the file is malformed; what was read before the fault is stored.
        InvalidInput: the format needs a user id and none was given.
    """
    new = total = 0
    people: set[str] = set()
    with _progress(console) as bar:
        storing = bar.add_task("storing", total=None)
        for owner, thread_id, batch in _batches(_messages(kind, path, user_id)):
            stored = memory.observe(batch, user_id=owner, thread_id=thread_id)
            people.add(owner)
            new, total = new + len(stored.new), total + len(batch)
            bar.update(storing, completed=total)
        bar.update(storing, completed=total, total=total)
        if learn:
            learning, indexing = bar.add_task("learning", total=None), bar.add_task("indexing", total=None)

            def moved(left: Backlog) -> None:
                bar.update(learning, total=left.turns, completed=left.turns - left.unlearnt)
                bar.update(indexing, total=left.turns, completed=max(0, left.turns - left.unindexed))

            memory.flush(progress=moved)
    console.print(f"{total} messages of {len(people)} people read, {new} new")


def _messages(kind: str, path: Path, user_id: str | None) -> Iterator[ImportedMessage]:
    """The file's messages in order.

    Raises:
        InvalidInput: the format does not say whose messages they are, and nobody did.
    """
    if kind == "locomo":
        return read_locomo(path)
    if user_id is None:
        raise InvalidInput(f"a file in the {kind!r} format does not say whose it is; add --user ID")
    return read_openai(path, user_id=user_id) if kind == "openai" else read_chatgpt(path, user_id=user_id)


def _batches(messages: Iterable[ImportedMessage]) -> Iterator[tuple[str, str, list[dict[str, object]]]]:
    """(user id, thread id, messages), a thread in one or more batches."""
    for (owner, thread_id), group in groupby(messages, key=lambda one: (one.user_id, one.thread_id)):
        batch: list[dict[str, object]] = []
        for place, one in enumerate(group, 1):
            batch.append(_plain(one, place))
            if len(batch) == BATCH:
                yield owner, thread_id, batch
                batch = []
        if batch:
            yield owner, thread_id, batch


def _plain(one: ImportedMessage, place: int) -> dict[str, object]:
    """The message with an id: where the file has none, its place in the thread, so that a second import knows it."""
    message_id = one.message_id or f"import-{place}"
    return {"role": one.role, "content": one.text, "id": message_id, "name": one.speaker, "at": one.at}


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
