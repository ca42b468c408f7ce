"""PersonaMem: which of four replies fits the person, asked at a place in a long history with an assistant.

    persona-memory eval personamem --data FOLDER --model provider:name
    persona-memory eval personamem --data FOLDER --local FOLDER_OF_A_CAUSAL_LM

Every history is cut where the question is asked (`end_index_in_shared_context`). A chat model writes a letter; a local
model's likeliest reply counts, and no letter is in its prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any

from persona_memory.evaluation.conditions import (
    CONDITIONS,
    PERSON,
    SHORT,
    Condition,
    Known,
    parked,
    remark,
    with_what_is_known,
)
from persona_memory.evaluation.datasets.personamem import Message, Question, read_personamem
from persona_memory.evaluation.histories import fresh_memory, newest_that_fit
from persona_memory.evaluation.options import ASK_FOR_LETTER, Chooser, Messages, chooser
from persona_memory.evaluation.rankings import Conversation, Prepared, prepare
from persona_memory.evaluation.rankings import Question as RankedQuestion
from persona_memory.evaluation.report import Report, Row, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import difference, mean
from persona_memory.memory import DEFAULT_BUDGET, PersonaMemory
from persona_memory.protocols import TokenCounter
from persona_memory.types import Turn

ROOM = 1000
"""Tokens that are kept free for the question, its options and the answer."""
QUICK_HISTORIES, QUICK_QUESTIONS = 2, 4
QUICK_PART = f"first {QUICK_HISTORIES} histories, first {QUICK_QUESTIONS} questions of each"
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
"""The histories have no dates."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Answered:
    """One question in one condition: whether the right option was chosen (None: no option was), and prompt tokens."""

    question: Question
    right: bool | None
    tokens: int


def run(settings: Settings) -> Report:
    """Option accuracy without memory, with the history in the prompt, and with ours; by question type and distance."""
    questions, contexts, left_out = read_personamem(settings.data)
    choosing = chooser(settings)
    by_context: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_context[question.context_id].append(question)
    asked = {name: sorted(some, key=lambda one: one.end) for name, some in by_context.items()}
    if settings.quick:
        asked = {name: some[:QUICK_QUESTIONS] for name, some in list(asked.items())[:QUICK_HISTORIES]}
    answers: dict[Condition, list[Answered]] = {condition: [] for condition in CONDITIONS}
    given_up = 0
    for name, some in settings.watch.track(asked.items(), "histories", total=len(asked)):
        for condition, answered in _history(settings, choosing, contexts[name], some):
            answers[condition].append(answered)
        given_up += settings.checkpoint.get(_parked(choosing, name), lambda: 0)
    tables = (
        _overall(answers, settings.seed),
        _by("Accuracy by question type", answers, lambda one: one.kind.replace("_", " "), settings.seed),
        _by("Accuracy by distance, in sessions", answers, lambda one: f"{one.distance}", settings.seed),
    )
    notes = (*_notes(settings, choosing, answers), *remark(given_up), *(f"Left out: {one}." for one in left_out))
    prompts = {} if settings.local is not None else {"What the model is asked": ASK_FOR_LETTER}
    return Report("personamem", "PersonaMem: choosing the reply that fits", tables, notes, prompts=prompts)


def _history(
    settings: Settings, choosing: Chooser, history: Sequence[Message], questions: Sequence[Question]
) -> Iterator[tuple[Condition, Answered]]:
    """One history's questions, in the order in which they are asked; everybody hears the history up to each."""
    keys = {
        (condition, place): f"{choosing.name} {condition} {question.id}"
        for place, question in enumerate(questions)
        for condition in CONDITIONS
    }
    if all(key in settings.checkpoint for key in keys.values()):
        known: Iterator[Known] = repeat(Known(None, None))
        yield from _answered(settings, choosing, history, questions, keys, known)
        return
    prepared = prepare(_conversation(history, questions), settings)
    with fresh_memory(model=settings.model, embedder=settings.embedder, reader=choosing.reader) as memory:
        known = _told(memory, prepared, history, questions, choosing.count)
        yield from _answered(settings, choosing, history, questions, keys, known)
        settings.checkpoint.get(_parked(choosing, questions[0].context_id), partial(parked, memory))


def _parked(choosing: Chooser, context_id: str) -> str:
    return f"{choosing.name} parked {context_id}"


def _answered(
    settings: Settings, choosing: Chooser, history: Sequence[Message], questions: Sequence[Question],
    keys: Mapping[tuple[Condition, int], str], known: Iterator[Known],
) -> Iterator[tuple[Condition, Answered]]:  # fmt: skip
    for (place, question), heard in zip(enumerate(questions), known, strict=False):
        for condition in CONDITIONS:
            compute = partial(_ask, choosing, condition, question, history[: question.end], heard, place)
            right, tokens = settings.checkpoint.get(keys[condition, place], compute)
            yield condition, Answered(question, right, tokens)


def _conversation(history: Sequence[Message], questions: Sequence[Question]) -> Conversation:
    """What was said, a minute apart, for plain retrieval. System prompts are not conversation, and are left out."""
    turns = tuple(
        Turn(seq, "history", 1, "user" if one.role == "user" else "assistant", one.text, BEGIN + seq * MINUTE)
        for seq, one in enumerate(_said(history), 1)
    )
    asked = tuple(RankedQuestion(one.text, frozenset(), one.kind) for one in questions)
    return Conversation("history", turns, asked, BEGIN + (len(turns) + 1) * MINUTE)


def _said(messages: Iterable[Message]) -> list[Message]:
    return [one for one in messages if one.role != "system"]


def _told(
    memory: PersonaMemory, prepared: Prepared, history: Sequence[Message], questions: Sequence[Question],
    count_tokens: TokenCounter,
) -> Iterator[Known]:  # fmt: skip
    """For each question what is known when it is asked; the memory goes on hearing the history meanwhile."""
    heard = 0
    for question in questions:
        new = [{"role": one.role, "content": one.text} for one in _said(history[heard : question.end])]
        if new:
            memory.observe(new, user_id=PERSON, thread_id="history", resent=False)
            memory.flush(user_id=PERSON)
        heard = max(heard, question.end)
        count = len(_said(history[: question.end]))
        yield Known(memory, prepared.until(count) if count else None, count=count_tokens)


def _ask(
    choosing: Chooser, condition: Condition, question: Question, history: Sequence[Message], known: Known, place: int
) -> tuple[bool | None, int]:
    if condition == "full":
        texts = [message.text for message in history]
        budget = choosing.window - ROOM - choosing.count(question.text)
        kept = newest_that_fit(texts, budget=budget, count=choosing.count)
        messages: Messages = [*_as_messages(history[len(history) - kept :]), {"role": "user", "content": question.text}]
    else:
        messages = with_what_is_known(condition, question.text, known, question=question.text, place=place)
    chosen = choosing.choose(messages, question.options)
    size = sum(choosing.count(message["content"]) for message in messages)
    return (None if chosen is None else chosen == question.answer), size


def _as_messages(history: Sequence[Message]) -> Iterator[dict[str, str]]:
    """The history; its system prompts as one in front, since many providers take no other."""
    system = "\n\n".join(one.text for one in history if one.role == "system")
    if system:
        yield {"role": "system", "content": system}
    yield from ({"role": one.role, "content": one.text} for one in _said(history))


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
    rows = []
    for wanted in groups:
        cells: dict[str, Score | str] = {}
        for condition, all_ in answers.items():
            some = [one for one in all_ if group(one.question) == wanted]
            of = [one.question.context_id for one in some]
            cells[SHORT[condition]] = mean([bool(one.right) for one in some], of, seed=seed)
        count = sum(group(one.question) == wanted for one in answers["none"])
        rows.append(Row(f"{wanted} ({count})", cells))
    return Table(title, tuple(SHORT[condition] for condition in answers), tuple(rows))


def _notes(settings: Settings, choosing: Chooser, answers: Mapping[Condition, Sequence[Answered]]) -> tuple[str, ...]:
    histories = len({one.question.context_id for one in answers["none"]})
    learner = "rules" if settings.model is None else choosing.name
    return (
        f"Asked: {choosing.name}, which chooses {choosing.how}; {histories} histories, intervals are bootstrapped over "
        "them. Four options: .25 is chance.",
        f"Each history is cut where its question is asked. Ours learns with {learner}; it and plain retrieval put at "
        f"most {DEFAULT_BUDGET} tokens into the prompt; the full history is cut to its newest "
        f"{choosing.window:,} tokens less {ROOM:,}.",
        "The histories' system prompts describe the person. They are part of the full history, as in the original "
        "benchmark; ours never sees them.",
    )
