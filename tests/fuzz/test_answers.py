"""What a model answers, of any content: it is used, or refused as an answer; and the memory it has made can be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage

from persona_memory import PersonaMemory, Retry
from persona_memory.errors import LearningError
from persona_memory.learning.extraction import LLMExtractor
from persona_memory.learning.structured import Asking
from persona_memory.learning.teaching import LLMTeacher
from persona_memory.profile import accept, default_schema, fold_profile
from persona_memory.profile.optimizer import LLMOptimizer
from persona_memory.protocols import ProfileView, Window
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel
from persona_memory.types import Memory, Policy, Profile, Turn
from tests.fuzz.material import changed, dumped, fuzzed, play, texts, values

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
TURNS = tuple(
    Turn(seq, "t1", 1, role, text, AT + timedelta(minutes=seq))  # type: ignore[arg-type]
    for seq, role, text in (
        (3, "user", "I live in Porto."), (4, "assistant", "Noted."), (7, "user", "I play the violin."),
    )
)  # fmt: skip
KNOWN = Memory("m1", "semantic", "Lives in Oslo", (1,), AT)
LEARNT = {
    "memories": [
        {"text": "Lives in Porto", "kind": "semantic", "turns": [1], "quote": "I live in Porto.", "basis": "stated",
         "confidence": 0.9, "date": "2026-03-01", "replaces": [1]}
    ],
    "topics": [{"topic": "violin", "shows": "claimed", "turn": 3}],
    "forget": [{"turn": 1, "about": "Oslo", "memories": [1]}],
}  # fmt: skip
EDITS = {
    "edits": [
        {"field": "demographics.location", "op": "set", "value": "Porto", "turns": [1], "basis": "stated",
         "confidence": 0.9},
        {"field": "preference.likes", "op": "add", "value": ["tea"], "turns": [2], "basis": "inferred"},
    ]
}  # fmt: skip
LESSON = {
    "positive": [{"question": "Where do I live?", "answer": "In Porto.", "turns": [1]}],
    "negative": [{"question": "Do I live in Oslo?", "answer": "No.", "turns": [1]}],
    "views": [{"text": "The person lives in Porto.", "turns": [1]}],
    "updates": [{"question": "Where?", "answer": "Porto", "said": "I moved", "turns": [1]}],
}
KEYS = (
    "memories", "topics", "forget", "text", "turns", "turn", "kind", "quote", "basis", "confidence", "date", "replaces",
    "topic", "shows", "about", "edits", "field", "op", "value", "positive", "negative", "views", "question", "answer",
)  # fmt: skip
SAID = ("semantic", "episodic", "stated", "inferred", "asked", "correct", "set", "add", "remove", "demographics.name")
OTHER = values(KEYS, SAID)
FORMS = {"LearnAnswer": LEARNT, "ProfileAnswer": EDITS, "TeacherAnswer": LESSON}


def answers(form: Any) -> st.SearchStrategy[Any]:
    """What a model gives where this is asked for: nearly it, anything, a text that is cut off, or another message."""
    near = changed(form, OTHER)
    cut = st.tuples(near.map(dumped), st.integers(0, 400)).map(
        lambda pair: pair[0][: pair[1]].decode("utf-8", "replace")
    )
    objects = st.dictionaries(st.sampled_from(KEYS) | texts, OTHER, max_size=4)
    return near.filter(lambda one: isinstance(one, dict)) | objects | cut | texts


def asked(answer: Any, ask: Callable[[ScriptedChatModel], Any]) -> Any:
    """What comes of an answer, which the model gives again when it is shown its error; None where it is refused."""
    try:
        return asyncio.run(ask(ScriptedChatModel(answers=lambda messages, tools: answer)))
    except LearningError:
        return None


@fuzzed
def test_what_a_model_has_learnt(examples: int) -> None:
    """Memories cite turns of this window, one of them the person's own; dates are dates."""
    window = Window(fresh=TURNS, memories=(KNOWN,), topics=("violin",))

    @play(examples, answer=answers(LEARNT))
    def check(answer: Any) -> None:
        found = asked(answer, lambda model: LLMExtractor(model).extract(window))
        for one in found.memories if found else ():
            assert {3, 4, 7}.issuperset(one.sources)
            assert {3, 7}.intersection(one.sources)
            assert {KNOWN.id}.issuperset(one.replaces)
            assert 0 <= one.confidence <= 1
            assert one.valid_from is None or one.valid_from.tzinfo is not None
        for request in found.forget if found else ():
            assert request.seq in (3, 7)


@fuzzed
def test_edits_of_the_profile(examples: int) -> None:
    """What is accepted fits the schema, and can be folded, shown and judged again."""
    schema = default_schema()
    view = ProfileView(Profile(), schema, TURNS, (KNOWN,))

    @play(examples, answer=answers(EDITS))
    def check(answer: Any) -> None:
        edits = asked(answer, lambda model: LLMOptimizer(Asking(model).ask).propose(view))
        if edits is None:
            return
        shown = {turn.seq: turn for turn in TURNS}
        accepted = accept(edits, profile=Profile(), schema=schema, policy=Policy(), shown=shown, now=AT)
        profile = fold_profile(accepted.edits, schema)
        json.dumps(profile.to_dict()).encode()
        assert all(set(edit.evidence) <= {3, 7} for edit in accepted.edits)
        assert len(accepted.edits) + len(accepted.refused) <= max(1, len(edits)) * 1000


@fuzzed
def test_lessons_of_a_teacher(examples: int) -> None:
    """Examples rest on turns of the conversation, and hold text."""

    @play(examples, answer=answers(LESSON))
    def check(answer: Any) -> None:
        found: Sequence[Any] | None = asked(answer, lambda model: LLMTeacher(Asking(model).ask).teach(TURNS))
        for one in found or ():
            assert {3, 7}.issuperset(one.turns)
            assert one.turns
            one.answer.encode()


@fuzzed
def test_a_memory_that_learns_from_anything(examples: int, tmp_path: Path) -> None:
    """Turns are learnt or parked; what was made of them is read, rendered, exported, checked and rebuilt."""
    scripted: list[dict[str, Any]] = [{}]

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        given = scripted[0].get(tools[0]["function"]["name"], {})
        return AIMessage("", tool_calls=[]) if given is None else given

    options: dict[str, Any] = {
        "model": ScriptedChatModel(answers=answer), "embeddings": HashingEmbedder(), "worker": False,
        "optimize_every": 1, "retry": Retry(attempts=1, backoff=0.0), "durability": "NORMAL",
    }  # fmt: skip
    number = iter(range(10**9))
    with PersonaMemory.open(tmp_path / "home", **options) as memory:

        @play(max(10, examples // 4), learnt=answers(LEARNT), edits=answers(EDITS))
        def check(learnt: Any, edits: Any) -> None:
            scripted[0] = {"LearnAnswer": learnt, "ProfileAnswer": edits}
            user = f"user-{next(number)}"
            memory.observe(
                [("user", "I live in Porto."), ("assistant", "Noted."), ("user", "I like tea.")], user_id=user
            )
            memory.flush(timeout=60)
            assert memory.progress(user_id=user) in ({"learnt": 3}, {"parked": 3}, {"learnt": 2}, {"learnt": 1})
            recall = memory.recall("Where do I live?", user_id=user)
            recall.text.encode()
            before = memory.memories(user_id=user, superseded=True)
            json.dumps(memory.export(user_id=user), default=str).encode()
            memory.knowledge(user_id=user)
            memory.rebuild(user_id=user)
            assert memory.memories(user_id=user, superseded=True) == before
            memory.delete_user(user_id=user)
