"""MMLU: general ability, before and after an adapter, by the likeliest letter after five examples.

    persona-memory eval mmlu --data FOLDER --local FOLDER_OF_A_CAUSAL_LM [--adapter FOLDER_OF_A_PEFT_ADAPTER]
    persona-memory eval mmlu --data FOLDER --model provider:name

An adapter needs the `parametric` extra. `measure` takes any two choosers, e.g. an engine's with and without an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.datasets.mmlu import LETTERS, Question, Subject, read_mmlu
from persona_memory.evaluation.local_lm import LocalLM, load
from persona_memory.evaluation.options import Chooser, Messages, chat_chooser
from persona_memory.evaluation.report import Report, Row, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import difference, mean
from persona_memory.installing import pip_install

SHOTS = 5
QUICK_SUBJECTS, QUICK_QUESTIONS = 3, 4
QUICK_PART = f"first {QUICK_SUBJECTS} subjects, first {QUICK_QUESTIONS} questions of each"
OPENING = "The following are multiple choice questions (with answers) about {subject}."

Marks = Mapping[str, Sequence[bool]]
"""By subject, whether each question was answered rightly."""

Prompt = Callable[[Subject, Question], Messages]
"""How a question is put."""


class LetterLikelihood:
    """A local model that compares the letters A to D as the next token, as the benchmark's authors do."""

    def __init__(self, lm: LocalLM, name: str) -> None:
        self.how = "by the likeliest letter"
        self.lm, self.name, self.window, self.count, self.reader = lm, name, lm.window, lm.count, lm.tokenizer

    def choose(self, messages: Messages, options: Sequence[str]) -> int | None:
        """The likeliest letter's place after the last message as it stands; `options` only say how many there are."""
        letters = [f" {letter}" for letter in LETTERS[: len(options)]]
        scores = [total for total, _ in self.lm.log_likelihoods(messages[-1]["content"], letters)]
        return scores.index(max(scores))


def run(settings: Settings) -> Report:
    """Accuracy of the model, and with its adapter where one is given.

    Raises:
        InvalidInput: an adapter is given, but no local model that could take it.
    """
    if settings.adapter is not None and settings.local is None:
        raise InvalidInput(
            f"--adapter is put on a local model: pass its folder with --local; both need {pip_install('parametric')}"
        )
    subjects, left_out = read_mmlu(settings.data)
    report = _run(settings, subjects)
    return replace(report, notes=(*report.notes, *(f"Left out: {one}." for one in left_out)))


def _run(settings: Settings, subjects: list[Subject]) -> Report:
    if settings.quick:
        subjects = [Subject(s.name, s.examples, s.questions[:QUICK_QUESTIONS]) for s in subjects[:QUICK_SUBJECTS]]
    if settings.local is None:
        return measure(subjects, chat_chooser(settings), prompt=bare, settings=settings)
    before = LetterLikelihood(load(settings.local), settings.local.name)
    after = None
    if settings.adapter is not None:
        adapted = load(settings.local, adapter=settings.adapter)
        after = LetterLikelihood(adapted, f"{settings.local.name} with {settings.adapter.name}")
    return measure(subjects, before, after, prompt=with_examples, settings=settings)


def measure(
    subjects: Sequence[Subject], before: Chooser, after: Chooser | None = None, *, prompt: Prompt, settings: Settings
) -> Report:
    """The report on one chooser, or on two that answer the same questions."""
    marks = {
        chooser.name: _marks(subjects, chooser, prompt, settings) for chooser in (before, after) if chooser is not None
    }
    flat = {name: [right for subject in subjects for right in held[subject.name]] for name, held in marks.items()}
    of = [subject.name for subject in subjects for _ in subject.questions]
    rows = [Row(before.name, {"accuracy": mean(flat[before.name], of, seed=settings.seed)}, "baseline")]
    if after is not None:
        change = difference(flat[after.name], flat[before.name], of, seed=settings.seed)
        cells: dict[str, Score | str] = {"accuracy": mean(flat[after.name], of, seed=settings.seed), "change": change}
        rows.append(Row(after.name, cells, "ours"))
    overall = Table(f"{len(of):,} questions", ("accuracy", "change"), tuple(rows), plot="accuracy")
    return Report(
        "mmlu", "MMLU: general ability", (overall, _by_subject(subjects, marks, settings.seed)), _notes(before, after)
    )


def _marks(subjects: Sequence[Subject], chooser: Chooser, prompt: Prompt, settings: Settings) -> Marks:
    """One checkpointed part per subject."""

    def subject_marks(subject: Subject) -> list[bool]:
        return [chooser.choose(prompt(subject, one), one.options) == one.answer for one in subject.questions]

    tracked = settings.watch.track(subjects, chooser.name, total=len(subjects))
    return {
        subject.name: settings.checkpoint.get(f"{chooser.name} {subject.name}", partial(subject_marks, subject))
        for subject in tracked
    }


def with_examples(subject: Subject, question: Question) -> Messages:
    """The prompt of the benchmark's authors: five examples with their answers, then the question and its options."""
    opening = OPENING.format(subject=subject.name.replace("_", " "))
    examples = [f"{_written(one)} {LETTERS[one.answer]}" for one in subject.examples[:SHOTS]]
    return [{"role": "user", "content": "\n\n".join([opening, *examples, _written(question)])}]


def bare(subject: Subject, question: Question) -> Messages:
    """The question alone: a chat model is shown the options by its chooser, and needs no examples of the form."""
    return [{"role": "user", "content": question.text}]


def _written(question: Question) -> str:
    options = [f"{letter}. {option}" for letter, option in zip(LETTERS, question.options, strict=False)]
    return "\n".join([question.text, *options, "Answer:"])


def _by_subject(subjects: Sequence[Subject], marks: Mapping[str, Marks], seed: int) -> Table:
    rows = tuple(
        Row(subject.name.replace("_", " "), {name: mean(held[subject.name], seed=seed) for name, held in marks.items()})
        for subject in subjects
    )
    return Table("Accuracy by subject", tuple(marks), rows)


def _notes(before: Chooser, after: Chooser | None) -> tuple[str, ...]:
    about = (
        f"{before.name} chooses {before.how}. A local model reads {SHOTS} examples first, a chat model none; "
        "intervals are bootstrapped over subjects. Four options: .25 is chance."
    )
    if after is not None:
        return (about,)
    return about, "Before only: pass --local and --adapter (the extra parametric) for after."
