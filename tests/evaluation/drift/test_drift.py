"""T3: what a person says becomes lessons, arms keep to their quotas, tables say what came out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from persona_memory.adapters import Interaction, Scored
from persona_memory.evaluation.drift import Plan, measure, tables
from persona_memory.evaluation.drift.arms import ALL, ARMS, BARE, FULL, OURS, RANDOM, REHEARSE, STATIC
from persona_memory.evaluation.drift.gates import WAYS, buffer_of, fitted, mixture
from persona_memory.evaluation.drift.gates import measure as measure_gates
from persona_memory.evaluation.drift.material import Material, beside_notes, material, readings, true_after
from persona_memory.evaluation.drift.playing import BUFFER, SPEC, TRAINING, Chain, Course, cost_of, going_on, play
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.report import Score
from persona_memory.evaluation.settings import Settings
from persona_memory.models import embedder
from persona_memory.parametric import BaseModel, Lesson, attach, fresh
from persona_memory.parametric.losses import token_losses
from persona_memory.world import Schedule, history, person

SCHEDULE = Schedule(periods=4, sessions=1, sayings=12, calm=frozenset({2}), questions=0, views=0, drift=0.5)
SMALL = Plan(people=2, seeds=1, dev=1, periods=3, sessions=1, sayings=6, few=True)


@pytest.fixture(scope="module")
def someone(base: BaseModel) -> Material:
    return material(base, "dev", 6, SCHEDULE, seed=1)


@pytest.fixture(scope="module")
def played(base: BaseModel, someone: Material) -> tuple[dict[str, Any], list[Chain]]:
    """One person with all arms, trained for one epoch."""
    course = Course(
        base, readings(base, seed=0)[:4], lambda texts: [[float(len(text)), 1.0] for text in texts],
        (0.0, 1.0, -1.0, 0.0), tuple(ARMS), 0, 4, replace(TRAINING, epochs=1),
    )  # fmt: skip
    (found,), chains = play(course, [someone])
    return found, chains


def test_what_is_asked_in_the_end_is_what_is_true_then(base: BaseModel, someone: Material) -> None:
    """As the world's own questions have it; each fact with a question that no lesson holds."""
    asked = history(person("dev", 6), replace(SCHEDULE, questions=30), seed=1)[-1].questions
    true = {one.key: one.value for one in asked if one.kind == "open"}
    facts = {fact.key: fact.value for fact in someone.facts}
    assert len(true) > 5
    assert true.items() <= facts.items()
    for read, reply in zip(someone.asked, someone.replies, strict=True):
        counted = [token for token, weight in zip(read.ids, read.weights, strict=True) if weight]
        assert base.decode(counted).strip() == reply
    shifts = [change for change in someone.changes if change.label == "shift"]
    assert len(shifts) == sum(one.label == "shift" for period in someone.said for one in period)


def test_a_lesson_is_the_remark_and_pairs_about_what_it_states(someone: Material) -> None:
    """Noise is words alone."""
    for one in (one for period in someone.said for one in period):
        assert len(one.lesson) == (1 if one.label == "noise" else 5)
        assert one.lesson[0] is one.read


def test_the_base_scores_a_pair_after_the_words(base: BaseModel, someone: Material) -> None:
    """The same answer counts; before it stand the words, and the question."""
    for one in (one for period in someone.said for one in period):
        assert len(one.heard) == len(one.pair)
        for heard, pair in zip(one.heard, one.pair, strict=True):
            counted = [
                [token for token, weight in zip(each.ids, each.weights, strict=True) if weight]
                for each in (heard, pair)
            ]
            assert counted[0] == counted[1]
            assert one.told.answer in base.decode(heard.ids)
            assert one.told.answer not in base.decode(pair.ids)


def test_ratings_tell_exceptions_from_what_holds(base: BaseModel) -> None:
    """Of half of the remarks that state something; a tenth of them the other way."""
    said = [
        one for number in range(8) for period in material(base, "dev", number, SCHEDULE, seed=1).said for one in period
    ]
    asked = [one for one in said if one.key is not None]
    rated = [one for one in asked if one.rated]
    assert not any(one.rated for one in said if one.key is None)
    assert 0.4 < len(rated) / len(asked) < 0.6
    wrong = [(one.rated[0].rating > 0) == (one.label == "one_off") for one in rated]
    assert 0.03 < sum(wrong) / len(wrong) < 0.2
    assert all(one.rated[0].ids == one.lesson[1].ids for one in rated)


def test_ratings_weigh_in_the_selection_or_are_trained_on(
    base: BaseModel, someone: Material, played: tuple[dict[str, Any], list[Chain]]
) -> None:
    """As preferences beside what is selected; in the selection by ln f."""
    chains = {chain.name: chain for chain in played[1]}
    course = Course(base, (), lambda texts: [[1.0] for _ in texts], (0.0, 0.0, 0.0, 0.0), tuple(ARMS), 0, 4)
    ours, preferred = chains[OURS], chains["drift 30 %, turn read, ratings as preferences"]
    chosen = list(someone.said[3][:2])
    plain, more = (going_on(course, one, 3, chosen, []).examples for one in (ours, preferred))
    assert more[len(plain) :] == [each for one in someone.said[3] for each in one.rated]
    assert 0 < sum(one.rating != 0 for one in more) == len(more) - len(plain)
    assert cost_of(Lesson(more[-1:]), replace(TRAINING, epochs=1)) == 4 * len(more[-1])
    scored = [Scored(7, 2, 6.0, 2.0)]
    worth = ARMS["drift 30 %, turn read, ratings weigh"].worth(
        lambda _: scored, seed=0, drifts=frozenset(), embed=course.embed, learned=course.learned, rated={7: 0.5}
    )
    assert worth([Interaction(7, "", "x")])[0] == pytest.approx(2.0 + math.log(0.5))


def test_arms_begin_alike_and_differ_by_what_they_choose(played: tuple[dict[str, Any], list[Chain]]) -> None:
    """Nothing, all, what drifts; quotas are kept, and controls get no more tokens than ours."""
    arms, whole = played[0]["arms"], [sum(one.tokens for one in period) for period in played[1][0].person.said[1:]]
    assert arms[STATIC]["spent"] == arms[FULL]["spent"] == [0, 0, 0]
    assert arms[ALL]["spent"] == whole
    assert {label for some in arms["oracle 30 %"]["picked"] for label in some} == {"new", "shift"}
    assert arms["oracle 30 %"]["spent"][1] == 0
    for name, arm in ARMS.items():
        if arm.by not in ("all", "full", "nothing"):
            assert all(spent <= 0.3 * all_ for spent, all_ in zip(arms[name]["spent"], whole, strict=True))
        if arm.equal:
            assert all(a <= b for a, b in zip(arms[name]["spent"], arms[OURS]["spent"], strict=True))
    assert any(arms["drift 30 %, turn read, no test"]["spent"])


def test_what_is_true_is_rehearsed_beside_what_is_selected(
    base: BaseModel, someone: Material, played: tuple[dict[str, Any], list[Chain]]
) -> None:
    """What shifted comes with its new value only; trained anew means without the weights so far."""
    chains = {chain.name: chain for chain in played[1]}
    course = Course(base, (), lambda texts: [[1.0] for _ in texts], (0.0, 0.0, 0.0, 0.0), tuple(ARMS), 0, 4)
    true = true_after(someone, 3)
    assert {(one.key, one.value) for one in true} == {(fact.key, fact.value) for fact in someone.facts}
    chosen = [one for one in someone.said[3] if one in true][:2]
    ours = going_on(course, chains[OURS], 3, chosen, [])
    taught = [example for one in true for example in one.lesson]
    extra = [example for one in chosen for example in one.lesson]
    assert sorted(map(len, ours.examples)) == sorted(map(len, [*taught, *extra * (REHEARSE - 1)]))
    assert ours.start is chains[OURS].weights
    anew = going_on(course, chains["trained anew when it drifts"], 3, chosen, [])
    assert (sorted(map(len, anew.examples)), anew.start) == (sorted(map(len, taught)), None)


def test_cost_counts_what_is_trained_and_what_is_read(played: tuple[dict[str, Any], list[Chain]]) -> None:
    """Static pays for the first adapter, training on all for each period, a score even where nothing is trained."""
    arms, chains = played[0]["arms"], played[1]
    course = replace(TRAINING, epochs=1)
    first = [example for one in chains[0].person.said[0] for example in one.lesson]
    assert cost_of(Lesson(first), course) == 3 * sum(map(len, first))
    assert arms[STATIC]["cost"] < arms[BARE]["cost"] < arms[ALL]["cost"]
    reading = sum(len(each) for period in chains[0].person.said[1:] for one in period for each in one.heard)
    half, whole = arms["drift 30 %, α = 0"], arms[OURS]
    if half["spent"] == whole["spent"]:
        assert whole["cost"] - half["cost"] == pytest.approx(reading)


def test_only_what_was_trained_on_is_in_the_buffer(played: tuple[dict[str, Any], list[Chain]]) -> None:
    """Of all arms that score; and marks are of what came after the first period."""
    found, chains = played
    for chain in chains:
        seqs = {mark.seq for mark in chain.state.residual}
        assert bool(seqs) == chain.arm.scores
        assert chain.arm.on == "words" or not seqs & {one.told.seq for one in chain.person.said[0] if not one.pair}
        assert len(seqs) <= BUFFER
        assert len(chain.state.arrived) == len(chain.state.learnt)
    assert {mark["period"] for mark in found["marks"]} == {1, 2, 3}
    assert [mark["on"] for mark in found["marks"]].count("words") == len(found["marks"]) / 3 == 3 * 12
    assert all(bool(mark["tokens"]) == (mark["label"] != "noise") for mark in found["marks"] if mark["on"] != "words")


def test_ends_of_periods_tell_when_a_change_is_in_force(played: tuple[dict[str, Any], list[Chain]]) -> None:
    """From its own period on, until the next shift of the same fact."""
    found, chains = played
    for change, held in zip(chains[0].person.changes, found["arms"][OURS]["updated"], strict=True):
        assert len(held) == min(change.until, 4) - change.period
    assert tables._delay([False, False, True]) == 2
    assert tables._delay([False, False]) == 2
    assert tables._delay([True]) == 0


def test_a_mixture_is_that_of_decoding(base: BaseModel, someone: Material) -> None:
    """λ = 1 is the question alone, 0 the one with notes, between them probabilities are mixed."""
    slots = attach(base.model, SPEC, size=1)
    slots.write(1, fresh(slots.shapes, SPEC.rank, seed=0))
    alone = someone.asked[0]
    context = beside_notes(base, someone.questions[0], someone.replies[0], ["The sky is blue."])

    def log_p(read: Any) -> torch.Tensor:
        places = torch.tensor([place for place, weight in enumerate(read.weights) if weight])
        with torch.no_grad():
            found: torch.Tensor = base.model(torch.tensor([read.ids])).logits[0, places - 1].double().log_softmax(-1)
        return found

    targets = torch.tensor([token for token, weight in zip(alone.ids, alone.weights, strict=True) if weight])
    for lam in (0.0, 0.3, 1.0):
        mixed = (lam * log_p(alone).exp() + (1 - lam) * log_p(context).exp()).log()
        ((_, nats),) = mixture(base, slots, 1, [(alone, context, lam)])
        assert nats == pytest.approx(float(token_losses(mixed, targets).mean()), abs=1e-4)
    many = mixture(base, slots, 1, [(one, None, 1.0) for one in someone.asked])
    assert many[0][1] == pytest.approx(float(token_losses(log_p(alone), targets).mean()), abs=1e-4)
    slots.detach()


def test_buffers_of_all_kinds_have_the_same_size(base: BaseModel, played: tuple[dict[str, Any], list[Chain]]) -> None:
    """But that of everything; a closed gate changes nothing, and one that is open reads."""
    chain = played[1][0]
    sizes = {kind: len(buffer_of(chain, kind)) for kind in ("residual", "random", "recency", "everything")}
    assert sizes["random"] == sizes["recency"] == BUFFER
    assert sizes["everything"] == 48
    found = measure_gates(base, chain, fitted([]))
    assert list(found) == list(WAYS)
    assert not any(reply["read"] for reply in found["weights alone"])
    assert any(reply["read"] for reply in found["residual buffer, no gate, λ = .5"])
    everything = found["all that was said, running quantile, λ = .5"]
    assert sum(reply["told"] for reply in everything) > 0
    assert 0 < sum(reply["read"] for reply in everything) < len(everything)


def test_a_learned_gate_is_surer_where_more_agrees() -> None:
    """Fitted on what was retrieved: overlap tells here."""
    rows = [(1.0, 0.5, overlap / 40, overlap > 20) for overlap in range(40)]
    assert fitted(rows).overlap > 0
    assert fitted(rows).score == pytest.approx(0, abs=1e-6)


def synthetic(ours: float, *, separated: bool) -> list[dict[str, Any]]:
    """Twenty people whose drift scores tell, or tell nothing; ours answers this share of 10 questions, others half."""
    people = []
    for number in range(20):
        labels = ["new", "shift", "repeat", "noise", "one_off"] * 4
        marks = [
            {"on": on, "label": label, "period": 1, "seq": seq, "tokens": 10, "length": 30, "base": 20.0,
             "adapted": 30.0 if separated and label in ("new", "shift") else 10.0}
            for on in ("read", "pair", "words")
            for seq, label in enumerate(labels)
        ]  # fmt: skip
        arm = {
            "cost": 50.0, "spent": [10, 0], "picked": [["new", "repeat"], []], "right": [True] * 5 + [False] * 5,
            "nats": [0.5] * 10, "kept": [True] * 4, "updated": [[False, True], [True]],
        }  # fmt: skip
        mine = {**arm, "right": [place < 10 * ours for place in range(10)]}
        arms = {**dict.fromkeys(ARMS, arm), OURS: mine, ALL: {**arm, "cost": 100.0}}
        people.append({"id": f"test-{number}", "changes": ["shift", "one_off"], "marks": marks, "arms": arms})
    return people


def value(score: Score | str | None) -> float:
    assert isinstance(score, Score)
    return score.value


def test_the_required_table_is_of_ours() -> None:
    """Paired with retraining and with random at equal tokens; costs are shares of training on all."""
    found = {row.name: row.cells["seen"] for row in tables.required(synthetic(0.8, separated=True), seed=0).rows}
    assert [value(score) for score in found.values()] == pytest.approx([1.0, 0.3, 0.0, 0.5, 0.3, 1.0, 0.0])
    worse = tables.required(synthetic(0.2, separated=False), seed=0).rows
    assert [value(row.cells["seen"]) for row in worse[:2]] == pytest.approx([0.5, -0.3])


def test_arms_tell_delays_and_what_was_trained() -> None:
    """A shift that is in force one period later, a one-off that is believed, half of what is trained is drift."""
    (row,) = [row for row in tables.arms(synthetic(0.5, separated=True), seed=0).rows if row.name == RANDOM]
    assert value(row.cells["shifts in force at once"]) == 0
    assert value(row.cells["periods until in force"]) == 1
    assert value(row.cells["one-offs believed"]) == 1
    assert value(row.cells["of what is trained, drift"]) == 0.5
    assert value(row.cells["calm periods trained"]) == 0


def test_selectors_are_judged_by_labels() -> None:
    """A score that tells has 1, one that tells nothing a half; the learned one learns it from labels."""
    told, blind = synthetic(0.5, separated=True), synthetic(0.5, separated=False)
    learned = tables.fit_score(told[0]["marks"])
    assert learned[1] > 0
    for played, expected in ((told, 1.0), (blind, 0.5)):
        rows = {row.name: row.cells for row in tables.selectors(played, learned, seed=0).rows}
        for name in ("turn read", "α = 1", "α = 0, sum, on the words as said", "learned score"):
            assert value(rows[name]["against repeats and noise"]) == expected
        assert value(rows["α = ∞"]["against one-offs, too"]) == 0.5
    assert tables.fit_score([mark for mark in told[0]["marks"] if mark["label"] == "noise"]) == (0, 0, 0, 0)
    cells = tables.labels(told, seed=0).rows[0].cells
    assert (value(cells["noise"]), value(tables.labels(told, seed=0).rows[1].cells["new"])) == (1.0, 0.5)


@pytest.mark.proof
def test_an_interrupted_run_goes_on_and_tells_the_same(folder: Path, tmp_path: Path) -> None:
    """Each person is kept as soon as they are done; the whole report can be written."""
    path = tmp_path / "unfinished.jsonl"
    settings = Settings(Path(), local=folder, embedder=embedder("hashing"), checkpoint=Checkpoint(path))
    report = measure(settings, SMALL)
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    path.write_text("\n".join(lines[:2]) + "\n")
    again = measure(replace(settings, checkpoint=Checkpoint(path)), SMALL)
    assert again.to_markdown() == report.to_markdown()
    assert "Required" in report.to_markdown()
    assert OURS in report.to_markdown()
    assert report.tables[0].title == "Required"


def test_without_the_right_kinds_a_figure_is_none() -> None:
    """An area under no curve is not a number, and no error."""
    people = synthetic(0.5, separated=True)
    for one in people:
        one["marks"] = [mark for mark in one["marks"] if mark["label"] == "noise"]
    assert math.isnan(value(tables.required(people, seed=0).rows[0].cells["seen"]))
