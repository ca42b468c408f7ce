"""What lies in the home folder of an encrypted memory: nothing that somebody said, and no vector of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from persona_memory import PersonaMemory, Policy
from persona_memory.adapters import read_revision
from persona_memory.encryption import is_sealed
from persona_memory.errors import AdapterRefused
from persona_memory.ledger import vectors
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel
from tests.memory.conftest import Open
from tests.memory.test_coming_back import Embedder

from .conftest import KEY

CANARY = "Rexcanary"


def scan(home: Path, *needles: bytes) -> list[tuple[str, bytes]]:
    """Which files hold which needles, as they are."""
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    return [(path.name, one) for path in files for one in needles if one in path.read_bytes()]


def words(*said: str) -> list[bytes]:
    """In the encodings that files have."""
    return [form for one in said for form in (one.encode(), one.lower().encode(), one.encode("utf-16-le"))]


def test_nothing_that_was_said_is_in_the_folder(open_memory: Open, tmp_path: Path) -> None:
    """Nor who said it, what was learnt, failed, was asked, was rated, or imported; nor any vector."""
    embedder = Embedder("dense")
    memory = open_memory(embeddings=embedder)
    text = f"My dog is called {CANARY}. I do not understand recursion."
    memory.observe([("user", text), ("assistant", "A fine name.")], user_id="ana", speaker="Speakercanary")
    memory.flush(timeout=60)
    memory.remember("The user collects stampcanary.", user_id="ana")
    memory.set_field("demographics.name", "Fieldcanary", user_id="ana")
    memory.feedback("Correctioncanary", user_id="ana", field="demographics.name")
    memory.note_import("filecanary.json", user_id="ana", digest="0" * 64)
    memory.set_policy(Policy(retention_days=3650), user_id="ana")
    memory.flush(timeout=60)
    said = (CANARY, "recursion", "fine name", "stampcanary", "Fieldcanary", "Correctioncanary", "filecanary")
    home, floats = tmp_path / "home", stored_vectors(memory, "ana")
    assert len(floats) >= 5
    assert scan(home, *words(*said, "Speakercanary"), *floats) == []
    assert CANARY in memory.recall("my dog", user_id="ana").text
    memory.close()
    assert scan(home, *words(*said, "Speakercanary")) == []


def test_the_same_scan_finds_it_all_without_encryption(open_memory: Open, tmp_path: Path) -> None:
    """The scan can fail."""
    memory = open_memory(encryption=None, embeddings=Embedder("dense"))
    memory.observe([("user", f"My dog is called {CANARY}.")], user_id="ana")
    memory.flush(timeout=60)
    found = {needle for _, needle in scan(tmp_path / "home", CANARY.encode(), *stored_vectors(memory, "ana"))}
    assert len(found) == 3  # the name, and the vectors of the turn and of the memory


def test_what_failed_is_shown_and_not_stored_in_the_clear(open_memory: Open, tmp_path: Path) -> None:
    """Errors of jobs may quote what was said."""
    memory = open_memory(model=ScriptedChatModel(answers=lambda *_: f'{{"nonsense": "{CANARY}"}}'))
    memory.observe([("user", "hello")], user_id="ana")
    memory.flush(timeout=60)
    (job,) = [one for one in memory.jobs(user_id="ana") if one.state == "parked"]
    assert job.last_error
    assert scan(tmp_path / "home", *words(CANARY), job.last_error[:40].encode()) == []


def stored_vectors(memory: PersonaMemory, user_id: str) -> list[bytes]:
    """The bytes of the person's vectors, as they are without encryption."""
    person, space = memory._learning.person(user_id), memory._learning.semantic.space()
    with memory._ledger.read() as connection:
        _, matrix, _ = vectors.read(connection, person, space.fingerprint)
    return [row.tobytes() for row in matrix]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, PersonaMemory, list[Path]]]:
    """A home in which an adapter was trained, and what lay in its workspace when the training had ended."""
    pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
    from persona_memory.parametric import BaseModel, LocalAdapters, handing
    from tests.parametric.checkpoints import write
    from tests.parametric.test_local import PETS, PLAN, Pets

    base = write(tmp_path / "base", "qwen3", max_position_embeddings=2048)
    kept: list[Path] = []
    answer = handing.answer

    def looked(folder: Path, **options: object) -> object:
        for path in [*folder.rglob("*")] if folder.is_dir() else ():
            if path.is_file():
                kept.append(tmp_path / "kept" / f"{len(kept)}-{path.name}")
                kept[-1].parent.mkdir(exist_ok=True)
                kept[-1].write_bytes(path.read_bytes())
        return answer(folder, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(handing, "answer", looked)
    home = tmp_path / "home"
    with (
        LocalAdapters(BaseModel.load(base, dtype="float32"), plan=PLAN) as local,
        PersonaMemory.open(
            home, embeddings=HashingEmbedder(), worker=False, parametric=local, teacher=Pets(), encryption=KEY
        ) as memory,
    ):
        for pet in PETS:
            memory.observe([("user", f"My pet is called {pet}")], user_id="ana", thread_id=str(PETS.index(pet)))
        memory.consolidate(user_id="ana")
        memory.flush(timeout=250)  # a nice process trains
        (made,) = memory.adapters(user_id="ana")
        assert made.state == "active", made.reason
        local.pool.submit([made.adapter_id], lambda slots, taken: None).result()  # it can be loaded
        yield home, memory, kept


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_adapter_and_its_training_are_encrypted(trained: tuple[Path, PersonaMemory, list[Path]]) -> None:
    """The task, the checkpoint, the report, the revision; the pool opens them, under another's name nobody does."""
    home, memory, kept = trained
    names = {path.name.partition("-")[2] for path in kept}
    assert {"task.json", "report.json", "checkpoint.safetensors", "manifest.json"} <= names
    (folder,) = [path for path in (home / "adapters").iterdir() if "-r0" in path.name]
    for path in (*kept, *folder.iterdir()):
        assert is_sealed(path.read_bytes()), path.name
    assert scan(home, *words("Basil", "Miau"), b"lora_A", b"__metadata__", b"sha256") == []
    other = folder.with_name(folder.name[:-1] + "7")
    shutil.copytree(folder, other)
    limits = dict.fromkeys([path.name for path in other.iterdir()], 1 << 30)
    with pytest.raises(AdapterRefused, match="not what was written there"):
        read_revision(home / "adapters", other.name, limits, opener=memory._learning.adapters.opener)
    memory.delete_user(user_id="ana")
    assert not folder.exists()
