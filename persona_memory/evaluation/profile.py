"""T2: what a profile learnt from conversation is worth, on simulated people whose every fact is known.

    persona-memory eval profile [--data locomo10.json] [--model provider:name [--model provider:other]]

Follows AI PERSONA (arXiv 2412.13103): a profile dictionary updated every k sessions, asked for with neutralized
questions, against no memory, the last sessions, retrieval over the history, and the golden profile. Everybody starts
with an empty profile, and what is measured is the text that the library puts into the model's prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.datasets.dialogues import locomo_file
from persona_memory.evaluation.options import name_of
from persona_memory.evaluation.people import SESSIONS, Person, Words, asking, generate, measures
from persona_memory.evaluation.people.learning import Trial, items_of, told
from persona_memory.evaluation.people.measures import Run
from persona_memory.evaluation.people.oracle import labels_by_text, oracle
from persona_memory.evaluation.people.person import NOISE, Stream
from persona_memory.evaluation.people.reading import handwritten, observations
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean
from persona_memory.memory import PersonaMemory

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

PEOPLE = 42
QUICK_PEOPLE, QUICK_SESSIONS = 6, 8
QUICK_PART = f"first {QUICK_PEOPLE} people, {QUICK_SESSIONS} sessions"
EVERY = (1, 3, 5)
STREAMS: Mapping[Stream, str] = {
    "plain": "plain statements", "mixed": "half of them paraphrased", "noisy": "and noise in between",
}  # fmt: skip
WORDS: tuple[Words, Words] = ("fresh", "seen")
TRIALS: tuple[tuple[Stream, int], ...] = (("plain", 1), ("mixed", 1), ("noisy", 1), ("noisy", 3), ("noisy", 5))


@dataclass(frozen=True, slots=True)
class Learner:
    """Who learns: its name, what its rows are, and its chat model (None: the rules)."""

    name: str
    kind: RowKind
    model: BaseChatModel | None = None


RULES = Learner("rules, no model", "ours")

Runs = Mapping[tuple[str, Stream, int], Run]
"""By learner, stream and k."""


def run(settings: Settings) -> Report:
    """Field precision, recall and F1, stale values, drift under noise, likeness, a simulated user; with intervals."""
    count, sessions = (QUICK_PEOPLE, QUICK_SESSIONS) if settings.quick else (PEOPLE, SESSIONS)
    people, seen = (generate(count, seed=settings.seed, sessions=sessions, words=words) for words in WORDS)
    learners = learners_of(settings, people)
    runs: Runs = {
        (learner.name, stream, every): _run(settings, people, learner, stream, every)
        for learner in learners
        for stream, every in TRIALS
    }
    tables = (
        _by_wording(people, learners, runs, settings.seed),
        _by_freshness((people, seen), runs, settings),
        _by_frequency(people, learners, runs, settings.seed),
        _by_noise(people, learners, runs, settings.seed),
        _by_size(people, learners, runs, settings.seed),
        _by_condition(people, learners, runs, settings),
        *_elsewhere(settings),
    )
    notes = _notes(people)
    if not locomo_file(settings.data).is_file():
        notes = (*notes, "No LoCoMo in --data: how the rules do on its observations is left out.")
    return Report("profile", "Profiles of simulated people (T2)", tables, notes)


def learners_of(settings: Settings, people: Sequence[Person]) -> list[Learner]:
    """The rules, the chat models that are given, and the oracle that knows what these people mean.

    Raises:
        InvalidInput: two of the chat models have one name, by which reports and interrupted runs would mix them up.
    """
    models = (settings.model, *settings.others) if settings.model is not None else ()
    chat = [Learner(name_of(model), "ours", model) for model in models]
    learners = [RULES, *chat, Learner("oracle", "bound", oracle(labels_by_text(people)))]
    name, times = Counter(learner.name for learner in learners).most_common(1)[0]
    if times > 1:
        raise InvalidInput(f"{times} learners are called {name!r} in the tables; compare them in runs of their own")
    return learners


def _run(
    settings: Settings, people: Sequence[Person], learner: Learner, stream: Stream, every: int, words: Words = "fresh"
) -> Run:
    """One learner's run over all people, from the checkpoint where it was done before."""
    label = f"{learner.name}, {stream}, every {every}" + ("" if words == "fresh" else f", {words} wordings")
    compute = partial(_compute, settings, people, Trial(stream, every, learner.model), label, words)
    return Run.from_json(settings.checkpoint.get(label, compute))


def _compute(settings: Settings, people: Sequence[Person], trial: Trial, label: str, words: Words) -> dict[str, Any]:
    held: dict[str, list[Any]] = {person.user_id: [] for person in people}

    def keep(memory: PersonaMemory, session: int) -> None:
        for user_id, snapshots in held.items():
            snapshots.append({field: list(items) for field, items in items_of(memory.profile(user_id=user_id)).items()})

    asks = words == "fresh" and trial.stream == "noisy"
    whole = asks and trial.every == 1  # the run that the retrieval rows are asked of
    embedder = settings.embedder or _default_embedder() if whole else None
    with told(people, trial, watch=settings.watch, label=label, embedder=embedder, after=keep) as memory:
        knowns = {"profile": asking.learnt(memory)}
        if whole:
            knowns |= {"retrieval": asking.retrieved(memory), "ours": asking.learnt(memory, memories=True)}
        asked = {name: _asked(people, known) for name, known in knowns.items()} if asks else {}
    return {"profiles": held, "asked": asked}


def _default_embedder() -> Any:
    from persona_memory.retrieval import default_embedder

    return default_embedder()


def _asked(people: Sequence[Person], known: asking.Known) -> dict[str, list[list[int]]]:
    return {
        person.user_id: asking.to_json(asking.ask(person, known, after=len(person.stream("noisy"))))
        for person in people
    }


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_wording(people: Sequence[Person], learners: Sequence[Learner], runs: Runs, seed: int) -> Table:
    rows = []
    for learner in learners:
        for stream, told_as in STREAMS.items():
            found = runs[learner.name, stream, 1]
            scores = measures.items(people, found, seed=seed)
            cells = {**scores, "stale": measures.stale(people, found, seed=seed)}
            cells["similarity, 0–10"] = measures.similarity(people, found, seed=seed)
            cells["tokens"] = measures.tokens(people, found, seed=seed)
            rows.append(Row(f"{learner.name}: {told_as}", cells, learner.kind))
    columns = ("precision", "recall", "F1", "stale", "similarity, 0–10", "tokens")
    return Table("Items of the profile after all sessions, k = 1", columns, tuple(rows), plot="F1")


def _by_freshness(told_twice: tuple[Sequence[Person], Sequence[Person]], runs: Runs, settings: Settings) -> Table:
    """The rules on the same lives, with changes, endings and noise in words that nobody had seen, and in the first."""
    rows, seed = [], settings.seed
    for words, people in zip(WORDS, told_twice, strict=True):
        plain, mixed, noisy = (
            runs[RULES.name, stream, 1] if words == "fresh" else _run(settings, people, RULES, stream, 1, words)
            for stream in STREAMS
        )
        believed = measures.taken_in(people, noisy, mixed, seed=seed)
        cells: dict[str, Score | str] = {
            "F1, plain": measures.items(people, plain, seed=seed)["F1"],
            "F1, with noise": measures.items(people, noisy, seed=seed)["F1"],
            "stale, plain": measures.stale(people, plain, seed=seed),
            "stale, with noise": measures.stale(people, noisy, seed=seed),
            "changed by noise": measures.drift(people, noisy, mixed, seed=seed),
            **{f"{manner} believed": believed[manner] for manner in ("joke", "contradiction")},
        }
        rows.append(Row(f"{RULES.name}: {words} wordings", cells, "ours" if words == "fresh" else "part"))
    columns = (
        "F1, plain", "F1, with noise", "stale, plain", "stale, with noise", "changed by noise", "joke believed",
        "contradiction believed",
    )  # fmt: skip
    return Table("Changes, endings and noise, in words that were seen and in fresh ones, k = 1", columns, tuple(rows))


def _by_frequency(people: Sequence[Person], learners: Sequence[Learner], runs: Runs, seed: int) -> Table:
    rows, whole = [], len(people[0].stream("noisy"))
    for learner in learners:
        mixed = runs[learner.name, "mixed", 1]
        for every in EVERY:
            found = runs[learner.name, "noisy", every]
            cells: dict[str, Score | str] = {
                "F1 at the end": measures.items(people, found, seed=seed)["F1"],
                "F1, mean over sessions": measures.along(people, found, seed=seed),
                "stale, mean over sessions": measures.stale(people, found, seed=seed, sessions=whole),
                "sessions until a change shows": measures.lag(people, found, seed=seed),
            }
            if every == 1:
                cells["changed by noise"] = measures.drift(people, found, mixed, seed=seed)
            rows.append(Row(f"{learner.name}, k = {every}", cells, learner.kind))
    columns = (
        "F1 at the end", "F1, mean over sessions", "stale, mean over sessions", "sessions until a change shows",
        "changed by noise",
    )  # fmt: skip
    return Table("By update frequency, with noise", columns, tuple(rows))


def _by_noise(people: Sequence[Person], learners: Sequence[Learner], runs: Runs, seed: int) -> Table:
    rows = []
    for learner in learners:
        noisy, mixed = runs[learner.name, "noisy", 1], runs[learner.name, "mixed", 1]
        taken = measures.taken_in(people, noisy, mixed, seed=seed)
        rows.append(Row(learner.name, {manner: taken[manner] for manner in NOISE}, learner.kind))
    return Table("Noise that was believed, share of sayings", NOISE, tuple(rows))


def _by_size(people: Sequence[Person], learners: Sequence[Learner], runs: Runs, seed: int) -> Table:
    rows = []
    for learner in learners:
        for size in sorted({person.size for person in people}):
            some = [person for person in people if person.size == size]
            cells = {
                told_as: measures.items(some, runs[learner.name, stream, 1], seed=seed)["F1"]
                for stream, told_as in STREAMS.items()
            }
            rows.append(Row(f"{learner.name}, {size} fields", cells, learner.kind))
    return Table("F1 by size of the dictionary, k = 1", tuple(STREAMS.values()), tuple(rows))


def _by_condition(people: Sequence[Person], learners: Sequence[Learner], runs: Runs, settings: Settings) -> Table:
    def row(name: str, kind: RowKind, asked: Mapping[str, Any]) -> Row:
        return Row(name, measures.satisfaction(people, asked, seed=settings.seed), kind)

    sessions = len(people[0].stream("noisy"))
    last = asking.last_sessions(lambda person: person.stream("noisy"))
    rows = [
        row("none", "baseline", _asked(people, asking.nothing)),
        row(f"the last {asking.LAST_SESSIONS} sessions", "baseline", _asked(people, last)),
    ]
    retrieval = runs[learners[0].name, "noisy", 1].asked["retrieval"]
    rows.append(row(f"retrieval over the history, {asking.RETRIEVED} turns", "baseline", retrieval))
    for learner in learners:
        for every in EVERY:
            found = runs[learner.name, "noisy", every]
            rows.append(row(f"profile, {learner.name}, k = {every}", learner.kind, found.asked["profile"]))
        both = runs[learner.name, "noisy", 1].asked["ours"]
        rows.append(row(f"profile, {learner.name}, k = 1, and recall", learner.kind, both))
    rows.append(row("golden profile", "bound", _asked(people, asking.told_truth(sessions))))
    columns = ("in the prompt at once", "turns until satisfied", "tokens")
    return Table("A simulated user, after all sessions with noise", columns, tuple(rows), plot="turns until satisfied")


def _elsewhere(settings: Settings) -> Iterator[Table]:
    """The rules on text that no generator wrote."""
    cells = measures.from_counts(handwritten(), seed=settings.seed)
    rows = (Row("rules, no model: hand-written sentences", cells, "ours"),)
    yield Table("Sentences that no template made", ("precision", "recall", "F1"), rows)
    path = locomo_file(settings.data)
    if not path.is_file():
        return
    facts, memories = observations(path)
    found = {
        "turn gave a memory": mean([one.learnt for one in facts], [one.dialogue for one in facts], seed=settings.seed),
        "memory says the same": mean([one.same for one in facts], [one.dialogue for one in facts], seed=settings.seed),
        "memories of cited turns": mean(
            [cited for _, cited in memories], [of for of, _ in memories], seed=settings.seed
        ),
    }
    row = Row(f"rules, no model: {len(facts):,} gold facts", found, "ours")
    yield Table("LoCoMo's observations", tuple(found), (row,))


def _notes(people: Sequence[Person]) -> tuple[str, ...]:
    sayings = sum(len(session.sayings) for person in people for session in person.stream("noisy"))
    return (
        f"{len(people)} people with 6, 12 or 20 known fields, {len(people[0].stream('noisy'))} weekly sessions each, "
        f"{sayings:,} messages with noise; intervals are bootstrapped over people. The templates were not "
        "fitted to the rules.",
        "Fresh wordings: changes, endings, jokes, quotations, suppositions, slips, friends and the past in sentences "
        "that were written later, without a look at the rules; all tables have them. Seen wordings: the "
        "first ones, of which four sentences had been looked at while rules were written. The lives are the same.",
        "An item counts as right from a token F1 of .6 with the true one. Persona similarity: mean token F1 of a "
        "field's values over all fields that either profile holds, times 10; the paper's figure (best: 6.07) is a "
        "model's judgement, so the two are not to be compared.",
        "Changed by noise: fields, of all that are true or learnt, that are worse than in the same run without noise. "
        "Stale: old values that the profile still shows after the last session. Sessions until a change shows: 0 is "
        "the same session; what never shows counts as all that were left.",
        "The profile is revised after the first session and then every k sessions. What was said after the last "
        "revision is missing at the end, which of 12 sessions are two for k = 3 and one for k = 5: compare the means.",
        "The simulated user asks a neutralized question (1), says what it has to fit (2), says the value (3). "
        "The rows of transcripts get credit for what stands in the prompt, whatever noise stands beside it.",
        "The oracle is a scripted chat model that knows the generator's labels and answers the library's own prompts: "
        "an upper bound of understanding, and a test of acceptance, folding and rendering.",
    )
