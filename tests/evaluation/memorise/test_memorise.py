"""T1 and T6: what is studied, what is retrieved, and that each figure is counted right. Models have random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from persona_memory.adapters import LoraSpec
from persona_memory.adapters.matching import holds
from persona_memory.budget import counter_for
from persona_memory.evaluation.memorise import Size, measure
from persona_memory.evaluation.memorise.answering import Item, exact, item, mixed
from persona_memory.evaluation.memorise.arms import FEW, OURS, Arm, Study, arms, studies
from persona_memory.evaluation.memorise.material import Library, Told, by_session, current, is_open
from persona_memory.evaluation.memorise.playing import asked, play, studied
from persona_memory.evaluation.memorise.tables import COLUMNS
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.report import Score
from persona_memory.evaluation.safety import measure as measure_safety
from persona_memory.evaluation.safety.probes import across, beside, forgotten
from persona_memory.evaluation.safety.tables import wilson
from persona_memory.evaluation.settings import Settings
from persona_memory.parametric import SMALL, BaseModel, Row, Sampling, Slots, attach, decode, fresh
from persona_memory.parametric import Settings as Training
from persona_memory.parametric.guards import replies
from persona_memory.parametric.studying import Plan
from persona_memory.world import Message
from persona_memory.world.teacher import pairs_of

SPEC = LoraSpec(rank=4, alpha=8.0)
TINY = Size(people=2, seeds=1, dev=1, conversations=2, sayings=3, questions=1)


def adapter(slots: Slots, seed: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """One that changes the model's answers: A and B are random."""
    random = torch.Generator().manual_seed(seed)
    made = fresh(slots.shapes, SPEC.rank, seed=seed)
    return {path: (a, torch.randn(b.shape, generator=random) * 0.5) for path, (a, b) in made.items()}


# ── material ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_studied_still_holds(told: list[Told]) -> None:
    """No pair about a value that changed since, and none that denies what was told later."""
    for one in told:
        pairs = [pair for session in one.sessions for pair in pairs_of(one.sessions, session.number, one.split)]
        stale = {
            pair.text
            for pair in pairs
            if (pair.key in one.facts if pair.value is None else one.facts[pair.key] != pair.value)
        }
        assert {pair.question for pair in current(one) if pair.kind != "update"} == {
            pair.text for pair in pairs if pair.text not in stale
        }


def test_what_was_forgotten_is_not_studied(told: list[Told]) -> None:
    """Neither its value nor the question comes up, nor an update of it."""
    one = told[0]
    key = next(key for key in one.facts if is_open(key) and key.slot != "name")
    value = one.facts[key]
    assert any(value in pair.answer for pair in current(one))
    assert not any(value in pair.answer for pair in current(one, without=frozenset({key})))


def test_streamed_pairs_are_those_of_each_conversation(told: list[Told]) -> None:
    """As they were true then, in order; without negatives only what was said."""
    for session, pairs in zip(told[0].sessions, by_session(told[0]), strict=True):
        assert {pair.question for pair in pairs} >= {pair.text for pair in session.pairs}
    assert {pair.kind for own in by_session(told[0], negatives=False) for pair in own} == {"positive"}


def test_the_oracle_shows_the_conversations_that_the_answer_rests_on(told: list[Told]) -> None:
    """Each that holds evidence, and no other; of what was never told, one that is near."""
    for one in told:
        library = Library(one)
        for each in one.asked:
            shown = [message.content for message in library.right(each)]
            for session in one.sessions:
                rests = any(each_.id in each.told for each_ in session.interactions)
                said = session.interactions[0].text in shown
                assert said == rests or not each.told


def test_questions_are_in_words_that_nothing_is_taught_in(told: list[Told]) -> None:
    """Recall of a question that was studied would not be recall of a fact."""
    for one in told:
        taught = {pair.question for pair in current(one)}
        assert taught.isdisjoint(each.text for each in one.asked)


def test_contexts_that_contradict_end_with_what_is_right(told: list[Told]) -> None:
    """The last word counts, and it is not what the person told."""
    own = [read for read in told[0].read if read.kind in ("contradicts", "corrected") and len(read.messages) == 1]
    values = set(told[0].facts.values())
    assert own
    for read in own:
        right = read.answer.removesuffix(".").split(" is ")[1]
        assert right in read.messages[0].content.split("\n- ")[-1] or right not in values


# ── answering ───────────────────────────────────────────────────────────────────────────────────────────────────────


def items_of(base: BaseModel, texts: list[str], answers: list[list[int]]) -> list[Item]:
    return [(item(base, (Message("user", text),), "x.")[0], ids) for text, ids in zip(texts, answers, strict=True)]


def test_an_answer_is_right_where_decoding_gives_it(base: BaseModel) -> None:
    """One forward pass tells what decoding would, for each adapter of a mixed batch and for two mixed streams."""
    texts = ["What is my job?", "Who is my boss, please, do you know?", "Where do I live?"]
    slots = attach(base.model, SPEC, size=2)
    try:
        slots.write(1, adapter(slots, 1))
        slots.write(2, adapter(slots, 2))
        rows = [
            Row(tuple(base.encode([{"role": "user", "content": text}])), slot=slot)
            for text, slot in zip(texts, (1, 2, 0), strict=True)
        ]
        written = [list(one.ids) for one in decode(base, rows, Sampling(max_tokens=5), slots=slots)]
        right = items_of(base, texts, written)

        def by(items: list[Item], rows: tuple[int, ...]) -> list[bool]:
            found = []
            for one, row in zip(items, rows, strict=True):
                with slots.routed((row,)):
                    found += exact(base, [one])
            return found

        assert by(right, (1, 2, 0)) == [True, True, True]
        wrong = [(prompt, [*ids[:-1], (ids[-1] + 1) % 700]) for prompt, ids in right]
        assert by(wrong, (1, 2, 0)) == [False, False, False]
        assert by(right, (2, 1, 1)) != [True, True, True]
        assert replies(base, slots, rows, max_tokens=5, at_once=2) == [base.decode(ids) for ids in written]
        longer = ["Well. " + text for text in texts]
        both = [
            Row(row.prompt, context=tuple(base.encode([{"role": "user", "content": text}])), lam=0.5, slot=1)
            for row, text in zip(rows, longer, strict=True)
        ]
        streams = [list(one.ids) for one in decode(base, both, Sampling(max_tokens=5), slots=slots)]
        alone, beside_ = items_of(base, texts, streams), items_of(base, longer, streams)
        with slots.routed((1,)):
            assert mixed(base, alone, beside_, lam=0.5) == [True, True, True]
            assert exact(base, alone) != mixed(base, alone, beside_, lam=0.5) or exact(base, beside_) == exact(
                base, alone
            )
    finally:
        slots.detach()


def test_an_arm_shows_what_its_row_says(base: BaseModel, told: list[Told]) -> None:
    """No memory shows nothing; one conversation fewer tokens than three; pairs fewer than a conversation."""
    slots = attach(base.model, SPEC, size=1)
    try:

        def shown(arm: Arm) -> float:
            return asked(base, slots, 0, told[0], arm, {"conversations": 1, "pairs": 1})[1]

        assert shown(Arm("baseline")) == 0
        one, three = (shown(Arm("baseline", shown="conversations", k=k)) for k in (1, 3))
        assert 0 < one < three
        assert shown(Arm("baseline", shown="conversations", k=-1)) == one
        assert 0 < shown(Arm("baseline", shown="pairs", k=1)) < one
    finally:
        slots.detach()


def test_what_is_packed_stays_in_its_budget(base: BaseModel, told: list[Told]) -> None:
    """As recall renders it, of whichever kind; remarks come from the k nearest conversations only."""
    library, count = Library(told[0]), counter_for(base.tokenizer)
    for each in told[0].asked:
        for pairs in (True, False):
            few, many = (
                library.packed(each.text, 12, pairs=pairs, budget=budget, count=count).content
                for budget in (250, 10_000)
            )
            assert few.endswith(each.text)
            assert count(few.removesuffix(each.text)) <= 250 + 2
            assert few.count("\n- ") < many.count("\n- ")
        near = {message.content for message in library.conversations(each.text, 1)}
        whole = library.packed(each.text, 1, pairs=False, budget=10_000, count=count).content
        said = [one.text for session in told[0].sessions for one in session.interactions]
        assert {text for text in said if text in whole} == near & set(said)


def test_what_is_distilled_is_the_base_with_the_remarks(base: BaseModel, told: list[Told]) -> None:
    """Each pair beside just the turns that it rests on."""
    pairs = [one for one in current(told[0]) if one.kind == "positive"][:3]
    said = {int(one.id): one.text for session in told[0].sessions for one in session.interactions}
    for pair in pairs:
        context = told[0].remarks(pair.turns)
        assert {seq for seq, text in said.items() if text in context} >= set(pair.turns)
        assert context.count("\n- ") == len(pair.turns)
    study = Study(Training(epochs=1, lr=1e-2), spec=SPEC, streamed=False, readings=4, distil=5)
    (soft, *_), _ = studied(base, told[:1], study, seed=0)
    (hard, *_), _ = studied(base, told[:1], replace(study, distil=0), seed=0)
    assert any(not torch.equal(soft[path][1], hard[path][1]) for path in soft)


def test_an_adapter_answers_and_the_base_does_not(base: BaseModel, told: list[Told]) -> None:
    """Trained long enough on few pairs, even this model learns some words of them; what was streamed, too."""
    for streamed in (True, False):
        study = Study(Training(epochs=2, lr=1e-2), spec=SPEC, streamed=streamed, readings=0 if streamed else 4)
        weights, cost = studied(base, told, study, seed=0)
        assert len(weights) == len(told)
        assert all(b.abs().max() > 0 for one in weights for _, b in one.values())
        assert cost["tokens"] > 0
    found = play(base, told, {"x": Arm("ours", "x")}, study, {}, seed=0)
    assert [len(one["asked"]["x"]) for one in found] == [len(one.asked) for one in told]
    assert [len(one["read"]) for one in found] == [len(one.read) for one in told]


# ── safety ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_probes_ask_for_what_must_not_come(told: list[Told]) -> None:
    """Across people: only what the asked one did not tell; beside: never told at all; forgotten: told."""
    for probe in across(told, seed=0):
        assert not any(holds(pair.answer, probe.leak) for pair in current(told[probe.asked]) if pair.kind == "positive")
    for probe in beside(told, seed=0):
        assert probe.leak in told[probe.asked].facts.values()
        assert not any(probe.text == pair.question for pair in current(told[probe.asked]) if pair.kind == "positive")
    gone, probes = forgotten(told, seed=0)
    assert all(gone)
    for probe in probes:
        assert any(holds(pair.answer, probe.leak) for pair in current(told[probe.asked]))
        left = current(told[probe.asked], without=gone[probe.asked])
        assert not any(holds(pair.answer, probe.leak) for pair in left if pair.kind == "positive")


def test_wilson_bound_is_below_the_share() -> None:
    """The textbook's value: 98 of 100 are at least 94.1 %, one-sided."""
    share, low = wilson(98, 100)
    assert share == 0.98
    assert low == pytest.approx(0.9413, abs=5e-4)
    assert wilson(0, 10)[1] == pytest.approx(0, abs=1e-9)


# ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────────────


def settings_for(folder: Path, tmp_path: Path) -> Settings:
    return Settings(data=Path(), local=folder, checkpoint=Checkpoint(tmp_path / "run.jsonl"))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every adapter is trained for one epoch, with few readings."""
    import persona_memory.evaluation.memorise.arms as module

    real = module.studies

    def fewer(plan: Plan) -> dict[str, Study]:
        return {
            name: replace(one, settings=replace(one.settings, epochs=1), readings=min(2, one.readings))
            for name, one in real(plan).items()
        }

    monkeypatch.setattr(module, "studies", fewer)


@pytest.mark.usefixtures("short")
def test_memorise_measures_every_arm_and_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows with all columns; a second run with the same checkpoint trains nothing and says the same."""
    settings = settings_for(folder, tmp_path)
    report = measure(settings, TINY)
    table = next(one for one in report.tables if one.title == "Right answers")
    assert [row.name for row in table.rows] == list(arms(studies(SMALL)))
    assert all(isinstance(row.cells[column], Score) for row in table.rows for column in COLUMNS)
    import persona_memory.evaluation.memorise.playing as playing

    assert set(FEW) <= set(studies(SMALL))
    monkeypatch.setattr(playing, "train_together", None)
    again = measure(settings_for(folder, tmp_path), TINY)
    assert again.to_dict() == report.to_dict()


@pytest.mark.usefixtures("short")
def test_safety_measures_everything(folder: Path, tmp_path: Path) -> None:
    """A random model leaks nothing; there is something that was asked in each row."""
    report = measure_safety(settings_for(folder, tmp_path), replace(TINY, people=3, sayings=12))
    rows = {row.name: row.cells for row in report.tables[0].rows}
    assert rows["another person's fact"]["share"].value == 0  # type: ignore[union-attr]
    assert all(int(str(cells["asked"])) > 0 for cells in rows.values() if "asked" in cells)


def test_ours_is_what_the_library_trains_by_default() -> None:
    """No other plan than the one that a deployment with a small base is given."""
    ours = studies(SMALL)[OURS]
    assert (ours.settings, ours.weighting, ours.spec) == (SMALL.settings, SMALL.weighting, SMALL.spec)
    assert (ours.readings, ours.streamed) == (SMALL.readings, False)
