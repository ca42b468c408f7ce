"""Importing a file: stored thread by thread, then learnt and indexed, with a progress bar for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from persona_memory import Backlog, PersonaMemory
from persona_memory.errors import InvalidInput
from persona_memory.importers import ImportedMessage, read_chatgpt, read_locomo, read_openai

BATCH = 2000
"""Messages that are stored in one transaction: for about half a second nobody else can write."""


def read(kind: str, path: Path, *, user_id: str | None) -> Iterator[ImportedMessage]:
    """The file's messages in order, read as they are asked for.

    Raises:
        InvalidInput: it is not clear whose messages they are.
        ImportFileError: while reading, where the file is malformed.
    """
    if kind == "locomo":
        if user_id is not None:
            raise InvalidInput("a LoCoMo file says itself whose dialogues they are; leave out --user")
        return read_locomo(path)
    if kind == "openai":
        return read_openai(path, user_id=user_id)
    if user_id is None:
        raise InvalidInput("a ChatGPT data export does not say whose it is; add --user ID")
    return read_chatgpt(path, user_id=user_id)


def import_file(
    memory: PersonaMemory, console: Console, messages: Iterable[ImportedMessage], path: Path, *, total: int
) -> None:
    """Store a file's messages; each batch is durable when the bar moves, and a second run stores nothing twice.

    Args:
        total: how many messages there are.
    """
    new = 0
    people: dict[str, None] = {}
    with _progress(console) as bar:
        storing = bar.add_task("storing", total=total)
        for owner, thread_id, batch in _batches(messages):
            stored = memory.observe(batch, user_id=owner, thread_id=thread_id)
            people[owner] = None
            new += len(stored.new)
            bar.advance(storing, len(batch))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for owner in people:
        memory.note_import(path.name, user_id=owner, digest=digest)
    who = "1 person" if len(people) == 1 else f"{len(people)} people"
    console.print(f"{total} messages of {who} read, {new} new", highlight=False)


def learn_now(memory: PersonaMemory, console: Console) -> None:
    """Wait until everything that is stored is learnt and indexed."""
    with _progress(console) as bar:
        learning, indexing = bar.add_task("learning", total=None), bar.add_task("indexing", total=None)

        def moved(left: Backlog) -> None:
            bar.update(learning, total=left.turns, completed=left.turns - left.unlearnt)
            bar.update(indexing, total=left.turns, completed=max(0, left.turns - left.unindexed))

        memory.flush(progress=moved)


def _batches(messages: Iterable[ImportedMessage]) -> Iterator[tuple[str, str, list[dict[str, object]]]]:
    """(user id, thread id, messages), a thread in one or more batches.

    No batch begins with a reply, which the ledger knows by the message that it answers.
    """
    named = _Naming()
    for (owner, thread_id), group in groupby(messages, key=lambda one: (one.user_id, one.thread_id)):
        batch: list[dict[str, object]] = []
        for one in group:
            if len(batch) >= BATCH and one.role != "assistant":
                yield owner, thread_id, batch
                batch = []
            batch.append(_plain(one, named.message_id(one)))
        yield owner, thread_id, batch


class _Naming:
    """Ids for messages that have none: their place in the thread, so that a second import knows them.

    Two files of one name would share the places, so a thread's ids carry a mark of its first message: 16 bits, too few
    to tell what was said.
    """

    def __init__(self) -> None:
        self._threads: dict[tuple[str, str], tuple[str, int]] = {}

    def message_id(self, one: ImportedMessage) -> str:
        thread = (one.user_id, one.thread_id)
        mark, place = self._threads.get(thread) or (_mark(one), 0)
        self._threads[thread] = (mark, place + 1)
        return one.message_id or f"import-{mark}-{place + 1}"


def _mark(one: ImportedMessage) -> str:
    return hashlib.sha256(one.text.encode("utf-8", "surrogatepass")).hexdigest()[:4]


def _plain(one: ImportedMessage, message_id: str) -> dict[str, object]:
    return {"role": one.role, "content": one.text, "id": message_id, "name": one.speaker, "at": one.at}


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
