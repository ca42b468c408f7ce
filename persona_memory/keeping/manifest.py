"""What is in a backup: `manifest.json`, beside the files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from persona_memory.adapters.files import FILES
from persona_memory.adapters.manifest import Digest
from persona_memory.adapters.starts import LIST
from persona_memory.errors import InvalidInput

MANIFEST = "manifest.json"
_STRICT = {"extra": "forbid"}
_FILES = "|".join(sorted(FILES)).replace(".", r"\.")
_NAME = rf"^(memory\.db|starts/{LIST}|(adapters|starts)/[a-z0-9-]+/({_FILES}))$"
Name = Annotated[str, Field(pattern=_NAME)]
"""A file of a backup, as a path within it: never one that leads out of it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a backup."""

    __pydantic_config__ = _STRICT

    size: Annotated[int, Field(ge=0)]
    sha256: Digest


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup holds.

    Attributes:
        format: of the backup; another one needs another version of this library.
        version: of the library that wrote it.
        schema_version: of the ledger in it.
        at: all that was stored until then is in it.
        counts: rows by table.
        files: by path within the backup.
        key_store: the id of the store that holds the keys of an encrypted memory; it is in no backup.
    """

    __pydantic_config__ = _STRICT

    version: str
    schema_version: int
    at: datetime
    counts: Mapping[str, int]
    files: Mapping[Name, Kept]
    key_store: str | None = None
    format: Literal["persona-memory-backup/1"] = "persona-memory-backup/1"


_MANIFEST = TypeAdapter(BackupManifest)


def to_json(manifest: BackupManifest) -> bytes:
    """The manifest as it is stored."""
    return _MANIFEST.dump_json(manifest, indent=2) + b"\n"


def from_json(data: bytes, *, shown: str) -> BackupManifest:
    """The manifest of the backup `shown`.

    Raises:
        InvalidInput: it is no such manifest.
    """
    try:
        return _MANIFEST.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InvalidInput(
            f"{shown!r} is no backup that this version can read: {MANIFEST}: {where}: {first['msg']}"
        ) from None
