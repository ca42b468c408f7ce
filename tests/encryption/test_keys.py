"""Keys: what they seal opens at its place and for its owner only; what a master key can be given as."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from persona_memory import PersonaMemory
from persona_memory.encryption import (
    OVERHEAD,
    DataKey,
    LocalKey,
    is_sealed,
    master_key,
    new_key,
    open_file,
    seal_file,
    write_key_file,
)
from persona_memory.errors import EncryptionError, InvalidInput, MissingExtra, Tampered, WrongKey

ANA, BEN = ("default", "ana"), ("default", "ben")


def test_what_is_sealed_opens_at_its_place_and_for_its_owner_only() -> None:
    """The same bytes of a key, under another owner's name, open nothing."""
    key = DataKey(bytes(32), owner=ANA)
    sealed = key.seal("events.text", b"I live in Porto.")
    assert key.open("events.text", sealed) == b"I live in Porto."
    assert len(sealed) == len(b"I live in Porto.") + OVERHEAD
    for other, place in ((key, "events.speaker"), (DataKey(bytes(32), owner=BEN), "events.text")):
        with pytest.raises(Tampered, match="not what was written"):
            other.open(place, sealed)


def test_a_changed_bit_anywhere_is_noticed() -> None:
    """In the head, the nonce, the text and the tag."""
    key = DataKey(bytes(32), owner=ANA)
    sealed = key.seal("events.text", b"I live in Porto.")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(Tampered):
            key.open("events.text", bytes(changed))


def test_owners_that_run_into_each_other_are_told_apart() -> None:
    """("a", "bc") is not ("ab", "c")."""
    sealed = DataKey(bytes(32), owner=("a", "bc")).seal("p", b"x")
    with pytest.raises(Tampered):
        DataKey(bytes(32), owner=("ab", "c")).open("p", sealed)


def test_the_same_text_is_never_sealed_alike() -> None:
    """Who sees two values does not see that they are equal."""
    key = DataKey(bytes(32))
    assert len({key.seal("p", b"yes") for _ in range(100)}) == 100


def test_a_derived_key_is_always_the_same_and_another_one_for_each_purpose() -> None:
    """It seals what this key does not open."""
    key = DataKey(bytes(32))
    assert key.derived("a") == DataKey(bytes(32)).derived("a")
    assert len({key.derived("a"), key.derived("b"), bytes(32)}) == 3


def test_a_key_can_be_given_as_text_bytes_or_a_file(tmp_path: Path) -> None:
    """All of them unwrap what one of them wrapped."""
    path = tmp_path / "persona.key"
    write_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text().strip()
    wrapped = master_key(path).wrap(b"k" * 32)
    assert master_key(text).unwrap(wrapped) == master_key(str(path)).unwrap(wrapped) == b"k" * 32
    with pytest.raises(WrongKey):
        master_key(new_key()).unwrap(wrapped)
    with pytest.raises(InvalidInput, match="exists"):
        write_key_file(path)
    assert path.read_text().strip() == text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("pmk_short", "no key"),
        ("/nowhere/persona.key", "keygen"),
        (b"short", "32 bytes"),
        (7, "wrap and unwrap"),
        (__file__, "no key|cannot be read"),
    ],
)
def test_what_is_no_key_is_refused(given: object, says: str) -> None:
    """The message says how one is made."""
    with pytest.raises(InvalidInput, match=says):
        master_key(given)  # type: ignore[arg-type]


def test_an_exported_file_opens_with_its_master_key_only() -> None:
    """It carries its own key, wrapped."""
    ours, other = LocalKey(bytes(32)), LocalKey(b"o" * 32)
    sealed = seal_file(ours, b"{}")
    assert open_file(ours, sealed) == b"{}"
    with pytest.raises(WrongKey):
        open_file(other, sealed)
    with pytest.raises(InvalidInput, match="export --encrypt"):
        open_file(ours, b"{}")
    with pytest.raises(EncryptionError):
        open_file(ours, sealed[:-1])
    assert not is_sealed(b"{}")


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And no home is made."""
    from persona_memory import encryption

    encryption._aes_gcm.cache_clear()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingExtra, match=r"encryption needs an extra: pip install .*\[encryption\]"):
        PersonaMemory.open(tmp_path / "home", encryption=bytes(32), embeddings="hashing", worker=False)
    assert not (tmp_path / "home").exists()
