"""A chat model that understands everything that simulated people say: what a perfect learner would answer.

It knows the generator's labels by the text of each saying, and answers the library's own prompts, through the library's
own parsing, acceptance and folding: an upper bound for learning, and a test of what comes after understanding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.messages import BaseMessage

from persona_memory.evaluation.people.person import Label, Person
from persona_memory.testing import ScriptedChatModel
from persona_memory.types import EvidenceKind

Labels = Mapping[str, tuple[Label, ...]]
Topics = Mapping[str, tuple[str, EvidenceKind]]
"""What a saying shows of a topic, by its text."""

_SHOWN_TO_OPTIMISER = re.compile(r"^\[(\d+)\] user, \d{4}-\d\d-\d\d: (.*)$", re.MULTILINE)
_SHOWN_TO_EXTRACTOR = re.compile(r"^(\d+)\. \[\d{4}-\d\d-\d\d\] person: (.*)$", re.MULTILINE)
_KNOWN = re.compile(r"^(\d+)\. (?!\[)(.*)$", re.MULTILINE)


def oracle(labels: Labels, topics: Topics | None = None) -> ScriptedChatModel:
    """The chat model that knows what these sayings mean. All else means nothing to it."""

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> dict[str, Any]:
        prompt = str(messages[1].text)
        names = [tool["function"]["name"] for tool in tools]
        return (
            {"edits": list(edits(prompt, labels))}
            if "ProfileAnswer" in names
            else extraction(prompt, labels, topics or {})
        )

    return ScriptedChatModel(answers=answer, model_name="oracle")


def labels_by_text(people: Iterable[Person]) -> Labels:
    """What each saying of these people means."""
    return {
        saying.text: saying.labels
        for person in people
        for sessions in person.streams.values()
        for session in sessions
        for saying in session.sayings
    }


def edits(prompt: str, labels: Labels) -> Iterator[dict[str, Any]]:
    """The profile edits that the numbered turns of the optimiser's prompt call for."""
    for number, text in _SHOWN_TO_OPTIMISER.findall(prompt):
        for label in labels.get(text, ()):
            yield {
                "field": label.field, "op": label.op, "value": label.value, "turns": [int(number)],
                "basis": "stated", "confidence": 0.95,
            }  # fmt: skip


def extraction(prompt: str, labels: Labels, topics: Topics) -> dict[str, Any]:
    """The memories and topics that the extractor's prompt calls for, with the memories that they replace."""
    known = {text: int(number) for number, text in _KNOWN.findall(prompt.split("\n\n")[0])}
    memories = []
    for number, text in _SHOWN_TO_EXTRACTOR.findall(prompt):
        for label in labels.get(text, ()):
            name = label.field.rpartition(".")[2]
            told = f"User's {name}: {label.value}"
            gone = [told] if label.op == "remove" else [one for one in known if one.startswith(f"User's {name}: ")]
            replaced = [] if label.op == "add" else [known[one] for one in gone if one in known]
            said = f"User's {name} no longer: {label.value}" if label.op == "remove" else told
            memories.append({"text": said, "turns": [int(number)], "replaces": replaced})
    shown = [(int(number), *topics[text]) for number, text in _SHOWN_TO_EXTRACTOR.findall(prompt) if text in topics]
    seen = [{"turn": number, "topic": topic, "shows": kind} for number, topic, kind in shown]
    return {"memories": memories, "topics": seen, "forget": []}
