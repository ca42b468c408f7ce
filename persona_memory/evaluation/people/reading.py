"""The rules on text that no generator wrote: hand-written sentences, and LoCoMo's turns with their gold facts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from persona_memory.evaluation.people.compare import Counts, Fields, counts, token_f1
from persona_memory.evaluation.people.handwritten import STATED, UNSTATED
from persona_memory.evaluation.people.learning import items_of
from persona_memory.evaluation.people.person import Golden
from persona_memory.importers import read_locomo
from persona_memory.learning.rules import RuleExtractor
from persona_memory.profile import RuleOptimizer, accept, default_schema, fold_profile
from persona_memory.protocols import Optimizer, ProfileView, Window
from persona_memory.retrieval import tokens
from persona_memory.types import Policy, Profile, Turn

SAYS_THE_SAME = 0.4
"""Token F1 from which a memory counts as telling what an observation tells: they are worded freely."""

MOMENT = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """One of LoCoMo's gold facts: whether anything was learnt from its turn, and whether that tells the same."""

    dialogue: str
    learnt: bool
    same: bool


def handwritten(optimizer: Optimizer | None = None) -> list[Counts]:
    """For each hand-written sentence, the items that it gives, compared with what it states."""
    made = optimizer or RuleOptimizer()
    sentences: list[tuple[str, Golden]] = [*STATED, *((text, {}) for text in UNSTATED)]
    return [counts(asyncio.run(profile_of(text, made)), golden) for text, golden in sentences]


async def profile_of(text: str, optimizer: Optimizer) -> Fields:
    """The profile of somebody who has said just this."""
    schema = default_schema()
    turn = Turn(1, "t", 1, "user", text, MOMENT)
    proposed = await optimizer.propose(ProfileView(Profile(), schema, (turn,), ()))
    held = accept(proposed, profile=Profile(), schema=schema, policy=Policy(), shown={1: turn})
    return items_of(fold_profile(held.edits, schema))


def observations(path: Path) -> tuple[list[Observed], list[tuple[str, bool]]]:
    """LoCoMo's gold facts against what the rules learn from their turns, each speaker read as the person.

    Returns the facts, and for each learnt memory its dialogue and whether its turn is cited by a fact at all.

    Raises:
        ImportFileError: the file is not LoCoMo's.
    """
    learnt = _memories(path)
    facts, cited = list[Observed](), set[tuple[str, str]]()
    for dialogue, turn, text in _facts(path):
        cited.add((dialogue, turn))
        said = learnt.get((dialogue, turn), [])
        same = any(token_f1(tokens(memory), tokens(text)) >= SAYS_THE_SAME for memory in said)
        facts.append(Observed(dialogue, bool(said), same))
    precise = [(place[0], place in cited) for place, said in learnt.items() for _ in said]
    return facts, precise


def _memories(path: Path) -> dict[tuple[str, str], list[str]]:
    """By (dialogue, turn id), what the rules learn from the turn by itself, whoever says it."""
    extractor = RuleExtractor()
    found: dict[tuple[str, str], list[str]] = {}
    for place, message in enumerate(read_locomo(path), 1):
        turn = Turn(place, message.thread_id, 1, "user", message.text, message.at or MOMENT)
        extraction = asyncio.run(extractor.extract(Window((turn,))))
        found[message.user_id, message.message_id or ""] = [f"{message.speaker} {m.text}" for m in extraction.memories]
    return found


def _facts(path: Path) -> Iterator[tuple[str, str, str]]:
    """(dialogue, turn id, text) of each observation and turn that it cites."""
    for sample in json.loads(path.read_text(encoding="utf-8")):
        for sessions in sample.get("observation", {}).values():
            for told in sessions.values():
                for text, evidence in told:
                    for turn in _turns(evidence):
                        yield sample["sample_id"], turn, text


def _turns(evidence: Any) -> list[str]:
    """One id, several in one string, or a list of them."""
    listed = evidence if isinstance(evidence, list) else [evidence]
    return [turn.strip() for one in listed for turn in str(one).replace(";", ",").split(",") if turn.strip()]
