"""T4: tasks from the world, the gate of starts, and a whole quick run on a tiny model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
pytest.importorskip("transformers", reason='needs pip install "persona-memory[parametric]"')

from persona_memory.adapters import LoraSpec
from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Score, Settings, meta, run
from persona_memory.evaluation.meta import tables
from persona_memory.evaluation.meta.arms import FACTORS, Bench, beats_scratch
from persona_memory.evaluation.meta.tasks import (
    DOMAINS,
    Who,
    asked_task,
    everybody,
    reading_task,
    session_of,
    training_task,
)
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.parametric import BaseModel
from persona_memory.parametric.adapting import Start
from persona_memory.parametric.meta import MetaSettings
from persona_memory.world import SLOTS

SMALL = MetaSettings(steps=2, batch=2, inner=1, rate=0.3)


@pytest.fixture(scope="module")
def base(tiny_reference: Path) -> BaseModel:
    return BaseModel.load(tiny_reference, dtype="float32")


def test_everybody_is_asked_in_each_group_of_domains() -> None:
    """In one domain of a group after the other."""
    found = everybody("test", range(3), DOMAINS[:2], DOMAINS[2:])
    assert [(who.seed, who.domain) for who in found] == [
        (0, "chit-chat"), (0, "maths"), (1, "programming"), (1, "maths"), (2, "chit-chat"), (2, "maths"),
    ]  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_task_is_about_one_domain_and_asks_in_other_words(base: BaseModel, domain: Any) -> None:
    """The query is about facts of the session, and none of its questions is in the support."""
    for seed in range(5):
        who = Who("test", seed, domain)
        told, asked = session_of(who), session_of(who, "test")
        assert {SLOTS[one.key.slot].domain for one in told.interactions if one.key} == {domain}
        assert told.interactions == asked.interactions
        assert told.pairs == asked.pairs
        assert {one.text for one in told.pairs}.isdisjoint(one.text for one in asked.questions)
        task = asked_task(base, who, asked="test", feedback=None)
        assert (len(task.support), len(task.query)) == (len(told.pairs), len(asked.questions))


def test_what_is_trained_of_a_query_is_the_answer_only(base: BaseModel) -> None:
    """Questions are not what is to be remembered; of the support they are."""
    task = asked_task(base, Who("dev", 0, "maths"), asked="dev")
    for one in task.query:
        assert {place for place, weight in enumerate(one.weights) if weight} == set(one.answer)
    assert any(weight for one in task.support for place, weight in enumerate(one.weights) if place not in one.answer)


def test_training_tasks_also_ask_what_is_read(base: BaseModel) -> None:
    """With contexts, in the query only; the reading task asks nothing else."""
    who = Who("train", 0, "chit-chat")
    plain, training, reading = asked_task(base, who, asked="train"), training_task(base, who), reading_task(base, who)
    assert [one.ids for one in training.query] == [one.ids for one in (*plain.query, *reading.query)]
    assert not any(one.near_base for one in plain.query)
    assert all(one.near_base for one in reading.query)


def test_feedback_weighs_what_was_misheard(base: BaseModel) -> None:
    """A fifth of the facts has another value in all of its pairs; right feedback holds just these down."""
    wrong = noisy = 0
    for seed in range(20):
        who = Who("dev", seed, "programming")
        right = asked_task(base, who, asked="dev").support
        none, known, partly = (
            asked_task(base, who, asked="dev", feedback=kind).support for kind in ("none", "right", "noisy")
        )
        changed = [one.ids != other.ids for one, other in zip(right, none, strict=True)]
        assert 0 < sum(changed) < len(changed) / 2
        preferred = asked_task(base, who, asked="dev", feedback="preferred").support
        assert [one.weights for one in preferred[: len(known)]] == [one.weights for one in known]
        replies = {one.ids: one.rating for one in preferred[len(known) :]}
        assert replies == {
            one.ids: -1.0 if is_wrong else 1.0
            for one, is_wrong in zip(none, changed, strict=True)
            if one.ids in replies
        }
        assert set(replies.values()) == {-1.0, 1.0}
        for one, other, is_wrong in zip(none, known, changed, strict=True):
            assert one.ids == other.ids
            factor = max(other.weights) / max(one.weights)
            assert (factor < 1) == is_wrong
        wrong += len(changed)
        noisy += sum(one.weights != other.weights for one, other in zip(known, partly, strict=True))
    assert 0.03 < noisy / wrong < 0.25


def test_rates_are_chosen_alike_and_the_best_one_wins(base: BaseModel) -> None:
    """For each number of steps by itself; as many tries for a start with its own step sizes; none that diverges."""
    bench = Bench(base, LoraSpec(rank=2), replace(SMALL, rate=1e3))
    tasks = [asked_task(base, Who("dev", 0, "maths"), asked="dev")]
    start = bench.scratch(0)
    tried: list[float] = []
    curve = Bench.curve

    def spy(self: Bench, start: Start, tasks: Any, *, at: Any, rate: float) -> list[list[float]]:
        tried.append(rate)
        return curve(self, start, tasks, at=at, rate=rate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bench, "curve", spy)
        found = bench.best_rates(start, tasks, at=(1, 4))
        bench.best_rates(replace(start, rates={"x": 0.5}), tasks, at=(1,))
    assert tried == [*(1e3 * factor for factor in FACTORS), *FACTORS]
    losses = {rate: bench.curve(start, tasks, at=(1, 4), rate=rate)[0] for rate in tried[: len(FACTORS)]}
    assert found == {steps: min(losses, key=lambda rate: losses[rate][at]) for at, steps in enumerate((1, 4))}
    best = bench.best_curve(start, tasks, found)
    assert best[1] == [losses[found[1]][0]]
    assert best[4] == [losses[found[4]][1]]
    assert set(best) == {0, 1, 4}


def test_a_start_passes_only_where_it_is_surely_better(base: BaseModel, tmp_path: Path) -> None:
    """One that has seen what is asked passes; none at all against itself does not."""
    bench = Bench(base, LoraSpec(rank=2), replace(SMALL, steps=15, lr=5e-2))
    dev, held_out = everybody("dev", range(1), DOMAINS), everybody("dev", range(1, 4), DOMAINS)
    none = beats_scratch(bench, bench.scratch(0), tuned_on=dev, judged_on=held_out)
    assert none["passed"] is False
    assert none["lower_by"] == [0.0, 0.0, 0.0]
    tasks = [asked_task(base, who, asked="dev") for who in held_out]
    learnt = bench.learn(tasks, "joint", seed=0, folder=tmp_path)
    assert learnt.seconds > 0
    report = beats_scratch(bench, learnt.trained.start, tuned_on=dev, judged_on=held_out)
    assert (report["passed"], report["people"]) == (True, 3)
    assert report["loss"] < report["scratch"]  # type: ignore[operator]


def measured(loss: float, **more: Any) -> dict[str, Any]:
    curve = [[loss], [loss / 2], [loss / 4], [loss / 6], [loss / 8]]
    return {
        "rates": [1.0] * 4, "tokens": 6000, "seconds": 2.0, "curve": curve, "a step": 100.0, "reading": [0.1],
        "none": [1.0], "right": [0.5], "noisy": [0.6],
        "preferred": [0.5], "preferred, noisy": [0.6], **more,
    }  # fmt: skip


def test_costs_say_for_how_many_people_a_start_pays() -> None:
    """The tokens of its training over those of the steps that it saves; never, where it saves none."""
    alone = measured(8.0)
    alone["curve"].append([0.8])
    found = {arm: [measured(4.0)] for arm in tables.NAMES} | {"scratch": [alone], "fomaml": [measured(8.0)]}
    rows = {row.name: row.cells for row in tables.costs(found).rows}
    assert rows["MAML"]["steps without"] == "10"  # 4 / 4 after three steps; 8 / 8 after ten
    assert rows["MAML"]["pays from"] == "9 people"  # 6000 / (7 · 100)
    assert rows["FOMAML"]["pays from"] == "never"


def test_reaching_joint_trainings_ten_steps_is_counted() -> None:
    """The first number of steps whose mean loss is as low."""
    found = {"scratch": [measured(8.0)], "joint": [measured(4.0)], "maml": [measured(2.0)], "reptile": [measured(9.0)]}
    rows = tables.curves("x", found, [0], [Who("test", 0, "maths")], 0).rows
    assert [row.cells["steps to joint's 10"] for row in rows] == ["> 10", "10", "3", "> 10"]


@pytest.mark.proof
def test_a_quick_run_has_every_arm_in_every_table_and_goes_on(tiny_reference: Path, tmp_path: Path) -> None:
    """What an interrupted run has measured is not measured again."""
    size = replace(meta.QUICK, train=2, dev=1, people=2, settings=replace(meta.QUICK.settings, steps=1))
    kept = Checkpoint(tmp_path / "done.jsonl")
    settings = Settings(Path(), local=tiny_reference, quick=True, cache=tmp_path, checkpoint=kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meta, "QUICK", size)
        patch.setattr(meta, "METHODS", ("joint", "meta-sgd"))
        report = run("meta", settings)
        patch.setattr(Bench, "learn", lambda *_, **__: pytest.fail("learnt twice"))
        again = run("meta", settings)
    assert report.tables == again.tables
    names = [tables.NAMES[arm] for arm in ("scratch", "joint", "meta-sgd")]
    assert all([row.name for row in table.rows] == names for table in report.tables)
    for row in report.tables[0].rows:
        score = row.cells["3 steps"]
        assert isinstance(score, Score)
        assert math.isfinite(score.value)
        assert score.n == 2


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    """Where another than the reference model is asked for."""
    with pytest.raises(InvalidInput, match="holds no causal language model"):
        run("meta", Settings(tmp_path, local=tmp_path))
