"""Names, folders and manifests of adapter revisions; no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.adapters import (
    Fingerprint,
    LoraSpec,
    Manifest,
    check_base,
    delete_revision,
    owner_of,
    parse_name,
    read_revision,
    revision_name,
    revisions,
    sweep,
    write_revision,
)
from persona_memory.adapters.aside import new_folder
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import from_json, to_json
from persona_memory.errors import AdapterForAnotherBase, AdapterRefused, InvalidInput, NotFound

KEY = bytes(range(32))
FILES = {WEIGHTS: b"weights", CONFIG: b"{}", MANIFEST: b"{}"}
LIMITS = {WEIGHTS: 100, CONFIG: 100, MANIFEST: 100}
NAME = revision_name(KEY, "ana", 1)
MADE = Manifest(
    name=NAME,
    weights_sha256="0" * 64,
    config_sha256="f" * 64,
    fingerprint=Fingerprint("b", "t", "c"),
    spec=LoraSpec(rank=4, targets=("q_proj",)),
    base_model="tiny",
    dtype="bfloat16",
    created_at="2026-11-28T00:00:00+00:00",
    watermark=12,
    memory_ids=("m1", "m2"),
    metrics={"accuracy": 0.5},
)


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(one=st.text(min_size=1), other=st.text(min_size=1))
def test_no_name_is_part_of_another(one: str, other: str) -> None:
    """Names have one length and tell people apart, so a runtime that matches by substring confuses nobody."""
    names = revision_name(KEY, one, 1), revision_name(KEY, other, 1)
    assert [len(name) for name in names] == [34, 34]
    assert (names[0] == names[1]) == (one == other)
    assert parse_name(names[0]) == (owner_of(KEY, one), 1)


def test_a_name_says_nothing_without_the_key() -> None:
    """The same person has another name under another key, and a short key is refused."""
    assert NAME == "zmo25fcrrqq7zzky23erylnw7a-r000001"  # pinned: folders and ledgers keep names
    assert owner_of(KEY, "ana") != owner_of(KEY[::-1], "ana")
    with pytest.raises(InvalidInput, match="a key of 5 bytes can be guessed"):
        owner_of(b"short", "ana")


@pytest.mark.parametrize("revision", [0, -1, 1_000_000])
def test_a_revision_has_six_digits(revision: int) -> None:
    """A longer number would break the fixed length."""
    with pytest.raises(InvalidInput, match="is not in 1 … 999,999"):
        revision_name(KEY, "ana", revision)


@pytest.mark.parametrize(
    "name",
    ["", "ana", "../" + NAME, NAME + "/..", NAME + "\n", NAME.upper(), NAME[:-1] + ".", "a.b", NAME + "0", "ä" * 34],
)
def test_other_names_are_refused_wherever_they_are_used(tmp_path: Path, name: str) -> None:
    """Dots, paths and look-alikes never reach the file system."""
    with pytest.raises(AdapterRefused, match="not a name of an adapter revision"):
        read_revision(tmp_path, name, LIMITS)
    with pytest.raises(AdapterRefused, match="not a name"):
        write_revision(tmp_path, name, FILES)
    with pytest.raises(AdapterRefused, match="not a name"):
        delete_revision(tmp_path, name)


# ── folders ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_revision_is_read_as_it_was_written(tmp_path: Path) -> None:
    """All three files come back, and the store lists the revision."""
    write_revision(tmp_path / "store", NAME, FILES)
    assert read_revision(tmp_path / "store", NAME, LIMITS) == FILES
    assert revisions(tmp_path / "store") == [NAME]


def test_a_revision_is_never_changed(tmp_path: Path) -> None:
    """Writing it again is refused, leaves the first one, and leaves nothing else behind."""
    write_revision(tmp_path, NAME, FILES)
    with pytest.raises(AdapterRefused, match="exists already"):
        write_revision(tmp_path, NAME, {**FILES, WEIGHTS: b"other"})
    assert read_revision(tmp_path, NAME, LIMITS) == FILES
    assert os.listdir(tmp_path) == [NAME]


def test_a_revision_lacks_no_file_and_has_no_other(tmp_path: Path) -> None:
    """A missing file, and one more (a lone pickle), are named."""
    with pytest.raises(AdapterRefused, match="a revision has the files"):
        write_revision(tmp_path, NAME, {WEIGHTS: b""})
    folder = write_revision(tmp_path, NAME, FILES)
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterRefused, match=r"missing files: \['adapter_model.safetensors'\].*'adapter_model.bin'"):
        read_revision(tmp_path, NAME, LIMITS)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Neither a folder nor a file may be a link, nor a pipe that would block."""
    folder = write_revision(tmp_path / "elsewhere", NAME, FILES)
    store = tmp_path / "store"
    store.mkdir()
    (store / NAME).symlink_to(folder)
    with pytest.raises(AdapterRefused, match="is a link or a file"):
        read_revision(store, NAME, LIMITS)
    (folder / CONFIG).unlink()
    (folder / CONFIG).symlink_to(folder / MANIFEST)
    with pytest.raises(AdapterRefused, match=r"adapter_config.json is a link"):
        read_revision(tmp_path / "elsewhere", NAME, LIMITS)
    (folder / CONFIG).unlink()
    os.mkfifo(folder / CONFIG)
    with pytest.raises(AdapterRefused, match=r"adapter_config.json is not a regular file"):
        read_revision(tmp_path / "elsewhere", NAME, LIMITS)


def test_long_files_are_not_read(tmp_path: Path) -> None:
    """The cap comes before the content."""
    write_revision(tmp_path, NAME, {**FILES, WEIGHTS: b"x" * 101})
    with pytest.raises(AdapterRefused, match="has 101 bytes; at most 100 are expected"):
        read_revision(tmp_path, NAME, LIMITS)


def test_a_missing_revision_is_not_found(tmp_path: Path) -> None:
    """It is told apart from one that is refused."""
    with pytest.raises(NotFound, match="there is no adapter"):
        read_revision(tmp_path, NAME, LIMITS)
    assert revisions(tmp_path / "nowhere") == []
    assert delete_revision(tmp_path, NAME) is False


def test_deleting_removes_every_byte_of_a_person(tmp_path: Path) -> None:
    """One person's revisions go, the other's stay."""
    for user, revision in (("ana", 1), ("ana", 2), ("ben", 1)):
        write_revision(tmp_path, revision_name(KEY, user, revision), FILES)
    ours = revisions(tmp_path, owner_of(KEY, "ana"))
    assert ours == [revision_name(KEY, "ana", 1), revision_name(KEY, "ana", 2)]
    assert all(delete_revision(tmp_path, name) for name in ours)
    assert os.listdir(tmp_path) == [revision_name(KEY, "ben", 1)]


def test_what_a_kill_left_is_swept(tmp_path: Path) -> None:
    """Half written folders are no revisions, and the sweep removes them only."""
    write_revision(tmp_path, NAME, FILES)
    (tmp_path / ".aside-x1").mkdir()
    (tmp_path / ".aside-x1" / WEIGHTS).write_bytes(b"half")
    assert revisions(tmp_path) == [NAME]
    assert sweep(tmp_path) == 1
    assert os.listdir(tmp_path) == [NAME]
    assert sweep(tmp_path / "nowhere") == 0


def test_what_is_being_written_is_not_swept(tmp_path: Path) -> None:
    """The lock of a process that lives keeps it."""
    folder, lock = new_folder(tmp_path, ".aside-")
    assert sweep(tmp_path) == 0
    os.close(lock)
    assert sweep(tmp_path) == 1
    assert not folder.exists()


# ── manifests ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_manifest_is_read_as_it_was_written() -> None:
    """Every field survives, and one manifest has one form."""
    assert from_json(NAME, to_json(MADE)) == MADE
    assert to_json(from_json(NAME, to_json(MADE))) == to_json(MADE)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"watermark": 12', b'"watermark": "12"', "watermark: Input should be a valid integer"),
        (b'"watermark": 12', b'"watermark": -1', "watermark: Input should be greater than or equal to 0"),
        (b'"rank": 4', b'"rank": 0', "spec.rank: Input should be greater"),
        (b'"version": 1', b'"version": 2', "version: Input should be 1"),
        (b'"version": 1', b'"version": 1, "run": "me"', "run: Unexpected"),
        (b'"bfloat16"', b'"float8"', "dtype: Input should be 'float32' or 'bfloat16'"),
        (b'"weights_sha256": "0', b'"weights_sha256": "x', "weights_sha256: String should match"),
        (b"{", b"", "the file: Invalid JSON"),
        (NAME.encode(), revision_name(KEY, "ben", 1).encode(), "is that of"),
    ],
)
def test_other_manifests_are_refused(old: bytes, new: bytes, problem: str) -> None:
    """The message names the field."""
    data = to_json(MADE)
    assert old in data
    with pytest.raises(AdapterRefused, match=problem):
        from_json(NAME, data.replace(old, new, 1))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"rank": 0}, "rank=0 is to be a whole number in 1 … 1,024"),
        ({"rank": 1.5}, "rank=1.5 is to be a whole number"),
        ({"rank": 5000}, "rank=5000"),
        ({"alpha": 0.0}, "alpha=0.0 is to be > 0"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"targets": ()}, r"targets=\(\) are to be names of layers"),
        ({"targets": "q_proj"}, "targets='q_proj'"),
    ],
)
def test_a_shape_that_no_layer_can_have_is_refused(wrong: dict[str, Any], problem: str) -> None:
    """When it is made, not when a model is to take it."""
    with pytest.raises(InvalidInput, match=problem):
        LoraSpec(**wrong)


@pytest.mark.parametrize("part", ["base", "tokenizer", "template"])
def test_an_adapter_of_another_base_is_refused(part: str) -> None:
    """Each of the three parts counts, and the message says which differs."""
    check_base(MADE, MADE.fingerprint)
    values = {"base": "b", "tokenizer": "t", "template": "c"} | {part: "other"}
    with pytest.raises(AdapterForAnotherBase, match=f"not the same are: .*{part} .*; train it again"):
        check_base(MADE, Fingerprint(**values))
