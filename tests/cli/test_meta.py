"""`persona-memory meta-train` and `starts`: learnt, judged, published, rolled back; and who is never read."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
pytest.importorskip("transformers", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory import PersonaMemory, parametric
from persona_memory.adapters import Starts, revisions
from persona_memory.adapters.starts import UNFINISHED
from persona_memory.cli import meta
from persona_memory.cli.agreed import halves, task_of
from persona_memory.errors import AdapterRefused, LearningError
from persona_memory.evaluation.meta import arms
from persona_memory.ledger import Person
from persona_memory.parametric import SMALL, BaseModel, Example, Plan
from persona_memory.parametric.starts import load_start
from persona_memory.profile import default_schema
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel
from persona_memory.types import Policy, Turn

from .conftest import Cli

QUICK = ("--people", 3, "--steps", 2, "--rate", 0.3, "--json")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few people, and a gate that a tiny random model can pass: what it asks has tests of its own."""
    monkeypatch.setattr(meta, "TUNED_ON", range(1))
    monkeypatch.setattr(meta, "JUDGED_ON", range(1000, 1002))


def judged(monkeypatch: pytest.MonkeyPatch, *, passed: bool) -> list[arms.Bench]:
    """Where starts that are judged from now on will have been learnt."""
    benches: list[arms.Bench] = []
    report = {
        "passed": passed, "steps": 3, "loss": 1.0, "scratch": 2.0, "lower_by": [1.0, 0.5, 1.5], "rates": {},
        "people": 2,
    }  # fmt: skip

    def beats_scratch(bench: arms.Bench, *_: Any, **__: Any) -> dict[str, Any]:
        benches.append(bench)
        return report

    monkeypatch.setattr(arms, "beats_scratch", beats_scratch)
    return benches


def test_a_start_that_passes_is_published_and_rolled_back(
    cli: Cli, home: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run is a new version; the list says which is published."""
    judged(monkeypatch, passed=True)
    base = BaseModel.load(tiny_reference, dtype="float32")
    for number in (1, 2):
        done = cli("meta-train", "--local", tiny_reference, "--method", "fomaml", "--seed", number, *QUICK)
        assert done.code == 0, done.err
        made = json.loads(done.out)
        assert (made["name"], made["state"], made["people"]) == (f"start-00000{number}", "published", {})
    starts = Starts(home / "starts")
    found = starts.published(base.fingerprint)
    assert found is not None
    assert found.name == "start-000002"
    assert not (home / "memory.db").exists()  # without --opted-in no memory is opened
    shown = cli("starts", "--unpublish", "start-000002")
    assert "start-000001  published" in shown.out
    assert "start-000002  stored: unpublished by hand" in shown.out
    assert "lower by 1.000 [0.500, 1.500], 2 people" in shown.out
    assert "start-000002  published" in cli("starts", "--publish", "start-000002").out


def test_a_start_that_is_no_better_is_kept_but_not_published(
    cli: Cli, home: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be looked at, and nobody begins from it."""
    judged(monkeypatch, passed=False)
    done = cli("meta-train", "--local", tiny_reference, "--method", "joint", *QUICK[:-1])
    assert done.code == 0, done.err
    assert "start-000001  stored: it did not pass" in done.out
    assert revisions(home / "starts") == ["start-000001"]
    refused = cli("starts", "--publish", "start-000001")
    assert (refused.code, refused.out) == (1, "")
    assert "only one that passed can be published" in refused.err


def test_the_gate_is_asked_with_the_rates_of_both(cli: Cli, tiny_reference: Path) -> None:
    """The real one, on a model with random weights: whatever it says, the list says the same."""
    done = cli("meta-train", "--local", tiny_reference, "--method", "reptile", *QUICK)
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert (made["state"] == "published") == made["report"]["passed"]
    assert set(made["report"]["rates"]) == {"scratch", "start"}
    assert made["report"]["people"] == 2


def test_an_interrupted_run_goes_on(
    cli: Cli, home: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so; the same command learns nothing twice and ends with the start of an undisturbed run."""
    judged(monkeypatch, passed=True)
    command = ("meta-train", "--local", tiny_reference, "--method", "reptile", *QUICK)
    undisturbed = cli(*command, "--home", home / "other")
    assert undisturbed.code == 0, undisturbed.err

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(arms, "beats_scratch", interrupted)
        stopped = cli(*command)
    assert (stopped.code, stopped.out) == (130, "")
    assert "the same command goes on from the last checkpoint" in stopped.err
    with monkeypatch.context() as patch:
        patch.setattr("persona_memory.parametric.meta._outer_step", interrupted)
        done = cli(*command)
    assert done.code == 0, done.err
    ours, theirs = (
        (folder / "starts" / "start-000001" / "adapter_model.safetensors").read_bytes()
        for folder in (home, home / "other")
    )
    assert ours == theirs
    assert sorted(path.name for path in (home / "starts").iterdir()) == [".lock", "start-000001", "starts.json"]


def test_a_start_has_the_shape_and_the_precision_that_are_served(
    cli: Cli, home: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of --plan and --dtype; without them as `worker` trains without them."""
    small = replace(SMALL, spec=replace(SMALL.spec, rank=2))
    monkeypatch.setattr(parametric, "SMALL", small)
    benches = judged(monkeypatch, passed=True)
    common = ("meta-train", "--local", tiny_reference, "--method", "reptile", *QUICK)
    for options in (("--plan", "small", "--dtype", "bfloat16"), ()):
        done = cli(*common, *options)
        assert done.code == 0, done.err
    assert [next(one.base.model.parameters()).dtype for one in benches] == [torch.bfloat16, torch.float32]
    for name, fits, fits_not in (("start-000001", small, Plan()), ("start-000002", Plan(), small)):
        load_start(home / "starts", name, base=benches[0].base, spec=fits.spec)
        with pytest.raises(AdapterRefused, match="rank"):
            load_start(home / "starts", name, base=benches[0].base, spec=fits_not.spec)


def test_a_run_goes_on_from_no_other_precision(
    cli: Cli, home: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a checkpoint of its own."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(arms, "beats_scratch", interrupted)
    for dtype in ("float32", "bfloat16"):
        stopped = cli("meta-train", "--local", tiny_reference, "--method", "reptile", *QUICK, "--dtype", dtype)
        assert stopped.code == 130, stopped.err
    assert len([*(home / "starts").glob(f"*{UNFINISHED}")]) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--local", "/nowhere"), 1, "there is no folder '/nowhere'; --local names one"),
        (("--local", "."), 1, "holds no causal language model"),
        ((), 2, "Missing option '--local'"),
        (("--local", ".", "--opted-in"), 2, "--opted-in needs a model that makes pairs of what they said"),
        (("--local", ".", "--if-new", 3), 2, "--if-new counts people who have agreed: add --opted-in"),
        (("--local", ".", "--template-option", "no value"), 2, "'no value' sets nothing; pass --template-option NAME"),
        (("--local", ".", "--method", "anil"), 2, "'anil' is not one of"),
        (("--local", ".", "--plan", "large"), 2, "'large' is not one of"),
    ],
)
def test_what_cannot_be_learnt_from_says_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Before anything is trained, without a traceback."""
    monkeypatch.chdir(tmp_path)
    done = cli("meta-train", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in " ".join(done.err.replace("│", " ").split()), done.err


def test_without_torch_the_extra_is_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command does."""
    rooms = ("persona_memory.parametric", "persona_memory.evaluation.meta")
    for name in [name for name in sys.modules if name.startswith(rooms)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    done = cli("meta-train", "--local", tmp_path)
    assert done.code == 1
    assert "meta-learning needs an extra: pip install" in done.err
    assert done.err.count("\n") == 1


# ── people who agreed ───────────────────────────────────────────────────────────────────────────────────────────────

PAIRS = {
    "positive": [
        {"question": "Where do I live?", "answer": "You live in Porto.", "turns": [1]},
        {"question": "What is my town?", "answer": "Your town is Porto.", "turns": [1]},
    ],
    "negative": [
        {"question": "Do I live in Rome?", "answer": "You live in Porto, so no.", "turns": [1]},
        {"question": "Have I a cat?", "answer": "You never said.", "turns": [1]},
    ],
    "views": [],
}


@pytest.fixture
def two_people(home: Path) -> Path:
    """Ana has agreed, Ben has not."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, durability="NORMAL") as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        memory.observe([("user", "I live in Lisbon, and it is a secret.")], user_id="ben")
        memory.set_policy(Policy(meta_learning=True), user_id="ana")
        memory.flush(timeout=60)
    return home


def test_only_who_agreed_is_read(
    cli: Cli, two_people: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher is shown Ana's words and nobody else's; the start knows her by a mark; her withdrawal retires it."""
    judged(monkeypatch, passed=True)
    teacher = ScriptedChatModel(answers=lambda *_: PAIRS)
    monkeypatch.setattr(meta, "chat_model", lambda _: teacher)
    common = ("meta-train", "--local", tiny_reference, "--method", "fomaml", *QUICK)
    synthetic = cli(*common)
    assert (synthetic.code, teacher.calls) == (0, ())
    done = cli(*common, "--opted-in", "--model", "scripted:x")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert (made["name"], made["state"], len(made["people"])) == ("start-000002", "published", 1)
    assert "people who agreed: 1; with enough to learn from: 1" in done.err
    assert len(teacher.calls) == 1
    assert "Porto" in teacher.calls[0].text
    assert "secret" not in teacher.calls[0].text
    written = (two_people / "starts" / "start-000002" / "manifest.json").read_text()
    assert "ana" not in written
    with PersonaMemory.open(two_people, embeddings=HashingEmbedder(), worker=False) as memory:
        memory.set_policy(Policy(), user_id="ana")
    states = {one["name"]: one["state"] for one in json.loads(cli("starts", "--json").out)}
    assert states == {"start-000001": "published", "start-000002": "retired"}
    nobody = cli(*common, "--opted-in", "--model", "scripted:x")
    assert (nobody.code, nobody.out) == (1, "")
    assert "nobody has agreed: Policy(meta_learning=True) is the opt-in" in nobody.err


def test_who_withdraws_during_the_training_is_in_no_published_start(
    cli: Cli, two_people: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with an error, and the files are gone."""
    judged(monkeypatch, passed=True)
    monkeypatch.setattr(meta, "chat_model", lambda _: ScriptedChatModel(answers=lambda *_: PAIRS))
    store = meta._store

    def withdrawn(*given: Any) -> Any:
        made = store(*given)
        with PersonaMemory.open(two_people, embeddings=HashingEmbedder(), worker=False) as memory:
            memory.forget(["t1"], user_id="ana")
        return made

    monkeypatch.setattr(meta, "_store", withdrawn)
    done = cli(
        "meta-train", "--local", tiny_reference, "--method", "fomaml", *QUICK, "--opted-in", "--model", "scripted:x"
    )
    assert (done.code, done.out) == (1, "")
    assert "somebody whom it learnt from has erased something" in done.err
    assert revisions(two_people / "starts") == []


def test_a_start_is_learnt_anew_when_enough_is_new(
    cli: Cli, two_people: Path, tiny_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People who agreed, or have given feedback since; without either nothing is trained and nobody is read."""
    judged(monkeypatch, passed=True)
    teacher = ScriptedChatModel(answers=lambda *_: PAIRS)
    monkeypatch.setattr(meta, "chat_model", lambda _: teacher)
    common = (
        "meta-train",
        "--local",
        tiny_reference,
        "--method",
        "fomaml",
        *QUICK,
        "--opted-in",
        "--model",
        "scripted:x",
    )
    few = cli(*common, "--if-new", 2)
    assert (few.code, few.out, teacher.calls) == (0, "", ())
    assert "nothing to do: 1 people have agreed or given feedback" in few.err
    assert json.loads(cli(*common, "--if-new", 1).out)["name"] == "start-000001"
    assert "nothing to do: 0 people" in cli(*common, "--if-new", 1).err
    with PersonaMemory.open(two_people, embeddings=HashingEmbedder(), worker=False) as memory:
        memory.feedback("up", user_id="ana")
    assert json.loads(cli(*common, "--if-new", 1).out)["name"] == "start-000002"


def test_there_must_be_a_memory_to_ask_for_people_who_agreed(cli: Cli, home: Path, tiny_reference: Path) -> None:
    """And it is not made by asking."""
    done = cli("meta-train", "--local", tiny_reference, "--opted-in", "--model", "scripted:x")
    assert (done.code, "there is no memory in" in done.err) == (1, True)
    assert not (home / "memory.db").exists()


class Listening:
    """A teacher that notes what it is shown, and learns nothing of it."""

    name = "listening"

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        self.heard += [turn.text for turn in conversation]
        return ()


def test_what_a_person_has_closed_or_paused_is_shown_to_no_teacher(two_people: Path, tiny_reference: Path) -> None:
    """They agreed to meta-learning, not to that."""
    base, person, schema = BaseModel.load(tiny_reference, dtype="float32"), Person("default", "ana"), default_schema()
    with PersonaMemory.open(two_people, embeddings=HashingEmbedder(), worker=False) as memory:
        for policy, shown in (
            (Policy(meta_learning=True), True),
            (Policy(meta_learning=True, never_infer=("demographics.location",)), False),
            (Policy(meta_learning=True, paused=True), False),
        ):
            memory.set_policy(policy, user_id="ana")
            teacher = Listening()
            assert task_of(base, memory._ledger, person, teacher, schema=schema) is None
            assert any("Porto" in text for text in teacher.heard) == shown


class SilentTeacher:
    """Finds one conversation too hard, and nothing in the others."""

    name = "silent"

    def __init__(self, found: Sequence[Example]) -> None:
        self._found = list(found)

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        if not self._found:
            raise LearningError("nonsense")
        return [self._found.pop()]


def test_a_person_with_too_little_is_passed_over(two_people: Path, tiny_reference: Path) -> None:
    """One pair cannot be both learnt from and asked; a teacher that only fails says why."""
    base, person = BaseModel.load(tiny_reference, dtype="float32"), Person("default", "ana")
    one = Example("positive", "Where do I live?", "In Porto.", (1,))
    assert halves([one, one, one]) == ([one, one], [one])
    with PersonaMemory.open(two_people, embeddings=HashingEmbedder(), worker=False) as memory:
        assert task_of(base, memory._ledger, person, SilentTeacher([one]), schema=default_schema()) is None
        with pytest.raises(LearningError, match="nonsense"):
            task_of(base, memory._ledger, person, SilentTeacher([]), schema=default_schema())
