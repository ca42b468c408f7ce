"""A person's adapters from the command line: seen, rolled back, trained; and what is said where that cannot be."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from persona_memory import PersonaMemory
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.cli.adapters import trainer
from persona_memory.cli.options import template_values
from persona_memory.protocols import Drifted, Example, Revisions, Studied, Study
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import Adapter, Route, Turn

from .conftest import Cli


class Teacher:
    """Five pairs both ways, whatever was said."""

    name = "five"

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        seqs = (conversation[0].seq,)
        asked = [(f"What is {number}?", f"It is {number}.") for number in range(5)]
        return [
            Example(kind, f"{question} {kind}", answer, seqs)
            for question, answer in asked
            for kind in ("positive", "negative")
        ]


@dataclass
class Trainer:
    """Whatever is trained passes."""

    base_model: str = "tiny [base]"
    fingerprint: Mapping[str, str] = field(default_factory=lambda: {"base": "b", "tokenizer": "t", "template": "c"})

    def trainable(self) -> bool:
        return True

    def interpolates(self) -> bool:
        return True

    def serve(self, revisions: Revisions) -> None:
        pass

    def route(self, user_id: str, route: Route) -> None:
        pass

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        pass

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        return Drifted(True, "")

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        return [0.0 for _ in profiles]

    async def train(self, study: Study) -> Studied:
        return Studied({WEIGHTS: b"w", CONFIG: b"c", MANIFEST: b"m"}, {"passed": True, "reason": "it passes"})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which Ana has an adapter, and Ben has none."""
    folder = tmp_path / "home"
    with PersonaMemory.open(
        folder, embeddings=HashingEmbedder(), worker=False, parametric=Trainer(), teacher=Teacher()
    ) as memory:
        for user in ("ana", "ben"):
            memory.observe([("user", "I live in Porto.")], user_id=user)
        memory.consolidate(user_id="ana")
        memory.flush()
    return folder


def test_versions_are_shown_with_why(cli: Cli, home: Path) -> None:
    done = cli("adapters", "--user", "ana", "--home", home)
    assert done.code == 0
    assert all(word in done.out for word in ("active", "tiny [base]", "it passed"))
    (shown,) = json.loads(cli("adapters", "--user", "ana", "--home", home, "--json").out)
    assert (shown["revision"], shown["state"], shown["report"]["passed"]) == (1, "active", True)


def test_rolling_back(cli: Cli, home: Path) -> None:
    done = cli("adapters", "--user", "ana", "--home", home, "--rollback", "it got my name wrong")
    assert (done.code, "no adapter is active now" in done.err) == (0, True)
    assert "retired" in done.out
    assert "rolled back: it got my name wrong" in done.out
    again = cli("adapters", "--user", "ana", "--home", home, "--rollback", "x")
    assert (again.code, "has no active adapter to roll back" in again.err) == (1, True)


def test_who_has_none(cli: Cli, home: Path) -> None:
    assert "No adapter was trained yet." in cli("adapters", "--user", "ben", "--home", home).out
    nobody = cli("adapters", "--user", "eve", "--home", home)
    assert (nobody.code, "nobody called 'eve' is known" in nobody.err) == (1, True)


def test_training_says_what_is_missing(cli: Cli, home: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
    done = cli("consolidate", "--user", "ana", "--home", home, "--local", tmp_path, "--model", "openai:gpt-5-mini")
    assert (done.code, "holds no causal language model" in done.err) == (1, True)
    assert cli("consolidate", "--user", "ana", "--home", home).code == 2


def test_a_base_is_trained_for_as_it_is_served(tiny_reference: Path) -> None:
    """Its numbers, the variables of its template and the plan are those of the application."""
    pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
    from persona_memory.parametric import SMALL, BaseModel, LocalAdapters

    base = BaseModel.load(tiny_reference, dtype="bfloat16", template_options={"enable_thinking": False})
    served = LocalAdapters(base, plan=SMALL)
    with trainer(
        str(tiny_reference), plan="small", dtype="bfloat16", template_options=["enable_thinking=False"]
    ) as made:
        assert made.fingerprint == served.fingerprint
        assert made._plan == SMALL
        assert made._base.model.dtype == base.model.dtype
    with trainer(str(tiny_reference)) as made:
        assert made.fingerprint != served.fingerprint


def test_variables_of_a_template() -> None:
    """What is JSON is read as such, and Python's words for it: "False" as a text would be true."""
    given = ["a=false", "b=False", "c=3", 'd=["x"]', "e=a=b", "f=", "g=None"]
    assert template_values(given) == {"a": False, "b": False, "c": 3, "d": ["x"], "e": "a=b", "f": "", "g": None}
    assert template_values(None) == {}
