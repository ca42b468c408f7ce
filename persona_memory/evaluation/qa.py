"""Questions about long dialogues, answered by any chat model: from our recall, the full history, or nothing.

    persona-memory eval qa --data locomo10.json --model provider:name
    persona-memory eval qa --data mine.jsonl --model provider:name

Scored by SQuAD's token F1 and by a judge, which is the same model; its prompt is printed with the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from persona_memory.budget import counter_for, estimate
from persona_memory.errors import InvalidInput
from persona_memory.evaluation.calls import reply
from persona_memory.evaluation.conditions import (
    NAMED,
    PERSON,
    SHORT,
    Condition,
    Known,
    conditions,
    parked,
    remark,
    with_what_is_known,
)
from persona_memory.evaluation.datasets.dialogues import (
    UNKNOWN,
    Dialogue,
    Question,
    kinds_of,
    locomo_file,
    read_dialogues,
)
from persona_memory.evaluation.histories import fresh_memory, newest_that_fit
from persona_memory.evaluation.judging import JUDGE_PROMPT, judged, squad_f1
from persona_memory.evaluation.options import CHAT_WINDOW, name_of
from persona_memory.evaluation.rankings import Conversation, prepare
from persona_memory.evaluation.rankings import Question as RankedQuestion
from persona_memory.evaluation.report import Report, Row, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean
from persona_memory.importers import ImportedMessage
from persona_memory.memory import DEFAULT_BUDGET, PersonaMemory
from persona_memory.types import Turn

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

ROOM = 1000
QUICK_DIALOGUES, QUICK_QUESTIONS = 1, 6
QUICK_PART = f"first dialogue, first {QUICK_QUESTIONS} questions"
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
"""For plain retrieval, where messages have no dates."""
REFERENCE_UNKNOWN = "The conversation does not say."

ANSWER_PROMPT = """\
Answer this question about the conversations of {people} in as few words as possible, with dates instead of \
"yesterday" or "last week". If it cannot be known, answer: unknown.

{question}"""

PROMPTS: Mapping[str, str] = {"What the model is asked": ANSWER_PROMPT, "What the judge is asked": JUDGE_PROMPT}


@dataclass(frozen=True, slots=True)
class Answered:
    """One question in one condition."""

    question: Question
    f1: float
    correct: bool | None
    tokens: int


def run(settings: Settings) -> Report:
    """Token F1 and the judge's verdicts without memory, with the history in the prompt, and with our recall.

    Raises:
        InvalidInput: there is no chat model.
    """
    if settings.model is None:
        raise InvalidInput("qa needs a chat model that writes answers; pass --model provider:name")
    dialogues, left_out = read_dialogues(locomo_file(settings.data))
    if settings.quick:
        dialogues = [replace(one, questions=one.questions[:QUICK_QUESTIONS]) for one in dialogues[:QUICK_DIALOGUES]]
    named = all(any(message.speaker for message in one.said) for one in dialogues)
    answers: dict[Condition, list[Answered]] = {condition: [] for condition in conditions(named=named)}
    given_up = 0
    for one in settings.watch.track(dialogues, "dialogues", total=len(dialogues)):
        for condition, answered in _dialogue(settings, settings.model, one, list(answers)):
            answers[condition].append(answered)
        given_up += settings.checkpoint.get(f"parked {one.name}", lambda: 0)
    tables = (_table(answers, settings.seed), *_by_kind(answers, settings.seed))
    notes = (*_notes(settings.model), *remark(given_up), *(f"Left out: {one}." for one in left_out))
    title = f"Answers to questions about long dialogues: {locomo_file(settings.data).name}"
    return Report("qa", title, tables, notes, prompts=PROMPTS)


def _dialogue(
    settings: Settings, model: BaseChatModel, one: Dialogue, compared: Sequence[Condition]
) -> Iterator[tuple[Condition, Answered]]:
    keys = [
        (condition, place, question, f"{condition} {one.name} {question.place}")
        for place, question in enumerate(one.questions)
        for condition in compared
    ]
    with ExitStack() as opened:
        known = Known(None, None)
        if not all(key in settings.checkpoint for *_, key in keys):
            memory = opened.enter_context(fresh_memory(model=model, embedder=settings.embedder, reader=model))
            _tell(memory, one.said)
            settings.checkpoint.get(f"parked {one.name}", partial(parked, memory))
            dates = [message.at for message in one.said if message.at is not None]
            known = Known(memory, prepare(_conversation(one), settings), max(dates, default=None), counter_for(model))
        for condition, place, question, key in keys:
            compute = partial(_ask, model, condition, question, one.said, known, place)
            f1, correct, tokens = settings.checkpoint.get(key, compute)
            yield condition, Answered(question, f1, correct, tokens)


def _conversation(one: Dialogue) -> Conversation:
    """The dialogue for plain retrieval."""
    threads = {thread: number for number, thread in enumerate(dict.fromkeys(m.thread_id for m in one.said), 1)}
    turns = tuple(
        Turn(seq, m.thread_id, threads[m.thread_id], m.role, m.text, m.at or BEGIN, m.speaker, m.message_id)
        for seq, m in enumerate(one.said, 1)
    )
    asked = tuple(RankedQuestion(question.text, frozenset(), question.kind) for question in one.questions)
    return Conversation(one.name, turns, asked, turns[-1].at)


def _tell(memory: PersonaMemory, said: Sequence[ImportedMessage]) -> None:
    """The dialogue as the memory of the person, session by session; where two people speak, both are told by name."""
    threads: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in said:
        role = "assistant" if one.role == "assistant" else "user"
        told = {"role": role, "content": one.text, "name": one.speaker, "id": one.message_id, "timestamp": one.at}
        threads[one.thread_id].append({key: value for key, value in told.items() if value is not None})
    person = next((one.speaker for one in said if one.role == "user"), None)
    for thread, messages in threads.items():
        memory.observe(messages, user_id=PERSON, thread_id=thread, speaker=person)
    memory.flush()


def _ask(
    model: BaseChatModel, condition: Condition, question: Question, said: Sequence[ImportedMessage], known: Known,
    place: int,
) -> tuple[float, bool | None, int]:  # fmt: skip
    """Token F1, the verdict and the prompt's tokens."""
    people = " and ".join(sorted({one.speaker or f"the {one.role}" for one in said}))
    asked = ANSWER_PROMPT.format(people=people, question=question.text)
    if condition == "full":
        messages: Sequence[Mapping[str, str]] = [{"role": "user", "content": f"{_history(said, asked)}\n\n{asked}"}]
    else:
        messages = with_what_is_known(condition, asked, known, question=question.text, place=place)
    answer = reply(model, messages).strip()
    reference = REFERENCE_UNKNOWN if question.answer is None else question.answer
    f1 = squad_f1(answer, "unknown" if question.answer is None else reference)
    correct = judged(model, question=question.text, reference=reference, answer=answer)
    return f1, correct, sum(estimate(message["content"]) for message in messages)


def _history(said: Sequence[ImportedMessage], asked: str) -> str:
    lines = [f"{f'{one.at:%Y-%m-%d} ' if one.at else ''}{one.speaker or one.role}: {one.text}" for one in said]
    kept = newest_that_fit(lines, budget=CHAT_WINDOW - ROOM - estimate(asked), count=estimate)
    return "\n".join(lines[len(lines) - kept :])


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(answers: Mapping[Condition, Sequence[Answered]], seed: int) -> Table:
    rows = []
    for condition, (name, kind) in conditions(named=NAMED in answers).items():
        answerable = [one for one in answers[condition] if one.question.kind != UNKNOWN]
        rows.append(Row(name, {**_scores(answerable, seed), "tokens": _tokens(answers[condition], seed)}, kind))
    counted = sum(one.question.kind != UNKNOWN for one in answers["none"])
    return Table(f"{counted:,} answerable questions", ("F1", "judged correct", "tokens"), tuple(rows), plot="F1")


def _by_kind(answers: Mapping[Condition, Sequence[Answered]], seed: int) -> Iterator[Table]:
    for measure in ("F1", "judged correct"):
        rows = []
        for kind in kinds_of(one.question for one in answers["none"]):
            some = {c: [one for one in all_ if one.question.kind == kind] for c, all_ in answers.items()}
            cells = {SHORT[condition]: _scores(part, seed)[measure] for condition, part in some.items()}
            rows.append(Row(f"{kind} ({len(some['none'])})", cells))
        yield Table(f"{measure} by kind of question", tuple(SHORT[condition] for condition in answers), tuple(rows))


def _scores(answered: Sequence[Answered], seed: int) -> dict[str, Score]:
    of = [one.question.dialogue for one in answered]
    return {
        "F1": mean([one.f1 for one in answered], of, seed=seed),
        "judged correct": mean([bool(one.correct) for one in answered], of, seed=seed),
    }


def _tokens(answered: Sequence[Answered], seed: int) -> Score:
    return mean([one.tokens for one in answered], [one.question.dialogue for one in answered], seed=seed)


def _notes(model: BaseChatModel) -> tuple[str, ...]:
    return (
        f"Answers, learning and verdicts by {name_of(model)}; intervals are bootstrapped over dialogues. A judge of "
        "the same family as the answerer is lenient with it: compare rows, not papers.",
        f"Ours and plain retrieval put at most {DEFAULT_BUDGET} tokens into the prompt; the full history is "
        f"its newest {CHAT_WINDOW:,} tokens. A verdict that cannot be read counts as wrong.",
    )
