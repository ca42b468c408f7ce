"""LoCoMo (Maharana et al. 2024): recall of the turns that answer questions about ten long dialogues of two people.

Answerable questions (categories 1 to 4) of which at least one evidence turn exists; the captions of pictures are left
out. The first five dialogues are for making choices, the others are held out. A file `audit_errors.json` beside the
data (repository dial481/locomo-audit) corrects evidence; both figures are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from persona_memory.errors import ImportFileError
from persona_memory.evaluation import recall
from persona_memory.evaluation.datasets.dialogues import locomo_file
from persona_memory.evaluation.datasets.reading import broken
from persona_memory.evaluation.rankings import Conversation, Question, Results
from persona_memory.evaluation.report import Report, Row, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.systems import PLAIN_NAMED, System, systems
from persona_memory.importers import ImportedMessage, read_locomo
from persona_memory.types import Turn

QUICK_PART = recall.QUICK_PART

DEVELOPMENT = frozenset({"conv-26", "conv-30", "conv-41", "conv-42", "conv-43"})
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open domain", 4: "single hop"}
AUDIT = "audit_errors.json"
_FORMAT = f"LoCoMo's locomo10.json, or its {AUDIT}"

_ID = re.compile(r"D\d+:\d+")


class _Question(BaseModel):
    question: str
    category: int
    evidence: list[str] = []


class _Sample(BaseModel):
    sample_id: str
    qa: list[_Question] = []


class _Correction(BaseModel):
    question_id: str
    question: str
    correct_evidence: list[str]


def run(settings: Settings) -> Report:
    """The report: all systems on raw and corrected evidence, and by category."""
    everything, missing, unaudited = read(locomo_file(settings.data))
    conversations, compared = recall.small(everything, settings), systems(named=True)
    found = recall.results(conversations, compared, settings)
    tables = [
        recall.overall("LoCoMo turn recall", conversations, found, compared, seed=settings.seed),
        recall.halves(conversations, found, compared, seed=settings.seed),
        recall.costs(conversations, found, compared, seed=settings.seed),
        recall.by_category(conversations, found, plain=PLAIN_NAMED, seed=settings.seed),
    ]
    if not unaudited:
        tables.append(_audited(conversations, found, settings.seed))
    notes = [
        f"{sum(len(one.questions) for one in conversations):,} answerable questions on {len(conversations)} dialogues; "
        "95 % intervals by drawing dialogues. Choices were made on the first five dialogues (dev.).",
        "'in budget' is the share of the evidence in what is injected under the default budget of 800 tokens; 'tokens' "
        "what that takes, by an estimate that never undercounts.",
        recall.THROUGH_THE_PRODUCT,
    ]
    if missing:
        notes.append(f"Evidence ids that do not exist, left out: {'; '.join(missing)}.")
    if unaudited:
        notes.append(f"{unaudited}: corrected figures are left out.")
    return Report("locomo", "LoCoMo: finding the turns that answer", tuple(tables), tuple(notes))


def read(path: Path) -> tuple[list[Conversation], list[str], str]:
    """The dialogues, the evidence ids that do not exist, and why there are no corrections ("" where there are).

    Raises:
        ImportFileError: the file is not LoCoMo's.
    """
    dialogues = {name: list(said) for name, said in groupby(read_locomo(path, captions=False), key=lambda m: m.user_id)}
    samples = _parse(TypeAdapter(list[_Sample]), path)
    corrections, unaudited = _audit(path.parent / AUDIT)
    missing: list[str] = []
    conversations = [
        _conversation(number, sample, dialogues[sample.sample_id], corrections, missing)
        for number, sample in enumerate(samples)
        if sample.sample_id in dialogues
    ]
    return conversations, missing, unaudited


def _conversation(
    number: int,
    sample: _Sample,
    said: Sequence[ImportedMessage],
    corrections: Mapping[tuple[int, int], Sequence[str]],
    missing: list[str],
) -> Conversation:
    turns = tuple(_turns(said))
    seqs = {message.message_id: turn.seq for message, turn in zip(said, turns, strict=True)}
    questions = []
    for place, one in enumerate(sample.qa):
        if one.category not in CATEGORIES:
            continue
        ids = _ids(one.evidence)
        missing += [f"{sample.sample_id} {id}" for id in ids if id not in seqs]
        right = corrections.get((number, place))
        evidence = frozenset(seqs[id] for id in ids if id in seqs)
        audited = frozenset(seqs[id] for id in _ids(right or ()) if id in seqs)
        if evidence:
            questions.append(Question(one.question, evidence, CATEGORIES[one.category], audited or None))
    now = turns[-1].at + timedelta(days=1)
    return Conversation(sample.sample_id, turns, tuple(questions), now, sample.sample_id in DEVELOPMENT)


def _turns(said: Sequence[ImportedMessage]) -> Iterator[Turn]:
    for seq, one in enumerate(said, 1):
        session = int(one.thread_id.rpartition("_")[2])
        at = one.at or datetime.min.replace(tzinfo=UTC)  # LoCoMo dates every session
        yield Turn(seq, one.user_id, session, one.role, one.text, at, one.speaker, one.message_id)


def _ids(evidence: Sequence[str]) -> list[str]:
    """All ids in evidence strings, of which some hold several ("D8:6; D9:17")."""
    return [found for text in evidence for found in _ID.findall(text)]


def _audit(path: Path) -> tuple[Mapping[tuple[int, int], Sequence[str]], str]:
    """The corrections, and why there are none."""
    if not path.exists():
        return {}, f"No {AUDIT} beside the data"
    try:
        corrections = _corrections(_parse(TypeAdapter(list[_Correction]), path))
    except ImportFileError as error:
        return {}, f"{AUDIT} is not the audit's ({error.problem})"
    return corrections, "" if corrections else f"{AUDIT} corrects no question of LoCoMo"


def _corrections(found: Sequence[_Correction]) -> dict[tuple[int, int], list[str]]:
    """Corrected evidence ids by (number of the dialogue, number of the question), as in "locomo_0_qa1"."""
    places = {}
    for one in found:
        match = re.fullmatch(r"locomo_(\d+)_qa(\d+)", one.question_id)
        if match is not None:
            places[int(match[1]), int(match[2])] = one.correct_evidence
    return places


def _audited(conversations: Sequence[Conversation], found: Results, seed: int) -> Table:
    """Recall on the corrected evidence beside the raw one."""
    compared = [
        System(name, "ours" if name == "ours" else "baseline", lambda *_: []) for name in (*PLAIN_NAMED, "ours")
    ]
    right = recall.overall("", conversations, found, compared, evidence=recall.corrected, seed=seed)
    asis = recall.overall("", conversations, found, compared, seed=seed)
    rows = []
    for one, other in zip(asis.rows, right.rows, strict=True):
        cells: dict[str, Score | str] = {}
        for depth in recall.HALVES:
            cells[f"@{depth} raw"], cells[f"@{depth} corrected"] = one.cells[f"@{depth}"], other.cells[f"@{depth}"]
        rows.append(Row(one.name, cells, one.kind))
    columns = tuple(f"@{depth} {kind}" for depth in recall.HALVES for kind in ("raw", "corrected"))
    return Table("with audited evidence", columns, tuple(rows))


def _parse(shape: TypeAdapter[Any], path: Path) -> Any:
    try:
        return shape.validate_json(path.read_bytes())
    except ValidationError as error:
        raise broken(
            str(path), error, row="dialogue" if path.name != AUDIT else "correction", expected=_FORMAT
        ) from error
