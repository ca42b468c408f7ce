"""Keys, and what they seal: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, by the `cryptography` package.

A master key, which is kept away from the data, wraps one data key for each person; only data keys seal what is stored.
What is sealed begins with the name of its key. Where it belongs, and to whom, is authenticated with it: moved to
another place, or to another person, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from persona_memory.errors import EncryptionError, InvalidInput, MissingExtra, Tampered, WrongKey
from persona_memory.protocols import MasterKey

KEY_VARIABLE = "PERSONA_MEMORY_KEY"
"""Names a key file, or holds the key itself."""

MARK = "pmk_"
"""Begins a master key that is written as text."""

KEY_BYTES, ID_BYTES, NONCE_BYTES, TAG_BYTES = 32, 8, 12, 16
MAGIC = b"PM\x01"
"""Begins everything that is sealed: the format, version 1. Neither JSON nor safetensors begins so."""
HEAD_BYTES = len(MAGIC) + ID_BYTES
OVERHEAD = HEAD_BYTES + NONCE_BYTES + TAG_BYTES
"""Bytes that sealing adds."""

FILE_MAGIC = b"PMX\x01"
_FILE = "file"
_WRAPPED = b"persona-memory: a wrapped key"


class DataKey:
    """One key, and whose it is. Implements `protocols.Opener`.

    Args:
        key: 32 bytes.
        id: the key's name, 8 bytes, which begins what it seals.
        owner: whose it is; it seals and opens for nobody else.
    """

    __slots__ = ("_about", "_cipher", "_head", "_key", "id", "owner")

    def __init__(self, key: bytes, *, id: bytes = bytes(ID_BYTES), owner: Sequence[str] = ()) -> None:
        self.id, self.owner = id, tuple(owner)
        self._key, self._cipher = key, _aes_gcm()(key)
        self._head = MAGIC + id
        self._about = self._head + b"".join(_with_length(part.encode()) for part in self.owner)

    def seal(self, place: str, data: bytes) -> bytes:
        """The data, readable and authentic with this key at this place only.

        Args:
            place: where it is kept, such as "events.text".
        """
        nonce = os.urandom(NONCE_BYTES)
        sealed: bytes = self._cipher.encrypt(nonce, data, self._about + place.encode())
        return self._head + nonce + sealed

    def open(self, place: str, sealed: bytes) -> bytes:
        """What was sealed for this place.

        Raises:
            Tampered: it was changed, or is of another key, person or place.
        """
        if not sealed.startswith(self._head):
            raise Tampered(f"{place}: what is stored was not encrypted with the key of who it belongs to")
        begin = HEAD_BYTES + NONCE_BYTES
        try:
            data: bytes = self._cipher.decrypt(sealed[HEAD_BYTES:begin], sealed[begin:], self._about + place.encode())
        except _invalid_tag():
            raise Tampered(
                f"{place}: what is stored is not what was written there; it was changed, or moved: restore a backup"
            ) from None
        return data

    def derived(self, purpose: str) -> bytes:
        """Another key of 32 bytes for one purpose, from which this one cannot be found (HKDF-Expand, RFC 5869)."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        return HKDFExpand(SHA256(), KEY_BYTES, purpose.encode()).derive(self._key)


class LocalKey:
    """A master key that this process holds. Implements `protocols.MasterKey`.

    Args:
        material: 32 bytes.
    """

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            raise InvalidInput(
                f"a master key has {KEY_BYTES} bytes, not {len(material)}; `persona-memory keygen` makes one"
            )
        self._cipher = _aes_gcm()(material)

    def wrap(self, key: bytes) -> bytes:
        """The key, sealed with this one."""
        nonce = os.urandom(NONCE_BYTES)
        sealed: bytes = self._cipher.encrypt(nonce, key, _WRAPPED)
        return nonce + sealed

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key that was wrapped.

        Raises:
            WrongKey: it was wrapped with another one, or changed.
        """
        try:
            key: bytes = self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _WRAPPED)
        except _invalid_tag():
            raise WrongKey("this is not the master key that the data was encrypted with") from None
        return key


def master_key(given: MasterKey | str | os.PathLike[str] | bytes) -> MasterKey:
    """The master key that is meant.

    Args:
        given: 32 bytes; the text of a key ("pmk_…"); the path of a file that holds that text; or an object of your own
            with `wrap` and `unwrap`, such as one that asks a key management service.

    Raises:
        InvalidInput: it is none of these, or the file cannot be read.
        MissingExtra: `cryptography` is not installed.
    """
    _aes_gcm()
    if isinstance(given, bytes):
        return LocalKey(given)
    if isinstance(given, str) and given.startswith(MARK):
        return LocalKey(_material(given, "the master key"))
    if isinstance(given, str | os.PathLike):
        path = Path(given).expanduser()
        try:
            return LocalKey(_material(path.read_text(encoding="ascii"), f"the key file {str(path)!r}"))
        except FileNotFoundError:
            raise InvalidInput(f"there is no key file {str(path)!r}; `persona-memory keygen FILE` makes one") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the key file {str(path)!r} cannot be read: {error}") from error
    if isinstance(given, MasterKey):
        return given
    raise InvalidInput(
        f"encryption is a {type(given).__name__}; pass the path of a key file, the key, or an object with wrap and "
        "unwrap"
    )


def new_key() -> str:
    """A new master key as text."""
    return MARK + base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")


def write_key_file(path: Path) -> None:
    """Write a new master key to a file that only its owner can read. No file is ever overwritten.

    Raises:
        InvalidInput: the file exists.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidInput(
            f"{str(path)!r} exists; a key is never overwritten, as what it encrypted would be lost: name another file"
        ) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(new_key() + "\n")
        file.flush()
        os.fsync(file.fileno())


def wrapped(master: MasterKey, key: bytes) -> bytes:
    """The key, wrapped; what a key service raises is told by our name.

    Raises:
        EncryptionError: the master key does not answer.
    """
    try:
        return bytes(master.wrap(key))
    except EncryptionError:
        raise
    except Exception as error:  # a key service is somebody else's code
        raise EncryptionError(f"the master key could not wrap a key: {type(error).__name__}: {error}") from error


def unwrapped(master: MasterKey, sealed: bytes) -> bytes:
    """The key that was wrapped.

    Raises:
        WrongKey: it was wrapped with another master key.
        EncryptionError: the master key does not answer.
    """
    try:
        key = bytes(master.unwrap(sealed))
    except EncryptionError:
        raise
    except Exception as error:  # a key service is somebody else's code
        raise EncryptionError(f"the master key could not unwrap a key: {type(error).__name__}: {error}") from error
    if len(key) != KEY_BYTES:
        raise WrongKey(f"the master key unwraps to {len(key)} bytes, not {KEY_BYTES}: it is another one")
    return key


def seal_file(master: MasterKey, data: bytes) -> bytes:
    """A file for itself, such as an export: the data with a key of its own, which the master key wraps."""
    key = secrets.token_bytes(KEY_BYTES)
    return FILE_MAGIC + _with_length(wrapped(master, key)) + DataKey(key).seal(_FILE, data)


def open_file(master: MasterKey, sealed: bytes) -> bytes:
    """What `seal_file` was given.

    Raises:
        InvalidInput: it is no such file.
        EncryptionError: it was sealed with another master key, or changed.
    """
    if not sealed.startswith(FILE_MAGIC):
        raise InvalidInput("the file is not one that `persona-memory export --encrypt` wrote")
    begin = len(FILE_MAGIC) + 4
    end = begin + int.from_bytes(sealed[len(FILE_MAGIC) : begin], "big")
    return DataKey(unwrapped(master, sealed[begin:end])).open(_FILE, sealed[end:])


def key_id(sealed: bytes) -> bytes:
    """The name of the key that something was sealed with; b"" where it is not sealed."""
    return sealed[len(MAGIC) : HEAD_BYTES] if is_sealed(sealed) else b""


def is_sealed(data: bytes) -> bool:
    """Whether it begins as what is sealed does."""
    return data.startswith(MAGIC) and len(data) >= OVERHEAD


def _material(text: str, what: str) -> bytes:
    coded = text.strip().removeprefix(MARK)
    try:
        material = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    except (binascii.Error, ValueError):
        material = b""
    if not text.strip().startswith(MARK) or len(material) != KEY_BYTES:
        raise InvalidInput(
            f"{what} is no key: it begins with {MARK!r} and has {KEY_BYTES} bytes; `persona-memory keygen` makes one"
        )
    return material


def _with_length(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


@cache
def _aes_gcm() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtra("encryption", "encryption") from error
    return AESGCM


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag

    return InvalidTag
