"""`persona-memory keygen`, `encrypt`, `rotate-key` and `decrypt`: the master key of an encrypted memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from persona_memory.cli.options import Home, KeyFile, Url, key_given
from persona_memory.cli.output import note, out, write_bytes
from persona_memory.encrypting import encrypt as encrypt_memory
from persona_memory.encrypting import rotate_key as rotate_memory_key
from persona_memory.encryption import KEY_VARIABLE, open_file, seal_file, write_key_file
from persona_memory.errors import InvalidInput


def keygen(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="New file, which only you can read.")],
) -> None:
    """Make a master key for an encrypted memory. Keep a copy: without it nothing can be read."""
    write_key_file(path)
    note(f"wrote {path}; keep a copy apart from the memory, and name it with --key-file or {KEY_VARIABLE}")


def encrypt(home: Home = None, url: Url = None, key_file: KeyFile = None) -> None:
    """Encrypt a memory that is there already, with all its namespaces; stop what uses it first.

    A new memory needs no command: opened with a key, it is encrypted from the beginning.

    Ctrl-C or a kill loses nothing: the same command goes on.
    """
    done = encrypt_memory(home, url=url, encryption=key_given())
    note(f"encrypted: {done.values} values of {done.people} people, {done.adapters} adapters")
    for path in done.left:
        note(f"left as it is: {path}; delete it if it is not needed")
    note("backups and copies from before hold everything in the clear: they are not touched")


def rotate_key(
    new: Annotated[Path, typer.Option("--new-key-file", metavar="FILE", help="The master key from now on.")],
    home: Home = None,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Change the master key: the keys of all people are wrapped anew, and the old one opens nothing any more.

    Start what uses the memory again with the new key. After a kill one of the two keys is the right one.
    """
    count = rotate_memory_key(home, url=url, encryption=key_given(), new=new)
    note(f"{count} keys of people are wrapped with {new}; the old key opens nothing any more")


def decrypt(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What `export --encrypt` wrote.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", show_default="stdout", help="File to write.")
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """Read an encrypted export; `import openai` takes what it writes."""
    try:
        data = open_file(key_given(), path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"cannot read {str(path)!r}: {error.strerror}") from error
    if output is None:
        out.file.write(data.decode())
        return
    write_bytes(output, data)


def export_sealed(path: Path, text: str) -> None:
    """Write an export that only the master key opens."""
    write_bytes(path, seal_file(key_given(), text.encode()))
