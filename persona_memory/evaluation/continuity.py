"""What memory does for conversations, end to end: chit-chat over ten sessions, students of programming and of maths.

    persona-memory eval continuity [--model provider:name]

Real components: `persona_graph` around the offline model or around --model, which then learns, too. Compared with the
model alone, and with the model that is shown the last session.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from persona_memory.evaluation.calls import uncached
from persona_memory.evaluation.people.asking import holds
from persona_memory.evaluation.people.compare import alike, token_f1
from persona_memory.evaluation.people.learning import Clock, items_of
from persona_memory.evaluation.people.oracle import oracle
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table
from persona_memory.evaluation.scenes import Line, Scene, chitchat, student
from persona_memory.evaluation.scenes.systems import Heard, LastSession, NoMemory, Ours, Recorder, System
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean, median
from persona_memory.knowledge import canonical
from persona_memory.memory import PersonaMemory
from persona_memory.profile import default_schema
from persona_memory.retrieval import tokens

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

CHATS, STUDENTS = 8, 3
QUICK_CHATS, QUICK_STUDENTS = 2, 1
QUICK_PART = f"first {QUICK_CHATS} chats, first student of each subject"
ASKED_ALIKE = 0.6
"""Token F1 from which a model's sentence counts as the question that it was offered."""
DISTANCES = ((1, 1), (2, 3), (4, 9))
NONE, LAST, OURS, ORACLE = "no memory", "the last session", "ours", "ours, learning by an oracle"
SYSTEMS: Mapping[str, RowKind] = {NONE: "baseline", LAST: "baseline", OURS: "ours", ORACLE: "bound"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: tokens and time, and for a question whether what it needs was in the prompt.

    Attributes:
        distance: sessions since the newest of it was told; 0 where nothing is needed.
        changed: whether an old value must not be there as what is so now.
        met: whether all that is true was in the prompt, and nothing old as current.
    """

    tokens: int
    milliseconds: float
    distance: int = 0
    changed: bool = False
    met: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """One scene with one system.

    Attributes:
        gaps: for each course, whether its topic showed as a gap or as being learnt when it should.
        closed: for each course, whether its topic showed as familiar when it was mastered.
        offered, asked, filled: questions that the prompt offered, that the model asked and the person answered, and
            whose answer then stood in the profile.
    """

    scene: str
    kind: str
    turns: tuple[Turn, ...]
    gaps: tuple[bool, ...] = ()
    closed: tuple[bool, ...] = ()
    offered: int = 0
    asked: int = 0
    filled: int = 0


def run(settings: Settings) -> Report:
    """Facts used when they matter, adaptation after a change, gaps closed, tokens and milliseconds a turn."""
    scenes = scenes_of(settings)
    played: dict[str, list[Played]] = {name: [] for name in SYSTEMS}
    for scene in settings.watch.track(scenes, "scenes", total=len(scenes)):
        for name in SYSTEMS:
            compute = partial(play, settings, scene, name)
            played[name].append(played_from(settings.checkpoint.get(f"{name} {scene.user_id}", compute)))
    tables = (_overall(played, settings.seed), _by_distance(played, settings.seed), _students(played, settings.seed))
    return Report("continuity", "Continuity over ten sessions", tables, _notes(scenes, settings))


def scenes_of(settings: Settings) -> list[Scene]:
    """The scenes of this run."""
    chats, students = (QUICK_CHATS, QUICK_STUDENTS) if settings.quick else (CHATS, STUDENTS)
    return [
        *chitchat(chats, seed=settings.seed),
        *student(students, "programming", seed=settings.seed),
        *student(students, "maths", seed=settings.seed),
    ]


# ── playing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def play(settings: Settings, scene: Scene, name: str) -> dict[str, Any]:
    """The scene with one of the systems, as `Played` in JSON values."""
    recorder = Recorder(settings.model)
    if name in (NONE, LAST):
        return asdict(_conversations(scene, NoMemory(recorder) if name == NONE else LastSession(recorder)))
    learner = oracle(scene.labels, scene.topics) if name == ORACLE else settings.model
    with _memory(settings, scene, learner) as (memory, clock):
        statuses: dict[int, dict[str, str]] = {}

        def keep(session: int) -> None:
            found = memory.knowledge(user_id=scene.user_id, now=clock.now).topics
            statuses[session] = {other: one.status for one in found for other in (one.name, *one.aliases)}

        played = _conversations(
            scene, Ours(recorder, memory, clock, scene), after=keep, filled=partial(_filled, memory)
        )
    course = partial(_status, statuses)
    gaps = tuple(course(one.topic, one.gap_by) in ("gap", "learning") for one in scene.courses)
    closed = tuple(course(one.topic, one.familiar_by) == "familiar" for one in scene.courses)
    return asdict(replace(played, gaps=gaps, closed=closed))


@contextmanager
def _memory(settings: Settings, scene: Scene, learner: BaseChatModel | None) -> Iterator[tuple[PersonaMemory, Clock]]:
    clock = Clock(scene.conversations[0].at)
    with (
        tempfile.TemporaryDirectory() as home,
        PersonaMemory.open(
            home, model=uncached(learner), optimize_every=1, embeddings=settings.embedder, clock=clock,
            quiet=timedelta(0), learn_after=10_000, worker=False,
        ) as memory,
    ):  # fmt: skip
        yield memory, clock


def _conversations(
    scene: Scene,
    system: System,
    *,
    after: Callable[[int], None] = lambda session: None,
    filled: Callable[[Scene, str], bool] = lambda scene, field: False,
) -> Played:
    """All sessions; a question that the model asks is answered before the person goes on."""
    turns, offered, fields = list[Turn](), 0, list[str]()
    for conversation in scene.conversations:
        thread: list[BaseMessage] = []
        lines = list(conversation.lines)
        while lines:
            line = lines.pop(0)
            thread.append(HumanMessage(line.text, id=f"{scene.user_id}-{conversation.number}-{len(thread)}"))
            heard = system.say(thread, conversation)
            thread.append(AIMessage(heard.reply))
            turns.append(_turn(line, heard, conversation.number))
            offered += heard.offered is not None
            field = _asked_for(heard)
            if field is not None and field in scene.answers:
                fields.append(field)
                lines.insert(0, Line(scene.answers[field].said))
        system.close(thread)
        after(conversation.number)
    held = sum(filled(scene, field) for field in fields)
    return Played(scene.user_id, scene.kind, tuple(turns), offered=offered, asked=len(fields), filled=held)


def _turn(line: Line, heard: Heard, session: int) -> Turn:
    turn = Turn(heard.tokens, heard.milliseconds)
    if line.need is None:
        return turn
    met = holds(heard.known, line.need.true, line.need.old)
    return replace(turn, distance=session - line.need.told, changed=bool(line.need.old), met=met)


def _asked_for(heard: Heard) -> str | None:
    """The field that the reply asks for, where it takes up the question that the prompt offered."""
    if heard.offered is None:
        return None
    asked = tokens(heard.offered)
    sentences = heard.reply.replace("!", ".").replace("?", "?.").split(".")
    alike_ones = (one for one in sentences if "?" in one and token_f1(tokens(one), asked) >= ASKED_ALIKE)
    return _field_of(heard.offered) if next(alike_ones, None) or heard.offered in heard.reply else None


def _field_of(question: str) -> str | None:
    return next((spec.path for spec in default_schema().fields if spec.question == question), None)


def _filled(memory: PersonaMemory, scene: Scene, field: str) -> bool:
    """Whether the profile holds what the person answered."""
    held = items_of(memory.profile(user_id=scene.user_id)).get(field, ())
    return any(alike(item, scene.answers[field].value, field=field) for item in held)


def _status(statuses: Mapping[int, Mapping[str, str]], topic: str, session: int) -> str | None:
    known = statuses[session]
    return known.get(canonical(topic, list(known)))


def played_from(kept: Mapping[str, Any]) -> Played:
    """The inverse of what `play` gives."""
    turns = tuple(Turn(**turn) for turn in kept["turns"])
    return Played(**{**kept, "turns": turns, "gaps": tuple(kept["gaps"]), "closed": tuple(kept["closed"])})


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _overall(played: Mapping[str, Sequence[Played]], seed: int) -> Table:
    rows = []
    for name, all_ in played.items():
        for kind in dict.fromkeys(one.kind for one in all_):
            rows.append(Row(f"{name}: {kind}", _scores([one for one in all_ if one.kind == kind], seed), SYSTEMS[name]))
    columns = ("facts used", "after a change", "tokens a turn", "ms a turn")
    return Table("What the model knew when it mattered", columns, tuple(rows), plot="facts used")


def _scores(all_: Sequence[Played], seed: int) -> dict[str, Score | str]:
    turns = [(turn, one.scene) for one in all_ for turn in one.turns]
    asked = [(turn, scene) for turn, scene in turns if turn.distance]
    changed = [(turn, scene) for turn, scene in asked if turn.changed]
    cells: dict[str, Score | str] = {
        "facts used": mean([turn.met for turn, _ in asked], [scene for _, scene in asked], seed=seed),
        "tokens a turn": mean([turn.tokens for turn, _ in turns], [scene for _, scene in turns], seed=seed),
        "ms a turn": median([turn.milliseconds for turn, _ in turns], [scene for _, scene in turns], seed=seed),
    }
    if changed:
        of = [scene for _, scene in changed]
        cells["after a change"] = mean([turn.met for turn, _ in changed], of, seed=seed)
    return cells


def _by_distance(played: Mapping[str, Sequence[Played]], seed: int) -> Table:
    rows = []
    for low, high in DISTANCES:
        cells: dict[str, Score | str] = {}
        for name, all_ in played.items():
            some = [(t.met, one.scene) for one in all_ for t in one.turns if low <= t.distance <= high]
            cells[name] = mean([met for met, _ in some], [scene for _, scene in some], seed=seed)
        count = sum(low <= turn.distance <= high for one in played[OURS] for turn in one.turns)
        sessions = f"{low} session" if low == high == 1 else f"{low} to {high} sessions"
        rows.append(Row(f"{sessions} ago ({count} questions)", cells))
    return Table("Facts used, by when they were told", tuple(played), tuple(rows))


def _students(played: Mapping[str, Sequence[Played]], seed: int) -> Table:
    rows = []
    for name in (OURS, ORACLE):
        for kind in dict.fromkeys(one.kind for one in played[name]):
            some = [one for one in played[name] if one.kind == kind]
            rows.append(Row(f"{name}: {kind}", _gaps(some, seed), SYSTEMS[name]))
    columns = ("gap seen", "gap closed", "questions offered", "answered", "in the profile")
    return Table("Gaps of the person, and gaps about the person", columns, tuple(rows))


def _gaps(some: Sequence[Played], seed: int) -> dict[str, Score | str]:
    counts = {"questions offered": "offered", "answered": "asked", "in the profile": "filled"}
    cells: dict[str, Score | str] = {shown: str(sum(getattr(one, of) for one in some)) for shown, of in counts.items()}
    scenes = [one.scene for one in some for _ in one.gaps]
    if scenes:
        cells["gap seen"] = mean([seen for one in some for seen in one.gaps], scenes, seed=seed)
        cells["gap closed"] = mean([done for one in some for done in one.closed], scenes, seed=seed)
    return cells


def _notes(scenes: Sequence[Scene], settings: Settings) -> tuple[str, ...]:
    answered = "the offline model, which here takes up every offered question" if settings.model is None else "--model"
    return (
        f"{len(scenes)} scenes of {len(scenes[0].conversations)} sessions, one thread each; intervals are bootstrapped "
        f"over scenes. Replies by {answered}; what is learnt by {'rules' if settings.model is None else '--model'}.",
        "Facts used: all that the question needs stands in the model's prompt, and no old value as what is so now. "
        "After a change: the same, only where something had changed. Half of the facts were told by the way.",
        "Tokens a turn: what is put into the prompt beyond the thread's own messages. Milliseconds a turn: the median "
        "of the turn without the model's own time; embedding and durable writes are included.",
        "The oracle is a scripted model that knows what every line means and learns through the library's own "
        "prompts: what an LLM that understood everything would make of it.",
        "Gap seen: the topic is shown as gap or learning after the session in which the student was lost; gap closed: "
        "as familiar after the session in which they say and show that they know it.",
    )
