"""Importing a file: stored thread by thread, then learnt and indexed, with a progress bar for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from persona_memory import Backlog, Observed, PersonaMemory
from persona_memory.cli.output import note
from persona_memory.cli.peeking import Peek
from persona_memory.errors import InvalidInput
from persona_memory.importers import ImportedMessage, ImportedStatement, read_chatgpt, read_locomo, read_openai

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


@dataclass(slots=True)
class Imported:
    """What has become of one person's messages in a file.

    Attributes:
        new: how many were stored.
        turns: sequence numbers of all that are held, whether new or from an earlier import.
        erased: how many stay out because the person, or these turns, were erased.
        refused: how many were not stored because the person has paused memory or closed the thread, or because they
            are no conversation.
    """

    new: int = 0
    turns: set[int] = field(default_factory=set)
    erased: int = 0
    refused: int = 0


def import_file(
    memory: PersonaMemory, console: Console, messages: Iterable[ImportedMessage], path: Path, *, total: int
) -> dict[str, Imported]:
    """Store a file's messages; each batch is durable when the bar moves, and a second run stores nothing twice.

    Args:
        total: how many messages there are.

    Returns:
        What became of them, by user id.
    """
    people: dict[str, Imported] = {}
    with _progress(console) as bar:
        storing = bar.add_task("storing", total=total)
        for owner, thread_id, batch in _batches(messages):
            _add(people.setdefault(owner, Imported()), memory.observe(batch, user_id=owner, thread_id=thread_id))
            bar.advance(storing, len(batch))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for owner, imported in people.items():
        if imported.turns:
            memory.note_import(path.name, user_id=owner, digest=digest)
    return people


def import_statements(
    memory: PersonaMemory, console: Console, statements: Iterable[ImportedStatement], *, total: int
) -> dict[str, Imported]:
    """Store what another memory holds, each as a statement about the person; a second run stores nothing twice.

    Returns:
        What became of them, by user id.
    """
    people: dict[str, Imported] = {}
    with _progress(console) as bar:
        storing = bar.add_task("storing", total=total)
        for one in statements:
            imported = people.setdefault(one.user_id, Imported())
            try:
                kept = memory.import_statement(one.text, user_id=one.user_id, source=one.source, at=one.at)
            except InvalidInput:  # memory is paused
                imported.refused += 1
            else:
                imported.new += kept is not None
                imported.turns.update(() if kept is None else kept.sources)
            bar.advance(storing)
    return people


def say_what_came(peek: Peek, people: Mapping[str, Imported], *, total: int, what: str) -> None:
    """Say how many messages (or memories, `what`) were new, and of the others why they are not."""
    new = sum(one.new for one in people.values())
    note(f"{total} {what} of {'1 person' if len(people) == 1 else f'{len(people)} people'} read, {new} new")
    erased = sum(one.erased + peek.erased(owner, one.turns) for owner, one in people.items())
    if erased:
        note(
            f"passed over, because they were forgotten or deleted here before: {erased}. They stay out of this memory; "
            "if they are wanted again, import the file into another one (--home or --namespace)"
        )
    if refused := sum(one.refused for one in people.values()):
        note(f"not stored, because memory is paused or they are no conversation: {refused}")


def learn_now(memory: PersonaMemory, console: Console, peek: Peek, people: Mapping[str, Imported]) -> None:
    """Wait until everything that is stored is learnt and indexed; the bars count what was imported."""
    mine = {owner: frozenset(peek.texts(owner, one.turns)) for owner, one in people.items()}
    total = sum(map(len, mine.values()))
    if not total:
        return
    with _progress(console) as bar:
        learning, indexing = bar.add_task("learning", total=total), bar.add_task("indexing", total=total)

        def moved(_: Backlog) -> None:
            waiting = [peek.waiting(owner, seqs) for owner, seqs in mine.items()]
            bar.update(learning, completed=total - sum(unlearnt for unlearnt, _ in waiting))
            bar.update(indexing, completed=total - sum(unindexed for _, unindexed in waiting))

        memory.flush(progress=moved)


def _add(to: Imported, stored: Observed) -> None:
    to.new += len(stored.new)
    to.turns.update(stored.turns)
    to.erased += stored.duplicates - (len(stored.turns) - len(stored.new))  # known, but held no more
    to.refused += stored.ignored


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
