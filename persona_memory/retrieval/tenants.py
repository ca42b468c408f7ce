"""What the shared indexes call a person, a point and a collection: hashes and ids, never a name or a text."""

from __future__ import annotations

import re
from hashlib import blake2b
from uuid import UUID, uuid5

COLLECTIONS = "persona-memory-"
"""What the name of every collection begins with, of whichever embedder."""


def tenant(namespace: str, user_id: str) -> str:
    """The person's name in an index: 32 hexadecimal digits, keyed by the namespace, for a user id of any form."""
    key = blake2b(_bytes(namespace), digest_size=32).digest()
    return blake2b(_bytes(user_id), digest_size=16, key=key, person=b"persona-memory").hexdigest()


def point_id(tenant: str, item: str) -> str:
    """The UUID of one item of a tenant: the same at every upsert, so that upserts overwrite."""
    return str(uuid5(UUID(hex=tenant), item))


def collection_name(fingerprint: str, dimension: int) -> str:
    """The collection of one embedder's vectors of shape (dimension,): readable, and unique by a hash."""
    readable = re.sub(r"[^a-z0-9]+", "-", fingerprint.casefold()).strip("-")[:40]
    unique = blake2b(_bytes(f"{fingerprint}\0{dimension}"), digest_size=6).hexdigest()
    return f"{COLLECTIONS}{readable}-{dimension}-{unique}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
