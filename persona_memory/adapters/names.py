"""Opaque, fixed-length names of adapter revisions; and of the starts that all people share, "start-000003".

A name tells nothing about the person and is a prefix of no other name: runtimes that match names by substring
(PEFT's hot swap does) cannot confuse two people.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from persona_memory.errors import AdapterRefused, InvalidInput

OWNER_CHARACTERS = 26  # of base32: 130 bits
LAST_REVISION = 999_999
SHARED = "start"
"""Stands in names for the owner of what is nobody's own."""
NAME = re.compile(rf"([a-z2-7]{{26}}(?=-r)|{SHARED}(?=-[0-9]))-r?([0-9]{{6}})", re.ASCII)


def owner_of(key: bytes, user_id: str) -> str:
    """The person's part of a name: 26 characters of base32(HMAC-SHA256(key, user_id)), lower case.

    Args:
        key: a secret of the deployment, at least 16 bytes; without it names cannot be linked to people.
        user_id: the person, namespace included where one store holds several.

    Raises:
        InvalidInput: the key is short.
    """
    if len(key) < 16:
        raise InvalidInput(f"a key of {len(key)} bytes can be guessed; pass at least 16 random bytes")
    digest = hmac.new(key, user_id.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.b32encode(digest).decode()[:OWNER_CHARACTERS].lower()


def revision_name(key: bytes, user_id: str, revision: int) -> str:
    """`{owner}-r{revision}`, e.g. "mfzwizltoqqho2lunbuw4zzaqe-r000123": always 34 characters.

    Raises:
        InvalidInput: the revision is not in 1 … 999,999, or the key is short.
    """
    return f"{owner_of(key, user_id)}-r{_number(revision)}"


def start_name(revision: int) -> str:
    """`start-{revision}`, e.g. "start-000003": a start that all people share.

    Raises:
        InvalidInput: the revision is not in 1 … 999,999.
    """
    return f"{SHARED}-{_number(revision)}"


def _number(revision: int) -> str:
    if not 1 <= revision <= LAST_REVISION:
        raise InvalidInput(f"revision {revision!r} is not in 1 … {LAST_REVISION:,}")
    return f"{revision:06d}"


def parse_name(name: str) -> tuple[str, int]:
    """The owner's part and the revision of a name; the owner of a start is `SHARED`.

    Raises:
        AdapterRefused: it is no such name, e.g. has a dot or a path in it.
    """
    match = NAME.fullmatch(name)
    if match is None:
        expected = "26 characters a–z, 2–7, then -r000123, or start-000123"
        raise AdapterRefused(name, f"not a name of an adapter revision; expected {expected}")
    return match[1], int(match[2])
