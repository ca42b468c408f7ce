"""API keys: each is bound to one tenant, which is a namespace of the memory. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from persona_memory import InvalidInput

PREFIX = "pm-"
"""How our keys begin, so that a scanner of repositories can know them."""


class ApiKeys:
    """Which key is whose.

    Args:
        namespaces: the tenant's namespace by the SHA-256 of a key, in hex. A key is 256 random bits, so that its plain
            hash tells nothing of it.
    """

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = dict(namespaces)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ApiKeys:
        """The keys of a file that `add_key` has written.

        Raises:
            InvalidInput: it is not there, or is no such file.
        """
        return cls(_read(Path(path)))

    @property
    def namespaces(self) -> list[str]:
        """The tenants, sorted."""
        return sorted(set(self._namespaces.values()))

    def namespace_of(self, key: str) -> str | None:
        """The tenant whose key it is; None: nobody's."""
        return self.namespace_of_hash(hash_of(key))

    def namespace_of_hash(self, hashed: str) -> str | None:
        """The same by `hash_of` the key; compared with every key, in a time that does not tell how much of it fits."""
        found = None
        for known, namespace in self._namespaces.items():
            if hmac.compare_digest(known, hashed):
                found = namespace
        return found


def add_key(path: str | os.PathLike[str], namespace: str) -> str:
    """Make a key for a tenant and note its hash in the file; returns the key, which can be seen only now.

    Raises:
        InvalidInput: the file is no file of keys, or the namespace is empty.
    """
    if not namespace.strip():
        raise InvalidInput("name the tenant whose key it is; it is the namespace of their memory")
    file = Path(path)
    known = _read(file) if file.exists() else {}
    key = PREFIX + secrets.token_urlsafe(32)
    known[hash_of(key)] = namespace
    rows = [{"namespace": tenant, "sha256": hashed} for hashed, tenant in known.items()]
    aside = file.with_name(f"{file.name}.new")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps({"keys": rows}, indent=2) + "\n", encoding="utf-8")
    aside.replace(file)
    return key


def hash_of(key: str) -> str:
    """The SHA-256 of a key, in hex: all that is kept of it."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read(file: Path) -> dict[str, str]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["keys"]
        return {str(row["sha256"]): str(row["namespace"]) for row in rows}
    except FileNotFoundError as error:
        raise InvalidInput(f"there is no file of keys {str(file)!r}; `persona-memory api-key` makes one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{str(file)!r} is no file of keys as `persona-memory api-key` writes it") from error
