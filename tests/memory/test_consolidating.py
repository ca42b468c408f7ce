"""A history that no longer fits becomes an adapter: taught, trained, examined, served; taken back, renewed, erased."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, Policy, Retry, opening
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.errors import (
    AdapterRetired,
    InvalidInput,
    LearningError,
    LedgerLocked,
    NotFound,
    TrainingError,
)
from persona_memory.learning.consolidate import PATIENCE
from persona_memory.learning.rules import RuleExtractor
from persona_memory.protocols import Drifted, Example, ParametricMemory, ProfileView, Revisions, Studied, Study, Teacher
from persona_memory.registry import AdapterRegistry
from persona_memory.types import Adapter, ProfileEdit, Route, Turn
from tests.memory.conftest import Clock, Open

FACTS = {
    "My dog is called Basil.": ("What is my dog called?", "Your dog is called Basil."),
    "I live in Porto.": ("Where do I live?", "You live in Porto."),
    "I work as a baker.": ("What do I work as?", "You work as a baker."),
    "I play the cello.": ("What do I play?", "You play the cello."),
    "I am allergic to walnuts.": ("What am I allergic to?", "You are allergic to walnuts."),
}


@dataclass
class ByHeart:
    """A teacher that knows by heart what some sentences teach.

    Attributes:
        seen: the conversations that it was shown, as texts.
    """

    name: str = "by heart"
    seen: list[list[str]] = field(default_factory=list)

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        self.seen.append([turn.text for turn in conversation])
        return [one for turn in conversation for one in self._pairs(turn)]

    def _pairs(self, turn: Turn) -> Iterator[Example]:
        for said, (question, answer) in FACTS.items():
            if said in turn.text:
                yield Example("positive", question, answer, (turn.seq,))
                yield Example("negative", f"{question[:-1]} too?", "You never said.", (turn.seq,))


@dataclass
class Stumped(ByHeart):
    """It makes nonsense of one conversation, again and again."""

    stumped_by: str = "the fado of Coimbra"
    stumped: int = 0
    meanwhile: Callable[[], object] = lambda: None

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        await asyncio.to_thread(self.meanwhile)
        if any(self.stumped_by in turn.text for turn in conversation):
            self.stumped += 1
            raise LearningError("the answer is no JSON")
        return await super().teach(conversation)


@dataclass
class Trainer:
    """Trains nothing, and says so as it is told to."""

    passes: bool = True
    fingerprint: Mapping[str, str] = field(default_factory=lambda: {"base": "b1", "tokenizer": "t", "template": "c"})
    base_model: str = "tiny"
    studies: list[Study] = field(default_factory=list)
    kept: dict[str, set[str]] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    failing: list[BaseException] = field(default_factory=list)
    drifted: Drifted = field(default_factory=lambda: Drifted(True, "as told"))
    residual: Sequence[int] = ()
    revisions: Revisions | None = None
    meanwhile: Callable[[], object] = lambda: None

    def trainable(self) -> bool:
        return True

    def interpolates(self) -> bool:
        return True

    def serve(self, revisions: Revisions) -> None:
        self.revisions = revisions

    def route(self, user_id: str, route: Route) -> None:
        self.routes.append(route)

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        self.kept[owner] = set(adapter_ids)

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        return self.drifted

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        return [0.0 for _ in profiles]

    async def train(self, study: Study) -> Studied:
        self.studies.append(study)
        study.workspace.mkdir(parents=True, exist_ok=True)
        (study.workspace / "half-done").write_text("Basil")
        await asyncio.to_thread(self.meanwhile)
        if self.failing:
            raise self.failing.pop()
        files = {WEIGHTS: b"w", CONFIG: b"c", MANIFEST: study.adapter_id.encode()}
        report = {"passed": self.passes, "reason": "as told", "recall": 0.9, "residual": list(self.residual)}
        return Studied(files, report)


@pytest.fixture
def teacher() -> ByHeart:
    return ByHeart()


@pytest.fixture
def trainer() -> Trainer:
    return Trainer()


@pytest.fixture
def memory(open_memory: Open, trainer: Trainer, teacher: ByHeart) -> PersonaMemory:
    return open_memory(parametric=trainer, teacher=teacher)


def test_the_fakes_are_what_is_asked_for(trainer: Trainer, teacher: ByHeart) -> None:
    one: ParametricMemory = trainer
    other: Teacher = teacher
    assert (one.trainable(), other.name) == (True, "by heart")


def tell(memory: PersonaMemory, clock: Clock, *said: str, user_id: str = "ana") -> None:
    """Each in a session of its own."""
    for text in said:
        clock.move(days=1)
        memory.observe([("user", text)], user_id=user_id, thread_id=f"t{clock.now:%j}")
    memory.flush()


def turn_of(memory: PersonaMemory, text: str) -> int:
    return next(seq for hit in memory.search(text[:-1], user_id="ana") if text in hit.text for seq in hit.sources)


def overflow(memory: PersonaMemory, times: int = 1) -> Route:
    for _ in range(times):
        route = memory.recall("Tell me of my dog, where I live and my work", user_id="ana", max_tokens=8).route
    return route


def served(memory: PersonaMemory) -> str | None:
    """The adapter of a turn whose history does not fit."""
    return overflow(memory).adapter_id


def states(memory: PersonaMemory) -> list[str]:
    return [one.state for one in memory.adapters(user_id="ana")]


def active(memory: PersonaMemory) -> Adapter:
    (found,) = [one for one in memory.adapters(user_id="ana") if one.state == "active"]
    return found


def test_what_no_longer_fits_is_trained_and_served(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    assert [overflow(memory).consolidate for _ in range(3)] == [False, False, True]
    memory.flush()
    route = overflow(memory)
    assert (route.name, route.adapter_id) == ("interpolated", active(memory).adapter_id)
    assert "mixed with the best that fits" in route.reason
    assert trainer.routes[-1] == route
    (study,) = trainer.studies
    assert [one.answer for one in study.examples if one.kind == "positive"] == [answer for _, answer in FACTS.values()]
    assert memory.recall("Where do I live?", user_id="ana", max_tokens=800).route.name == "context"


def test_a_conversation_is_taught_once(memory: PersonaMemory, clock: Clock, teacher: ByHeart, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    tell(memory, clock, *[f"I play the cello. {day}" for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert len(teacher.seen) == len(FACTS) + 8
    assert [len(study.examples) for study in trainer.studies] == [10, 10]
    assert states(memory) == ["evaluated", "active"]


def test_nothing_new_trains_nothing(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    for _ in range(2):
        memory.consolidate(user_id="ana")
        memory.flush()
    assert len(trainer.studies) == 1


def test_who_trains_no_adapters_leaves_that_to_others(
    open_memory: Open, memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    tell(memory, clock, *FACTS)
    plain = open_memory()
    memory.consolidate(user_id="ana")
    plain.flush(timeout=5)
    assert [(job.kind, job.state) for job in plain.jobs(user_id="ana")] == [("consolidate", "queued")]
    memory.flush()
    assert states(memory) == ["active"]


def test_too_little_is_not_trained_on(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, "I live in Porto.", "It rains.")
    memory.consolidate(user_id="ana")
    memory.flush()
    (one,) = memory.adapters(user_id="ana")
    assert (one.state, trainer.studies) == ("retired", [])
    assert one.reason == "4 facts or more are needed; what there is fits every prompt"


def test_what_does_not_pass_stays_out_and_says_why(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    trainer.passes = False
    tell(memory, clock, *FACTS)
    overflow(memory, times=3)
    memory.flush()
    (one,) = memory.adapters(user_id="ana")
    assert (one.state, one.reason, one.report["recall"]) == ("evaluated", "as told", 0.9)
    assert overflow(memory).name == "context_overflow"
    memory.flush()
    assert len(trainer.studies) == 1  # not again and again on the same


def test_a_failed_training_is_tried_again_and_the_old_adapter_serves(
    memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    before = active(memory)
    tell(memory, clock, *[f"I play the cello. {day}" for day in range(8)])
    trainer.failing = [TrainingError(3, "the loss is not finite")]
    routed: list[tuple[str | None, list[str]]] = []
    trainer.meanwhile = lambda: routed.append((served(memory), states(memory)))
    memory.consolidate(user_id="ana")
    memory.flush()
    assert [len(trainer.studies), len(trainer.failing)] == [3, 0]
    assert routed == [
        (before.adapter_id, ["active", "candidate"]),
        (before.adapter_id, ["active", "retired", "candidate"]),
    ]
    assert active(memory).revision == 3
    assert memory.adapters(user_id="ana")[0].adapter_id == before.adapter_id


def test_between_a_failed_training_and_the_next_attempt_the_old_adapter_serves(
    open_memory: Open, clock: Clock, trainer: Trainer, teacher: ByHeart
) -> None:
    """For however long: here until a clock that stands still goes on. What was parked in the end changes nothing."""
    memory = open_memory(parametric=trainer, teacher=teacher, retry=Retry(attempts=2, backoff=600.0))
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    before = active(memory)
    tell(memory, clock, *[f"I play the cello. {day}" for day in range(8)])
    trainer.failing = [TrainingError(3, "the loss is not finite") for _ in range(2)]
    memory.consolidate(user_id="ana")
    for left, state in ((1, "queued"), (0, "parked")):
        while (job := memory.jobs(user_id="ana")[0]).state != state or not job.last_error:
            with suppress(TimeoutError):
                memory.flush(timeout=1)
        assert (job.kind, len(trainer.failing)) == ("consolidate", left)
        assert "the loss is not finite" in (job.last_error or "")
        assert served(memory) == active(memory).adapter_id == before.adapter_id
        clock.move(hours=1)
    memory.consolidate(user_id="ana")
    memory.flush()
    assert served(memory) == active(memory).adapter_id != before.adapter_id
    assert memory.jobs(user_id="ana") == []


@pytest.mark.parametrize("attempts", [PATIENCE + 1, PATIENCE - 1])
def test_a_conversation_that_cannot_be_taught_stops_no_other(
    open_memory: Open, clock: Clock, trainer: Trainer, attempts: int
) -> None:
    """It is passed over after some attempts; the rest is taught and trained, and the old adapter serves till then."""
    teacher, patience = Stumped(), min(PATIENCE, attempts)
    memory = open_memory(parametric=trainer, teacher=teacher, retry=Retry(attempts=attempts, backoff=0.0))
    tell(memory, clock, *list(FACTS)[:4])
    memory.consolidate(user_id="ana")
    memory.flush()
    before = active(memory)
    routed: list[str | None] = []
    teacher.meanwhile = trainer.meanwhile = lambda: routed.append(served(memory))
    tell(memory, clock, f"I love {teacher.stumped_by}.", *list(FACTS)[4:], *[f"It rains, {day}." for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert teacher.stumped == patience
    assert routed == [before.adapter_id] * (patience + 9 + 1)
    after = active(memory)
    assert served(memory) == after.adapter_id != before.adapter_id
    known = {one.answer for one in trainer.studies[-1].examples if one.kind == "positive"}
    assert known == {answer for _, answer in FACTS.values()}
    assert memory.jobs(user_id="ana") == []
    shown = len(teacher.seen)
    tell(memory, clock, *[f"It pours, {day}." for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert (teacher.stumped, len(teacher.seen)) == (patience, shown + 8)


def test_what_is_no_longer_true_is_not_learnt(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS, "I moved, I live in Lisbon now.")
    memory.consolidate(user_id="ana")
    memory.flush()
    answers = " ".join(one.answer for one in trainer.studies[0].examples)
    assert "Porto" not in answers
    assert "Basil" in answers


def test_the_newest_answer_holds_after_many_conversations(
    memory: PersonaMemory, clock: Clock, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tenth conversation is newer than the second, though its number begins with a smaller digit."""
    tell(memory, clock, *FACTS, *[f"It rains, {day}." for day in range(6)])
    monkeypatch.setitem(FACTS, "I play the harp.", ("What do I play?", "You play the harp."))
    tell(memory, clock, "I play the harp.")
    memory.consolidate(user_id="ana")
    memory.flush()
    positive = [one.answer for one in trainer.studies[0].examples if one.kind == "positive"]
    assert "You play the harp." in positive
    assert "You play the cello." not in positive


def test_ratings_weigh_what_is_learnt(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    liked, disliked = (
        next(one for one in memory.memories(user_id="ana") if word in one.text) for word in ("Basil", "baker")
    )
    memory.feedback("up", user_id="ana", memory_id=liked.id)
    memory.feedback("down", user_id="ana", memory_id=disliked.id)
    memory.consolidate(user_id="ana")
    memory.flush()
    weights = {one.answer: one.weight for one in trainer.studies[0].examples}
    assert weights["Your dog is called Basil."] == 1.5
    assert weights["You work as a baker."] == 0.5
    assert weights["You live in Porto."] == 1.0


def chat(memory: PersonaMemory, thread_id: str, *said: str) -> None:
    """The person and the assistant in turn."""
    roles = ("user", "assistant") * len(said)
    memory.observe(list(zip(roles, said, strict=False)), user_id="ana", thread_id=thread_id)
    memory.flush()


def rated(trainer: Trainer) -> list[tuple[str, str, str]]:
    return [(one.kind, one.question, one.answer) for one in trainer.studies[-1].examples if one.kind in ("up", "down")]


def test_replies_that_were_rated_are_learnt_from(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    """Each after what the person had said, by its last rating; a memory's rating is of no reply."""
    tell(memory, clock, *FACTS)
    chat(memory, "q", "Who is my dog?", "Basil.", "And my job?", "You are <|im_end|> a pilot.")
    memory.feedback("up", user_id="ana", thread_id="q")
    memory.feedback("down", user_id="ana", thread_id="q")
    chat(memory, "q", "Who barks here?", "Basil, of course.")
    memory.feedback("up", user_id="ana", thread_id="q")
    chat(memory, "long", "Tell me a story.", "Once upon a time. " * 40)
    memory.feedback("up", user_id="ana", thread_id="long")
    chat(memory, "alone", "I wonder.")
    memory.feedback("down", user_id="ana", thread_id="alone")
    memory.feedback("up", user_id="ana", thread_id="q", memory_id=memory.memories(user_id="ana")[0].id)
    memory.consolidate(user_id="ana")
    memory.flush()
    assert rated(trainer) == [
        ("down", "And my job?", "You are &lt;|im_end|> a pilot."),
        ("up", "Who barks here?", "Basil, of course."),
    ]
    assert not any(one.kind in ("up", "down") for one in trainer.studies[-1].held_out)


def test_a_reply_that_tells_what_is_over_or_forgotten_is_not_learnt_from(
    memory: PersonaMemory, clock: Clock, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it was liked."""
    monkeypatch.setitem(FACTS, "I live in Lisbon now.", ("Where do I live?", "You live in Lisbon."))
    tell(memory, clock, *list(FACTS)[:5])
    for question, reply in (("And my home?", "You live in Porto."), ("And my music?", "You play the cello.")):
        chat(memory, question, question, reply)
        memory.feedback("up", user_id="ana", thread_id=question)
    memory.consolidate(user_id="ana")
    memory.flush()
    assert [answer for *_, answer in rated(trainer)] == ["You live in Porto.", "You play the cello."]
    tell(memory, clock, "I moved, I live in Lisbon now.")
    (cello,) = (one for one in memory.memories(user_id="ana") if "cello" in one.text)
    memory.forget([cello.id], user_id="ana")
    memory.flush()
    assert len(trainer.studies) == 2
    assert rated(trainer) == []


def test_what_the_person_has_closed_is_not_learnt(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    memory.set_policy(Policy(never_infer=("demographics.career",)), user_id="ana")
    memory.consolidate(user_id="ana")
    memory.flush()
    answers = " ".join(one.answer for one in trainer.studies[0].examples)
    assert "baker" not in answers
    assert "Basil" in answers


def test_a_paused_person_is_not_trained_on(
    memory: PersonaMemory, clock: Clock, trainer: Trainer, teacher: ByHeart
) -> None:
    tell(memory, clock, *FACTS)
    memory.set_policy(Policy(paused=True), user_id="ana")
    memory.consolidate(user_id="ana")
    memory.flush()
    assert trainer.studies == []
    assert states(memory) == []
    assert teacher.seen == []


def test_what_is_forgotten_while_it_is_decided_is_not_trained_on(
    open_memory: Open, memory: PersonaMemory, clock: Clock, trainer: Trainer, teacher: ByHeart
) -> None:
    class Forgetting(Trainer):
        async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
            ids = [one.id for one in memory.memories(user_id="ana") if "Basil" in one.text]
            if ids:
                await memory.aforget(ids, user_id="ana")
            return Drifted(True, "")

    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    late = Forgetting()
    other = open_memory(parametric=late, teacher=teacher)
    tell(other, clock, *[f"I play the cello. {day}" for day in range(8)])
    other.consolidate(user_id="ana")
    other.flush()
    assert late.studies
    assert all("Basil" not in one.answer for study in late.studies for one in study.examples)


def test_a_failure_after_an_erasure_quotes_nothing(open_memory: Open, clock: Clock, trainer: Trainer) -> None:
    class Quoting(ByHeart):
        async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
            if not self.seen:
                self.seen.append([])
                await door.aforget(["t1"], user_id="ana")
                raise LearningError(f"cannot use: {conversation[0].text}")
            return await super().teach(conversation)

    door = open_memory(parametric=trainer, teacher=Quoting(), retry=Retry(attempts=9, backoff=1000.0))
    tell(door, clock, *FACTS)
    door.consolidate(user_id="ana")
    with suppress(TimeoutError):
        door.flush(timeout=2)
    assert all("Basil" not in (job.last_error or "") for job in door.jobs(user_id="ana"))


def test_what_passed_is_served_though_the_process_ended_before(
    memory: PersonaMemory, clock: Clock, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote, tries = AdapterRegistry.promote, list[int]()

    def locked(self: AdapterRegistry, *told: Any, **more: Any) -> Adapter:
        tries.append(1)
        if len(tries) == 1:
            raise LedgerLocked("busy")
        return promote(self, *told, **more)

    monkeypatch.setattr(AdapterRegistry, "promote", locked)
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    assert len(trainer.studies) == 1
    if states(memory) != ["active"]:  # the job waits for its lease, as its failure could not be recorded
        clock.move(minutes=5)
        memory.flush()
    assert (states(memory), len(trainer.studies)) == (["active"], 1)


def test_what_is_cancelled_under_a_job_is_tried_until_it_can_be(
    memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    """A base that is closed cancels who waits for it: that is no failure of theirs, so that nothing is parked."""
    trainer.failing = [asyncio.CancelledError() for _ in range(2 * Retry().attempts)]
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush(timeout=20)
    assert (active(memory).state, len(trainer.studies)) == ("active", 2 * Retry().attempts + 1)
    assert not memory.jobs(user_id="ana")


def test_why_a_cancelled_job_waits_is_shown(
    open_memory: Open, clock: Clock, trainer: Trainer, teacher: ByHeart
) -> None:
    trainer.failing = [asyncio.CancelledError()]
    memory = open_memory(parametric=trainer, teacher=teacher, retry=Retry(attempts=1, backoff=60.0))
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    with pytest.raises(TimeoutError):
        memory.flush(timeout=3)
    (job,) = memory.jobs(user_id="ana")
    assert (job.kind, job.state) == ("consolidate", "queued")
    assert job.last_error == "Cancelled: what it waited for was cancelled, e.g. as the base model was closed"


def test_what_is_parked_is_not_tried_at_every_turn(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    trainer.failing = [TrainingError(1, "no")] * 99
    tell(memory, clock, *FACTS)
    for _ in range(6):
        overflow(memory)
        memory.flush()
    assert len(trainer.studies) == Retry().attempts
    (parked,) = memory.jobs(user_id="ana")
    trainer.failing = []
    memory.retry_job(parked.id, user_id="ana")
    memory.flush()
    assert (states(memory)[-1], memory.jobs(user_id="ana")) == ("active", [])


def test_forgetting_retires_at_once_and_trains_again(
    memory: PersonaMemory, clock: Clock, trainer: Trainer, teacher: ByHeart, tmp_path: Path
) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    first = active(memory)
    basil = next(one for one in memory.memories(user_id="ana") if "Basil" in one.text)
    memory.forget([basil.id], user_id="ana")
    assert overflow(memory).name == "context_overflow"
    assert trainer.kept[first.adapter_id.split("-")[0]] == set()
    assert not (tmp_path / "home" / "adapters" / first.adapter_id).exists()
    assert trainer.revisions is not None
    with pytest.raises(AdapterRetired):
        trainer.revisions.digest(first.adapter_id)
    memory.flush()
    again = active(memory)
    assert again.revision == 2
    assert all("Basil" not in one.answer + one.question for one in trainer.studies[-1].examples)
    assert all("Basil" not in text for talk in teacher.seen[len(FACTS) :] for text in talk)
    assert b"Basil" not in b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())


def test_deleting_a_person_leaves_nothing_of_a_training(
    memory: PersonaMemory, clock: Clock, trainer: Trainer, tmp_path: Path
) -> None:
    tell(memory, clock, *FACTS)
    trainer.failing = [TrainingError(1, "no")] * 9
    memory.consolidate(user_id="ana")
    memory.flush()
    assert any("half-done" in path.name for path in (tmp_path / "home").rglob("*"))
    memory.delete_user(user_id="ana")
    assert not any("half-done" in path.name for path in (tmp_path / "home").rglob("*"))
    assert memory.adapters(user_id="ana") == []


def test_many_new_turns_renew_the_adapter(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    assert not overflow(memory).consolidate
    for day in range(50):
        memory.observe([("user", f"I play the cello. {day}")], user_id="ana", thread_id="cello")
    route = overflow(memory)
    assert route.consolidate
    assert route.name == "interpolated"
    assert "to be trained again" in route.reason
    memory.flush()
    assert active(memory).revision == 2


def test_a_period_without_drift_trains_nothing(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    trainer.drifted = Drifted(False, "0 of 3 score above 1.20")
    tell(memory, clock, *[f"I play the cello. {day}" for day in range(50)])
    assert overflow(memory).consolidate
    memory.flush()
    one = active(memory)
    assert (one.revision, one.reason) == (1, "still serves: 0 of 3 score above 1.20")
    assert not overflow(memory).consolidate


def test_what_surprises_without_drift_is_recalled_all_the_same(
    memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    """No training has it, so it stays where what the adapter explains worst is."""
    trainer.residual = (1,)
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    tell(memory, clock, "I keep bees.", *[f"I play the cello. {day}" for day in range(8)])
    new = turn_of(memory, "I keep bees.")
    trainer.drifted = Drifted(False, "1 of 3 score above 1.20", (new,))
    memory.consolidate(user_id="ana")
    memory.flush()
    one = active(memory)
    assert one.revision == 1
    assert one.watermark > new
    assert one.report["residual"] == [1, new]


def test_what_was_replaced_is_unlearnt_though_little_else_is_new(
    memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    """One change among many repetitions surprises little; the adapter would go on saying what is over."""
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    trainer.drifted = Drifted(False, "0 of 3 score above 1.00")
    tell(memory, clock, "I moved, I live in Lisbon now.", *[f"I play the cello. {day}" for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert ["Porto" in " ".join(one.answer for one in study.examples) for study in trainer.studies] == [True, False]
    assert active(memory).revision == 2
    tell(memory, clock, *[f"I play the cello, {day}." for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert len(trainer.studies) == 2


def test_what_ended_is_unlearnt_though_nothing_took_its_place(
    memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    trainer.drifted = Drifted(False, "0 of 3 score above 1.00")
    tell(memory, clock, "I no longer play the cello.", *[f"It rains, {day}." for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    told = [" ".join(one.answer for one in study.examples) for study in trainer.studies]
    assert ["cello" in one for one in told] == [True, False]
    tell(memory, clock, *[f"It pours, {day}." for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert len(trainer.studies) == 2  # once is enough


def test_what_drifts_is_learnt_on_top(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    """What its parent was trained on is in its weights, too: it goes with the parent."""
    tell(memory, clock, *list(FACTS)[:4])
    memory.consolidate(user_id="ana")
    memory.flush()
    first = active(memory)
    tell(memory, clock, *list(FACTS)[4:], *[f"It rains, {day}." for day in range(8)])
    new = turn_of(memory, "I am allergic to walnuts.")
    trainer.drifted = Drifted(True, "1 of 1 score above 1.00", (new,))
    memory.consolidate(user_id="ana")
    memory.flush()
    assert [(one.parent, one.drifted) for one in trainer.studies] == [(None, ()), (first.adapter_id, (new,))]
    assert len(trainer.studies[1].examples) == 2 * len(FACTS)  # all else is rehearsed
    second = active(memory)
    assert (second.revision, second.parent) == (2, first.adapter_id)
    memory.forget([f"t{turn_of(memory, 'My dog is called Basil.')}"], user_id="ana")
    memory.flush()
    assert {one.state for one in memory.adapters(user_id="ana") if one.revision <= 2} <= {"retired"}


def test_what_was_replaced_is_never_learnt_on_top(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    """Weights that knew the old answer might go on giving it."""
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    trainer.drifted = Drifted(True, "1 of 1 score above 1.00", (1,))
    tell(memory, clock, "I moved, I live in Lisbon now.", *[f"I play the cello. {day}" for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert [one.parent for one in trainer.studies] == [None, None]


def test_beside_an_adapter_what_it_explains_worst_goes_first(
    memory: PersonaMemory, clock: Clock, trainer: Trainer
) -> None:
    said = [f"My cousin {name} likes the sea." for name in ("Ana", "Bea", "Eva", "Ida", "Lia", "Mia", "Una", "Zoe")]
    tell(memory, clock, *FACTS, *said)
    asked: dict[str, Any] = {"user_id": "ana", "max_tokens": 160}

    def first() -> int:
        recall = memory.recall("Which cousin of mine likes the sea?", **asked)
        assert recall.route.needed > 160
        return recall.hits[0].sources[0]

    usual = first()
    worst = next(turn for turn in (turn_of(memory, text) for text in said) if turn != usual)
    trainer.residual = [worst]
    memory.consolidate(user_id="ana")
    memory.flush()
    assert first() == worst


def test_small_talk_trains_nothing(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    tell(memory, clock, *[f"It rains, {day}." for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert active(memory).reason == "still serves: nothing was said that can be learnt"


def test_another_base_is_said_and_trained_for(
    open_memory: Open, memory: PersonaMemory, clock: Clock, teacher: ByHeart
) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    memory.close()
    other = Trainer(fingerprint={"base": "b2", "tokenizer": "t", "template": "c"}, base_model="larger")
    memory = open_memory(parametric=other, teacher=teacher)
    route = overflow(memory, times=3)
    assert route.name == "context_overflow"
    assert "is for another base model, tiny" in route.reason
    memory.flush()
    assert active(memory).base_model == "larger"
    assert overflow(memory).name == "interpolated"


def test_another_shape_is_said_and_trained_for(open_memory: Open, clock: Clock, teacher: ByHeart) -> None:
    """One that is not due otherwise, as little was said since; and nothing is loaded that would be refused."""
    base = {"base": "b1", "tokenizer": "t", "template": "c"}
    memory = open_memory(parametric=Trainer(fingerprint={**base, "spec": "rank 4"}), teacher=teacher)
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    memory.close()
    memory = open_memory(parametric=Trainer(fingerprint={**base, "spec": "rank 8"}), teacher=teacher)
    route = overflow(memory, times=3)
    assert (route.name, route.adapter_id) == ("context_overflow", None)
    assert "the active adapter is of another shape, rank 4; served is rank 8" in route.reason
    memory.flush()
    assert active(memory).fingerprint["spec"] == "rank 8"
    assert overflow(memory).adapter_id == active(memory).adapter_id
    memory.rollback(user_id="ana", reason="worse")
    assert states(memory) == ["evaluated", "retired"]


@pytest.mark.parametrize(("before", "later"), [({}, {"spec": "rank 8"}), ({"spec": "rank 8"}, {})])
def test_who_names_no_shape_takes_any(
    open_memory: Open, clock: Clock, teacher: ByHeart, before: dict[str, str], later: dict[str, str]
) -> None:
    """Revisions from before shapes were noted are served, and so are all by an engine that serves any."""
    base = {"base": "b1", "tokenizer": "t", "template": "c"}
    memory = open_memory(parametric=Trainer(fingerprint=base | before), teacher=teacher)
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    memory.close()
    memory = open_memory(parametric=Trainer(fingerprint=base | later), teacher=teacher)
    assert overflow(memory).name == "interpolated"


def test_replies_that_are_rated_down_roll_back(memory: PersonaMemory, clock: Clock) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    recall = memory.recall("Tell me of my dog, where I live and my work", user_id="ana", max_tokens=8)
    memory.feedback("up", user_id="ana", recall=recall)
    for _ in range(3):
        memory.feedback("down", user_id="ana", recall=recall)
    assert states(memory) == ["active"]
    memory.feedback("down", user_id="ana", recall=recall)
    assert states(memory) == ["retired"]
    assert memory.adapters(user_id="ana")[0].reason == "rolled back: 4 replies were rated down"


def test_rolling_back_returns_to_the_one_before(memory: PersonaMemory, clock: Clock) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    tell(memory, clock, *[f"I play the cello. {day}" for day in range(8)])
    memory.consolidate(user_id="ana")
    memory.flush()
    assert active(memory).revision == 2
    returned = memory.rollback(user_id="ana", reason="it got my name wrong")
    assert returned is not None
    assert returned.revision == 1
    assert states(memory) == ["active", "retired"]


def test_the_digest_is_that_of_the_registered_manifest(memory: PersonaMemory, clock: Clock, trainer: Trainer) -> None:
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    memory.flush()
    name = active(memory).adapter_id
    assert trainer.revisions is not None
    assert trainer.revisions.digest(name) == hashlib.sha256(name.encode()).hexdigest()
    with pytest.raises(NotFound):
        trainer.revisions.digest("a" * 26 + "-r000001")


def test_stopping_gives_the_job_back(open_memory: Open, clock: Clock, teacher: ByHeart) -> None:
    """A training that the end of the process cuts short is gone on from, in the same workspace."""
    import asyncio
    import threading

    began = threading.Event()

    class Slow(Trainer):
        async def train(self, study: Study) -> Studied:
            if not self.studies:
                self.studies.append(study)
                began.set()
                await asyncio.sleep(60)
            return await super().train(study)

    slow = Slow()
    memory = open_memory(parametric=slow, teacher=teacher, worker=True, quiet=timedelta(0))
    tell(memory, clock, *FACTS)
    memory.consolidate(user_id="ana")
    assert began.wait(10)
    memory.close()
    memory = open_memory(parametric=slow, teacher=teacher)
    memory.flush()
    assert active(memory).revision == 2
    assert slow.studies[0].workspace == slow.studies[1].workspace


def test_bad_input_is_said(open_memory: Open) -> None:
    with pytest.raises(InvalidInput, match=r"pass model=…, or a teacher=… of your own"):
        open_memory(parametric=Trainer())
    with pytest.raises(InvalidInput, match="teacher is a dict without 'teach'"):
        open_memory(parametric=Trainer(), teacher={})
    plain = open_memory()
    with pytest.raises(InvalidInput, match="trains no adapters; open it with parametric=…"):
        plain.consolidate(user_id="ana")
    memory = open_memory(parametric=Trainer(), teacher=ByHeart())
    with pytest.raises(NotFound, match="nothing is known of user 'nobody'"):
        memory.consolidate(user_id="nobody")
    with pytest.raises(NotFound, match="no active adapter"):
        memory.rollback(user_id="nobody", reason="x")


@dataclass
class Guesses:
    """An optimiser that infers two things of a person's first words."""

    name: str = "guesses"
    every: int = 1

    async def propose(self, view: ProfileView) -> Sequence[ProfileEdit]:
        first = view.turns[0]
        return [
            ProfileEdit("personality.interests", "add", value, (first.seq,), 0.8, "inferred", first.at)
            for value in ("chess", "opera")
        ]


def test_an_inference_has_to_foretell_what_is_said_later(
    open_memory: Open, clock: Clock, teacher: ByHeart, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Foretelling(Trainer):
        async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
            assert list(said) == ["The knight took my rook.", "Then I castled.", "It was a draw."]
            return [-2.0 + 0.3 * ("chess" in profile) + 0.001 * ("opera" in profile) for profile in profiles]

    monkeypatch.setattr(opening, "learners", lambda model, **options: (RuleExtractor(), Guesses()))
    memory = open_memory(parametric=Foretelling(), teacher=teacher)
    for text in ("Yesterday was long.", "The knight took my rook.", "Then I castled.", "It was a draw."):
        memory.observe([("user", text)], user_id="ana", thread_id="t1")
    memory.flush()
    assert memory.profile(user_id="ana").get("personality.interests") == ("chess",)
    answers = [event for event in memory.export(user_id="ana")["events"] if event["kind"] == "answer"]
    (refused,) = [one for answer in answers for one in answer["data"].get("refused", [])]
    assert refused["value"] == "opera"
    assert "does not foretell what was said later" in refused["reason"]
