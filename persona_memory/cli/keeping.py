"""Keeping a home: back it up, bring it back, check it, prove that something is erased."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from persona_memory import Checkup, PersonaMemory, pictures
from persona_memory.cli.options import (
    Embeddings,
    Home,
    Index,
    Json,
    KeyFile,
    Namespace,
    Url,
    is_there,
    key_named,
    no_memory,
    opened,
    opened_to_look,
)
from persona_memory.cli.output import note, out, print_json
from persona_memory.errors import InvalidInput


def backup(
    path: Annotated[Path, typer.Argument(help="New folder; or new file, whose name ends in .tar.")],
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
) -> None:
    """Copy a whole memory, while others use it: the ledger, adapters and shared starts, with checksums.

    Vectors stay out, as they are computed again, and so do the keys of an encrypted memory. It replaces nothing, and is
    there whole or not at all.
    """
    _check_there(home, url)
    with opened_to_look(home, url, namespace) as memory:
        made = memory.backup(path)
    note(f"wrote {made.path}: {_counts(made.counts)}, {made.size / 1e6:.1f} MB")


def restore(
    backup: Annotated[Path, typer.Argument(help="What `backup` has made: the folder, or the .tar file.")],
    home: Home = None,
    erased_since: Annotated[
        Path | None,
        typer.Option(
            "--erased-since",
            metavar="PLACE",
            show_default="nothing is erased again",
            help="The home that it is a backup of, or a later backup: what was erased there since is erased again.",
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            show_default="in the home already, or in that of --erased-since",
            help="Of an encrypted memory: keys.db of the home that it is a backup of.",
        ),
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """Bring a backup back into a home that holds no memory yet; its checksums are verified first."""
    made = PersonaMemory.restore(backup, home, erased_since=erased_since, encryption=key_named(), keys=keys)
    note(f"restored {made.home} as of {made.at:%Y-%m-%d %H:%M:%S} UTC: {_counts(made.counts)}")
    if erased_since is None:
        note(
            "whoever was deleted and what was forgotten after that is back: begin anew with --erased-since and the "
            "home that this is a backup of, or erase it again"
        )
    else:
        note(f"erased again: people {made.deleted}, turns {made.forgotten}; newer policies in force: {made.policies}")
    if made.unreadable:
        note(f"people whose key was destroyed since the backup: {made.unreadable}; what it held of them is erased")
    note("`persona-memory worker --once` embeds and learns what is due")


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what can be derived from the log, and say what cannot.")
    ] = False,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
    key_file: KeyFile = None,
) -> None:
    """Check a whole memory: database, logs, what was derived, jobs, vectors, adapters, permissions."""
    _check_there(home, url)
    with opened(home, url, namespace, embeddings=embeddings, index=index, worker=False) as memory:
        found = memory.doctor(repair=repair)
    if any(check.repaired for check in found.checks):
        note("`persona-memory worker --once` learns and embeds what was queued")
    elif not found.ok and not repair:
        note("`persona-memory doctor --repair` repairs what can be derived from the log")
    _print(found, as_json=as_json)


def verify_erasure(
    receipt: Annotated[str, typer.Argument(help="The receipt's id, as `forget` has printed it.")],
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            metavar="TEXT",
            show_default="ids only",
            help="Look for this in every byte of the home, too; - reads it from stdin, past the shell's history.",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", "-u", metavar="ID", show_default="found out", help="Who it was, for an index outside the ledger."
        ),
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
    key_file: KeyFile = None,
) -> None:
    """Prove an erasure again: nothing of what its receipt names is in any table, the index or the adapters."""
    _check_there(home, url)
    wanted = sys.stdin.read().rstrip("\n") if text == "-" else text
    with opened(home, url, namespace, embeddings=embeddings, index=index, worker=False) as memory:
        found = memory.verify_erasure(receipt, user_id=user, text=wanted)
    _print(found, as_json=as_json)


def _check_there(home: Path | None, url: str | None) -> None:
    if not is_there(home, url):
        raise InvalidInput(no_memory(home, url))


def _print(found: Checkup, *, as_json: bool) -> None:
    """The checks; the exit code is 1 if something is wrong."""
    if as_json:
        print_json({"ok": found.ok, "checks": [asdict(check) for check in found.checks]})
    else:
        pictures.checkup(out, found)
    if not found.ok:
        raise typer.Exit(1)


def _counts(counts: Any) -> str:
    return f"{counts['users']} people, {counts['events']} events, {counts['memories']} memories"
