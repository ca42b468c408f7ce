"""PersonaMem: which of four replies fits the person, asked at a place in a long history with an assistant.

    persona-memory eval personamem --data FOLDER --model provider:name
    persona-memory eval personamem --data FOLDER --local FOLDER_OF_A_CAUSAL_LM

Every history is cut where the question is asked (`end_index_in_shared_context`). A chat model writes a letter; a local
model's likeliest reply counts, and no letter is in its prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from persona_memory.evaluation.datasets.personamem import Message, Question, read_personamem
from persona_memory.evaluation.histories import fresh_memory, newest_that_fit, with_recall
from persona_memory.evaluation.options import Chooser, Messages, chooser
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import difference, mean
from persona_memory.memory import PersonaMemory

Condition = Literal["none", "full", "ours"]
CONDITIONS: Mapping[Condition, tuple[str, RowKind]] = {
    "none": ("no memory", "baseline"),
    "full": ("full history, cut to the window", "baseline"),
    "ours": ("profile and recall", "ours"),
}
BUDGET = 800
"""Tokens of profile and recall: the library's default."""
ROOM = 1000
"""Tokens that are kept free for the question, its options and the answer."""
QUICK_HISTORIES, QUICK_QUESTIONS = 2, 4
USER = "person"


@dataclass(frozen=True, slots=True)
class Answered:
    """One question in one condition: whether the right option was chosen (None: no option was), and prompt tokens."""

    question: Question
    right: bool | None
    tokens: int


def run(settings: Settings) -> Report:
    """Option accuracy without memory, with the history in the prompt, and with ours; by question type and distance."""
    questions, contexts = read_personamem(settings.data)
    choosing = chooser(settings)
    by_context: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_context[question.context_id].append(question)
    asked = {name: sorted(some, key=lambda one: one.end) for name, some in by_context.items()}
    if settings.quick:
        asked = {name: some[:QUICK_QUESTIONS] for name, some in list(asked.items())[:QUICK_HISTORIES]}
    answers: dict[Condition, list[Answered]] = {condition: [] for condition in CONDITIONS}
    for name, some in settings.watch.track(asked.items(), "histories", total=len(asked)):
        for condition, answered in _history(settings, choosing, contexts[name], some):
            answers[condition].append(answered)
    tables = (
        _overall(answers, settings.seed),
        _by("Accuracy by question type", answers, lambda one: one.kind.replace("_", " "), settings.seed),
        _by("Accuracy by distance, in sessions", answers, lambda one: f"{one.distance}", settings.seed),
    )
    return Report("personamem", "PersonaMem: choosing the reply that fits", tables, _notes(settings, choosing, answers))


def _history(
    settings: Settings, choosing: Chooser, history: Sequence[Message], questions: Sequence[Question]
) -> Iterator[tuple[Condition, Answered]]:
    """One history's questions, in the order in which they are asked; ours hears the history up to each."""
    keys = {question.id: f"{choosing.name} ours {question.id}" for question in questions}
    known = all(key in settings.checkpoint for key in keys.values())
    opened = (
        nullcontext()
        if known
        else fresh_memory(model=settings.model, embedder=settings.embedder, reader=choosing.reader)
    )
    with opened as memory:
        told = 0
        for question in questions:
            if memory is not None:
                _tell(memory, history[told : question.end])
                told = max(told, question.end)
            for condition in CONDITIONS:
                compute = partial(_ask, choosing, condition, question, history[: question.end], memory)
                right, tokens = settings.checkpoint.get(f"{choosing.name} {condition} {question.id}", compute)
                yield condition, Answered(question, right, tokens)


def _tell(memory: PersonaMemory, messages: Iterable[Message]) -> None:
    """Make the messages durable and learn from them. System prompts are not conversation, and are left out."""
    new = [{"role": one.role, "content": one.text} for one in messages if one.role != "system"]
    if new:
        memory.observe(new, user_id=USER, thread_id="history", resent=False)
        memory.flush(user_id=USER)


def _ask(
    choosing: Chooser,
    condition: Condition,
    question: Question,
    history: Sequence[Message],
    memory: PersonaMemory | None,
) -> tuple[bool | None, int]:
    messages = _messages(choosing, condition, question, history, memory)
    chosen = choosing.choose(messages, question.options)
    size = sum(choosing.count(message["content"]) for message in messages)
    return (None if chosen is None else chosen == question.answer), size


def _messages(
    choosing: Chooser,
    condition: Condition,
    question: Question,
    history: Sequence[Message],
    memory: PersonaMemory | None,
) -> Messages:
    bare = [{"role": "user", "content": question.text}]
    if condition == "full":
        texts = [message.text for message in history]
        budget = choosing.window - ROOM - choosing.count(question.text)
        kept = newest_that_fit(texts, budget=budget, count=choosing.count)
        return [*_as_messages(history[len(history) - kept :]), *bare]
    if condition == "ours" and memory is not None:
        return with_recall(question.text, memory.recall(question.text, user_id=USER, max_tokens=BUDGET))
    return bare


def _as_messages(history: Sequence[Message]) -> Iterator[dict[str, str]]:
    """The history; its system prompts as one in front, since many providers take no other."""
    system = "\n\n".join(one.text for one in history if one.role == "system")
    if system:
        yield {"role": "system", "content": system}
    yield from ({"role": one.role, "content": one.text} for one in history if one.role != "system")


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _overall(answers: Mapping[Condition, Sequence[Answered]], seed: int) -> Table:
    rows = []
    for condition, (name, kind) in CONDITIONS.items():
        all_, of = answers[condition], [one.question.context_id for one in answers[condition]]
        cells: dict[str, Score | str] = {
            "accuracy": mean([bool(one.right) for one in all_], of, seed=seed),
            "tokens": mean([one.tokens for one in all_], of, seed=seed),
            "no option named": mean([one.right is None for one in all_], of, seed=seed),
        }
        if condition != "none":
            base = [bool(one.right) for one in answers["none"]]
            cells["more than without"] = difference([bool(one.right) for one in all_], base, of, seed=seed)
        rows.append(Row(name, cells, kind))
    columns = ("accuracy", "more than without", "tokens", "no option named")
    return Table(f"{len(answers['none'])} questions", columns, tuple(rows), plot="accuracy")


def _by(title: str, answers: Mapping[Condition, Sequence[Answered]], group: Any, seed: int) -> Table:
    groups = sorted({group(one.question) for one in answers["none"]})
    columns = {condition: name for condition, (name, _) in CONDITIONS.items()}
    rows = []
    for wanted in groups:
        cells: dict[str, Score | str] = {}
        for condition, all_ in answers.items():
            some = [one for one in all_ if group(one.question) == wanted]
            of = [one.question.context_id for one in some]
            cells[columns[condition]] = mean([bool(one.right) for one in some], of, seed=seed)
        count = sum(group(one.question) == wanted for one in answers["none"])
        rows.append(Row(f"{wanted} ({count})", cells))
    return Table(title, tuple(columns.values()), tuple(rows))


def _notes(settings: Settings, choosing: Chooser, answers: Mapping[Condition, Sequence[Answered]]) -> tuple[str, ...]:
    histories = len({one.question.context_id for one in answers["none"]})
    learner = "rules" if settings.model is None else choosing.name
    return (
        f"Asked: {choosing.name}; {histories} histories, intervals are bootstrapped over them. Four options: .25 is "
        "chance.",
        f"Each history is cut where its question is asked. Ours learns with {learner}, and puts at most {BUDGET} "
        f"tokens into the prompt; the full history is cut to its newest {choosing.window:,} tokens less {ROOM:,}.",
        "The histories' system prompts describe the person. They are part of the full history, as in the original "
        "benchmark; ours never sees them.",
    )
