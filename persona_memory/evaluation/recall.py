"""Recall of evidence as tables: every system's, by category, on both halves of a split, and within the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

from persona_memory.evaluation.rankings import Conversation, Found, Question, Results, prepare
from persona_memory.evaluation.report import Row, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean
from persona_memory.evaluation.systems import LEARNED, PLAIN, System, answers
from persona_memory.memory import DEFAULT_BUDGET

DEPTHS = (5, 10, 25, 50)
HALVES = (10, 25)
"""Depths that are also shown for the development half and for the held-out half."""

QUICK = (2, 12)
"""Conversations, and questions of each, in a quick run."""
QUICK_PART = f"first {QUICK[0]} conversations, first {QUICK[1]} questions of each"

THROUGH_THE_PRODUCT = (
    f"{LEARNED}: a memory observes the conversation, learns it by its rules and answers by `recall`; the turns behind "
    "its hits are counted, as far as recall holds them worth telling, and 'tokens' have the profile in them. The other "
    "rows rank the turns alone."
)
"""A note that reports of recall have in common."""

Evidence = Callable[[Question], frozenset[int]]
Asked = tuple[Conversation, Question, Found]


def raw(question: Question) -> frozenset[int]:
    """The evidence as the data set has it."""
    return question.evidence


def corrected(question: Question) -> frozenset[int]:
    """The evidence as audited."""
    return question.evidence if question.corrected is None else question.corrected


def small(conversations: Sequence[Conversation], settings: Settings) -> Sequence[Conversation]:
    """All of it, or the small part that a quick run looks at."""
    if not settings.quick:
        return conversations
    few, questions = QUICK
    return [
        Conversation(one.name, one.turns, one.questions[:questions], one.now, one.development)
        for one in conversations[:few]
    ]


def results(conversations: Sequence[Conversation], compared: Sequence[System], settings: Settings) -> Results:
    """What each system finds for each question; conversations that an interrupted run has done are not done again."""
    found: dict[str, Mapping[str, Sequence[Found]]] = {}
    for one in settings.watch.track(conversations, "conversations", total=len(conversations)):
        if not one.questions:
            found[one.name] = {system.name: [] for system in compared}
            continue
        kept = settings.checkpoint.get(one.name, lambda one=one: _measured(one, compared, settings))  # type: ignore[misc]
        found[one.name] = {name: [_from_json(item) for item in items] for name, items in kept.items()}
    return found


def overall(
    title: str,
    conversations: Sequence[Conversation],
    found: Results,
    compared: Sequence[System],
    *,
    evidence: Evidence = raw,
    seed: int = 0,
) -> Table:
    """Every system's mean recall by depth."""
    columns = tuple(f"@{depth}" for depth in DEPTHS)
    rows = []
    for system in compared:
        asked = list(_asked(conversations, found, system.name, evidence))
        cells = {f"@{depth}": _recall(asked, depth, evidence, seed) for depth in DEPTHS}
        rows.append(Row(system.name, cells, system.kind))
    return Table(title, columns, tuple(rows), plot="@10")


def halves(
    conversations: Sequence[Conversation], found: Results, compared: Sequence[System], *, seed: int = 0
) -> Table:
    """Every system on both halves of the split."""
    parts = {"dev.": True, "held out": False}
    rows = []
    for system in compared:
        asked = list(_asked(conversations, found, system.name, raw))
        cells: dict[str, Score | str] = {}
        for part, development in parts.items():
            half = [one for one in asked if one[0].development == development]
            cells |= {f"@{depth} {part}": _recall(half, depth, raw, seed) for depth in HALVES}
        rows.append(Row(system.name, cells, system.kind))
    columns = tuple(f"@{depth} {part}" for depth in HALVES for part in parts)
    return Table("development half and held-out half", columns, tuple(rows))


def costs(conversations: Sequence[Conversation], found: Results, compared: Sequence[System], *, seed: int = 0) -> Table:
    """The share of the evidence that every system puts into a prompt under the budget, and the tokens that it takes."""
    rows = []
    for system in compared:
        asked = list(_asked(conversations, found, system.name, raw))
        clusters = [one.name for one, _, _ in asked]
        shares = [len(raw(question) & set(answer.injected)) / len(raw(question)) for _, question, answer in asked]
        cells: dict[str, Score | str] = {
            "in budget": mean(shares, clusters, seed=seed),
            "tokens": mean([answer.tokens for *_, answer in asked], clusters, seed=seed),
        }
        rows.append(Row(system.name, cells, system.kind))
    return Table(f"under a budget of {DEFAULT_BUDGET} tokens a question", ("in budget", "tokens"), tuple(rows))


def by_category(
    conversations: Sequence[Conversation],
    found: Results,
    *,
    plain: Sequence[str] = PLAIN,
    evidence: Evidence = raw,
    seed: int = 0,
) -> Table:
    """Ours by category and depth, with how the plain systems do at 10."""
    ours = list(_asked(conversations, found, "ours", evidence))
    rows = []
    for category in sorted({question.category for _, question, _ in ours}):
        part = [one for one in ours if one[1].category == category]
        cells: dict[str, Score | str] = {"questions": f"{len(part)}"}
        cells |= {f"@{depth}": _recall(part, depth, evidence, seed) for depth in DEPTHS}
        for name in plain:
            theirs = [one for one in _asked(conversations, found, name, evidence) if one[1].category == category]
            cells[f"{name} @10"] = Score(_recall(theirs, 10, evidence, seed).value)
        rows.append(Row(category, cells))
    columns = ("questions", *(f"@{depth}" for depth in DEPTHS), *(f"{name} @10" for name in plain))
    return Table("ours, by category", columns, tuple(rows))


def _measured(one: Conversation, compared: Sequence[System], settings: Settings) -> dict[str, list[dict[str, object]]]:
    prepared = prepare(one, settings)
    return {system.name: [asdict(found) for found in answers(system, prepared)] for system in compared}


def _from_json(item: Mapping[str, object]) -> Found:
    """The inverse of `asdict` and JSON, which has no tuples."""
    return Found(**{name: tuple(value) if isinstance(value, list) else value for name, value in item.items()})  # type: ignore[arg-type]


def _asked(conversations: Sequence[Conversation], found: Results, system: str, evidence: Evidence) -> Iterator[Asked]:
    """Each question that has evidence, with what the system found."""
    for one in conversations:
        for question, answer in zip(one.questions, found[one.name][system], strict=True):
            if evidence(question):
                yield one, question, answer


def _recall(asked: Sequence[Asked], depth: int, evidence: Evidence, seed: int) -> Score:
    shares = [answer.recall(evidence(question), depth) for _, question, answer in asked]
    return mean(shares, [one.name for one, _, _ in asked], seed=seed)
