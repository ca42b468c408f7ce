"""Turn recall on LoCoMo, with baselines and with each part of the ranking taken away.

    python benchmarks/retrieval_locomo.py --data path/to/locomo10.json

Per conversation, as the system sees it: turns in, question in, ranked turn ids out. Answerable questions (categories
1–4) with at least one existing evidence id. The weights were chosen on the first five conversations ("dev").
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_memory.protocols import Embedder
from persona_memory.retrieval import (
    PersonView,
    Query,
    Weights,
    default_embedder,
    fingerprint,
    rank,
    tokens,
    understand,
    weights_for,
)
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import Turn

DEPTHS = (5, 10, 25)
Order = Callable[["Conversation", int], list[int]]
"""(conversation, question number) to turn numbers, best first."""


@dataclass(frozen=True, slots=True)
class Conversation:
    name: str
    turns: list[Turn]
    questions: list[str]
    evidence: list[set[int]]
    view: PersonView
    queries: list[Query]
    cosines: NDArray[np.float32]  # (questions, turns)
    named_cosines: NDArray[np.float32]  # the same of "Speaker: text"

    def dense(self, question: int, *, named: bool = False) -> dict[str, float]:
        row = (self.named_cosines if named else self.cosines)[question].tolist()
        return {f"t{turn.seq}#0": cosine for turn, cosine in zip(self.turns, row, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="locomo10.json")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()), help="folder for the vectors")
    parser.add_argument("--hashing", action="store_true", help="use the hashing embedder")
    args = parser.parse_args()
    embedder = HashingEmbedder() if args.hashing else default_embedder()
    conversations = [read(entry, embedder, args.cache) for entry in json.loads(args.data.read_text())]
    weights = weights_for(fingerprint(embedder))
    print(f"{fingerprint(embedder)}; recall @{DEPTHS}; dev = first five conversations, test = the others")
    for name, order in systems(weights):
        report(name, conversations, order)


def systems(w: Weights) -> Iterator[tuple[str, Order]]:
    yield "BM25", by(lambda c, q: words(c, q))
    yield "meaning", by(lambda c, q: c.cosines[q])
    yield "meaning of 'speaker: text'", by(lambda c, q: c.named_cosines[q])
    yield "RRF of both", by(lambda c, q: 1 / (60 + places(words(c, q))) + 1 / (60 + places(c.cosines[q])))
    yield "ours", ours(w)
    yield "  without its gate", ours(w, gate=False)
    yield "  without meaning", ours(w, meaning=False, gate=False)
    yield "  without words", ours(replace(w, words=0.0), gate=False)
    yield "  without neighbours", ours(replace(w, near=0.0, far=0.0, near_meaning=0.0), gate=False)
    yield "  without session", ours(replace(w, session=0.0), gate=False)
    yield "  without speaker", ours(replace(w, speaker=0.0), gate=False)
    yield "  without date", ours(replace(w, date=0.0), gate=False)
    yield "  with names in vectors", ours(w, named=True, gate=False)
    yield "  a quarter not embedded yet", ours(w, embedded=0.75, gate=False)
    yield "  without meaning, with gate", ours(w, meaning=False)


def ours(w: Weights, *, gate: bool = True, meaning: bool = True, named: bool = False, embedded: float = 1.0) -> Order:
    def order(conversation: Conversation, question: int) -> list[int]:
        dense = conversation.dense(question, named=named) if meaning else {}
        if embedded < 1:
            kept = np.random.default_rng(question).random(len(dense)) < embedded
            dense = {id: cosine for (id, cosine), keep in zip(dense.items(), kept, strict=True) if keep}
        query, depth = conversation.queries[question], max(DEPTHS)
        hits = rank(conversation.view, query, dense=dense, limit=depth, gated=gate, weights=w)
        return [hit.sources[0] for hit in hits]

    return order


def by(scores: Callable[[Conversation, int], NDArray[Any]]) -> Order:
    return lambda c, q: [c.turns[row].seq for row in np.argsort(-scores(c, q), kind="stable")]


def words(conversation: Conversation, question: int) -> NDArray[np.float32]:
    return conversation.view.words.match(dict.fromkeys(tokens(conversation.questions[question]), 1.0))[0]


def places(scores: NDArray[Any]) -> NDArray[np.intp]:
    return np.argsort(np.argsort(-scores, kind="stable"), kind="stable")


def report(name: str, conversations: list[Conversation], order: Order) -> None:
    rows, started = [], time.perf_counter()
    for number, conversation in enumerate(conversations):
        for question, wanted in enumerate(conversation.evidence):
            found = order(conversation, question)
            rows.append([number < 5, *(len(wanted & set(found[:k])) / len(wanted) for k in DEPTHS)])
    table, ms = np.array(rows), 1e3 * (time.perf_counter() - started) / len(rows)
    dev = table[:, 0] == 1
    parts = {"dev": dev, "test": ~dev, "all": dev | ~dev}
    shown = "   ".join(
        f"{part} " + " ".join(f"{x:.3f}" for x in table[mask, 1:].mean(0)) for part, mask in parts.items()
    )
    print(f"{name:30} {shown}   n={len(rows)} {ms:.2f} ms", flush=True)


def read(entry: dict[str, Any], embedder: Embedder, cache: Path) -> Conversation:
    turns, ids = read_turns(entry["conversation"])
    asked = [(item["question"], evidence_of(item, ids)) for item in entry["qa"] if item["category"] in (1, 2, 3, 4)]
    asked = [(question, evidence) for question, evidence in asked if evidence]
    questions = [question for question, _ in asked]
    view, now = PersonView(turns), turns[-1].at + timedelta(days=1)
    vectors = [
        embed(embedder, texts, cache)
        for texts in (questions, [t.text for t in turns], [f"{t.speaker}: {t.text}" for t in turns])
    ]
    return Conversation(
        name=entry["sample_id"],
        turns=turns,
        questions=questions,
        evidence=[evidence for _, evidence in asked],
        view=view,
        queries=[understand(question, speakers=view.speakers, now=now) for question in questions],
        cosines=vectors[0] @ vectors[1].T,
        named_cosines=vectors[0] @ vectors[2].T,
    )


def read_turns(conversation: dict[str, Any]) -> tuple[list[Turn], dict[str, int]]:
    """Turns in order, and the sequence number of each "D1:3"."""
    turns: list[Turn] = []
    ids: dict[str, int] = {}
    sessions = sorted(int(k.split("_")[1]) for k in conversation if re.fullmatch(r"session_\d+", k))
    for session in sessions:
        at = datetime.strptime(conversation[f"session_{session}_date_time"], "%I:%M %p on %d %B, %Y").replace(
            tzinfo=UTC
        )
        for place, said in enumerate(conversation[f"session_{session}"]):
            seq = len(turns) + 1
            role = "user" if said["speaker"] == conversation["speaker_a"] else "other"
            when = at + timedelta(seconds=place)
            turns.append(Turn(seq, "locomo", session, role, said["text"], when, said["speaker"]))  # type: ignore[arg-type]
            ids[said["dia_id"]] = seq
    return turns, ids


def evidence_of(item: dict[str, Any], ids: dict[str, int]) -> set[int]:
    found = (match for text in item["evidence"] for match in re.findall(r"D\d+:\d+", text))
    return {ids[match] for match in found if match in ids}


def embed(embedder: Embedder, texts: list[str], cache: Path) -> NDArray[np.float32]:
    """Vectors (n, d), kept in `cache` from one run to the next."""
    key = hashlib.sha256("\0".join([fingerprint(embedder), *texts]).encode()).hexdigest()[:24]
    path = cache / f"locomo-{key}.npy"
    if not path.exists():
        np.save(path, np.array(embedder.embed_documents(texts), dtype=np.float32))
    vectors: NDArray[np.float32] = np.load(path)
    return vectors


if __name__ == "__main__":
    main()
