"""Nothing that one person does changes what another gets, and nobody is shown what another said.

A differential test: each person has a memory of their own beside the one that all share. Whatever is done is done in
both, and both have to answer alike, down to the scores; and no answer holds a word that only others have said.

`PERSONA_MEMORY_TORTURE=500 pytest tests/attacks/test_isolation.py` plays 500 random histories of 60 steps in place of a
few short ones that are always the same (some seconds a history).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from rich.console import Console

from persona_memory import ErasureReceipt, PersonaMemory, PersonaMemoryError, Policy, Recall
from persona_memory.cli.importing import import_file
from persona_memory.importers import read_openai
from persona_memory.retrieval.hashing import HashingEmbedder

from .conftest import opened
from .corpus import CANARY, CORPUS

TORTURE = int(os.environ.get("PERSONA_MEMORY_TORTURE", "0"))

WORDS = {"ana": "Zaragoza", "Ana": "Wolverhampton", "ana'--": "Qaqortoq", "%": "Ljubljana"}
"""People whose ids are near to each other, each with a word that nobody else says."""

SHARED = ("I love hiking.", "I'm allergic to peanuts.", "I do not understand recursion.", "My dog is called Rex.")
OWN = (
    "I live in {word}.",
    "My name is {word}.",
    "I moved to {word} last week. I love hiking.",
    "I work at {word}, and I love {word} cheese.",
    "Remember that my locker code is {word}.",
    "Please forget that I live in {word}.",
    "I don't live in {word} any more.",
    "Yes.",
    "Could you explain {word} to me? I do not understand {word}.",
    "{word} is brittle.",
)
QUESTIONS = ("Where do I live?", "What am I allergic to?", "What is my dog called?", "And there?", "{word}", "hiking")
FIELDS = ("demographics.location", "demographics.name", "personality.interests", "preference.likes")

users = st.sampled_from(sorted(WORDS))
threads = st.sampled_from(["t1", "t2"])
sentences = st.one_of(st.sampled_from(OWN), st.sampled_from(SHARED), st.sampled_from(CORPUS))
messages = st.lists(
    st.tuples(st.sampled_from(["user", "user", "assistant", "other"]), sentences), min_size=1, max_size=4
)
places = st.integers(0, 5)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class BrittleEmbedder(HashingEmbedder):
    """Fails, while it is told to, on whatever holds the word "brittle"."""

    broken = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if BrittleEmbedder.broken and any("brittle" in text for text in texts):
            raise RuntimeError("out of order")
        return super().embed_documents(texts)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)


Act = Callable[[PersonaMemory], Any]


class Isolation(RuleBasedStateMachine):
    """People in one memory, each beside a memory of their own that knows nobody else."""

    @initialize()
    def begin(self) -> None:
        """Empty memories with the same secret, by which ids are made."""
        self.folder, self.clock = Path(tempfile.mkdtemp()), Clock()
        BrittleEmbedder.broken = False
        self._open("empty").close()
        self.shared = self._open("shared")
        self.own = {user: self._open(f"own-{place}") for place, user in enumerate(WORDS)}
        self.said: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.recalls: dict[str, Recall] = {}

    def _open(self, name: str) -> PersonaMemory:
        home = self.folder / name
        if name != "empty":
            shutil.copytree(self.folder / "empty", home)
        return opened(home, embeddings=BrittleEmbedder(), clock=self.clock)

    def teardown(self) -> None:
        """The last look, at everybody."""
        if not hasattr(self, "shared"):
            return
        try:
            self._work()
            for user in WORDS:
                self._same_view(user)
        finally:
            for memory in (self.shared, *self.own.values()):
                memory.close()
            shutil.rmtree(self.folder)

    # ── both memories ───────────────────────────────────────────────────────────────────────────────────────────────

    def both(self, user: str, act: Act) -> Any:
        """What the act gives in both memories: the same, and nothing of anybody else's."""
        alone, among = _outcome(self.own[user], act), _outcome(self.shared, act)
        assert among == alone, f"{user!r} alone:\n{alone}\namong others:\n{among}"
        self._nothing_of_others(user, among)
        return alone

    def _nothing_of_others(self, user: str, shown: Any) -> None:
        text = repr(shown)
        for other, word in WORDS.items():
            assert other == user or word not in text, f"{user!r} was shown what {other!r} said: {text}"

    def _same_view(self, user: str) -> None:
        """Everything that can be asked of a person."""
        now = self.clock.now
        asks: list[Act] = [
            lambda m: m.profile(user_id=user),
            lambda m: m.history(user_id=user),
            lambda m: m.knowledge(user_id=user),
            lambda m: m.memories(user_id=user, superseded=True),
            lambda m: m.policy(user_id=user),
            lambda m: m.progress(user_id=user),
            lambda m: m.export(user_id=user),
            lambda m: m.adapters(user_id=user),
            lambda m: [_receipt(one) for one in m.receipts(user_id=user)],
            lambda m: [replace(one, id=0, fence=0, epoch=0) for one in m.jobs(user_id=user)],
            lambda m: _plain(m.recall(_own(QUESTIONS[0], user), user_id=user, now=now)),
            lambda m: m.search(WORDS[user], user_id=user, now=now),
        ]
        for ask in asks:
            self.both(user, ask)

    def _work(self) -> None:
        """All background work, of everybody: when it is done is nobody's business."""
        for memory in (self.shared, *self.own.values()):
            memory.flush(timeout=60)

    # ── what people and hosts do ────────────────────────────────────────────────────────────────────────────────────

    @rule(user=users, thread=threads, said=messages)
    def observe(self, user: str, thread: str, said: list[tuple[str, str]]) -> None:
        told = [(role, _own(text, user)) for role, text in said]
        self.said.setdefault((user, thread), []).extend(told)
        self.both(user, lambda m: m.observe(told, user_id=user, thread_id=thread))

    @rule(user=users, thread=threads, text=sentences)
    def observe_with_ids(self, user: str, thread: str, text: str) -> None:
        told = [{"role": "user", "content": _own(text, user), "id": "same-id-for-all", "user_id": "Ana"}]
        self.both(user, lambda m: m.observe(told, user_id=user, thread_id=thread))

    @rule(user=users, thread=threads, text=sentences)
    def resend(self, user: str, thread: str, text: str) -> None:
        """The whole history again with one message more, as most chatbots do; then the same once more."""
        told = [*self.said.get((user, thread), []), ("user", _own(text, user))]
        self.said[user, thread] = told
        for _ in range(2):
            self.both(user, lambda m: m.observe(told, user_id=user, thread_id=thread))

    @rule(user=users, thread=st.one_of(st.none(), threads), question=st.sampled_from(QUESTIONS), offer=st.booleans())
    def recall(self, user: str, thread: str | None, question: str, offer: bool) -> None:
        asked: Any = {"user_id": user, "thread_id": thread, "now": self.clock.now, "offer_question": offer}
        self.both(user, lambda m: _plain(m.recall(_own(question, user), **asked)))

    @rule(user=users, text=sentences)
    def remember(self, user: str, text: str) -> None:
        self.both(user, lambda m: m.remember(_own(text, user), user_id=user))

    @rule(user=users, rating=st.sampled_from(["up", "down"]), thread=threads)
    def rate(self, user: str, rating: str, thread: str) -> None:
        self.both(user, lambda m: m.feedback(rating, user_id=user, thread_id=thread))

    @rule(user=users, other=users, rating=st.sampled_from(["up", "down"]))
    def rate_with_a_recall_of_somebody_else(self, user: str, other: str, rating: str) -> None:
        """A host that mixes up what it holds must not move what another person is known by."""
        taken = self.shared.recall(WORDS[other], user_id=other, now=self.clock.now)
        self.both(user, lambda m: m.feedback(rating, user_id=user, recall=taken))

    @rule(user=users, text=sentences, place=places)
    def correct_a_memory(self, user: str, text: str, place: int) -> None:
        named = self._memory(user, place)
        self.both(user, lambda m: m.feedback(_own(text, user), user_id=user, memory_id=named))

    @rule(user=users, field=st.sampled_from(FIELDS))
    def correct_a_field(self, user: str, field: str) -> None:
        self.both(user, lambda m: m.feedback(WORDS[user], user_id=user, field=field))

    @rule(user=users, field=st.sampled_from(FIELDS), value=st.sampled_from(["Porto", "{word}", None]))
    def set_field(self, user: str, field: str, value: str | None) -> None:
        given = None if value is None else _own(value, user)
        self.both(user, lambda m: m.set_field(field, given, user_id=user))

    @rule(
        user=users,
        policy=st.sampled_from(
            [
                Policy(),
                Policy(paused=True),
                Policy(incognito_threads=("t1",)),
                Policy(retention_days=30),
                Policy(never_infer=("demographics",)),
            ]
        ),
    )
    def set_policy(self, user: str, policy: Policy) -> None:
        self.both(user, lambda m: m.set_policy(policy, user_id=user))

    @rule(user=users, place=places)
    def forget_a_memory(self, user: str, place: int) -> None:
        named = self._memory(user, place)
        self.both(user, lambda m: _receipt(m.forget([named], user_id=user)))

    @rule(user=users, what=st.sampled_from(["t1", "t2", "t4", *FIELDS]))
    def forget_turns_and_fields(self, user: str, what: str) -> None:
        self.both(user, lambda m: _receipt(m.forget([what], user_id=user)))

    @rule(user=users, other=users, place=places)
    def forget_a_memory_of_somebody_else(self, user: str, other: str, place: int) -> None:
        """An id of somebody else's means nothing here."""
        if user != other:
            named = self._memory(other, place)
            self.both(user, lambda m: m.forget([named], user_id=user))

    @rule(user=users)
    def delete_user(self, user: str) -> None:
        for thread in ("t1", "t2"):
            self.said.pop((user, thread), None)
        self.both(user, lambda m: _receipt(m.delete_user(user_id=user)))

    @rule(user=users, again=st.sampled_from(["rebuild", "relearn"]))
    def derive_again(self, user: str, again: str) -> None:
        self.both(user, lambda m: getattr(m, again)(user_id=user))

    @rule(user=users)
    def export_and_import(self, user: str) -> None:
        everything = self.both(user, lambda m: m.export(user_id=user))[1]
        file = self.folder / "export.json"
        file.write_text(json.dumps(everything), encoding="utf-8")

        def import_again(memory: PersonaMemory) -> Any:
            found = import_file(memory, Console(quiet=True), read_openai(file, user_id=user), file, total=1)
            return {owner: asdict(one) for owner, one in found.items()}

        self.both(user, import_again)

    @rule(user=users, retry=st.booleans())
    def parked_jobs(self, user: str, retry: bool) -> None:
        def act(memory: PersonaMemory) -> int:
            parked = [job for job in memory.jobs(user_id=user) if job.state == "parked"]
            for job in parked:
                (memory.retry_job if retry else memory.discard_job)(job.id, user_id=user)
            return len(parked)

        self.both(user, act)

    @rule(user=users, other=users)
    def touch_a_job_of_somebody_else(self, user: str, other: str) -> None:
        """A job's number is no way to another person's work."""
        if user != other:
            for job in self.shared.jobs(user_id=other):
                for touch in (self.shared.retry_job, self.shared.discard_job):
                    kind, error = _outcome(self.shared, partial(_touch, touch, job.id, user))
                    assert kind == "NotFound", error

    @rule()
    def work(self) -> None:
        self._work()

    @rule(broken=st.booleans())
    def break_or_mend_the_embedder(self, broken: bool) -> None:
        BrittleEmbedder.broken = broken

    @rule(days=st.sampled_from([0.001, 1, 40]))
    def time_passes(self, days: float) -> None:
        self.clock.now += timedelta(days=days)

    @rule(user=users)
    def look(self, user: str) -> None:
        self._same_view(user)

    @invariant()
    def everybody_is_somebody(self) -> None:
        """Nobody appears whom the host has not named."""
        if hasattr(self, "shared"):
            assert set(self.shared.users()) <= set(WORDS)

    def _memory(self, user: str, place: int) -> str:
        known = self.own[user].memories(user_id=user)
        return known[place % len(known)].id if known else "m0"


def _own(text: str, user: str) -> str:
    """The text with the person's own word in it."""
    return text.replace("{word}", WORDS[user]).replace(CANARY, WORDS[user])


def _touch(act: Callable[..., None], job: int, user: str, _: PersonaMemory) -> None:
    act(job, user_id=user)


def _plain(recall: Recall) -> Recall:
    return replace(recall, timings={})


def _receipt(receipt: ErasureReceipt) -> ErasureReceipt:
    """The receipt but for its random id, and for vectors: whether a turn had one yet is a matter of milliseconds."""
    return replace(receipt, id="", erased={what: n for what, n in receipt.erased.items() if what != "vectors"})


def _outcome(memory: PersonaMemory, act: Act) -> tuple[str, Any]:
    """What an act gives, or which error with which words."""
    try:
        return "done", act(memory)
    except PersonaMemoryError as error:
        return type(error).__name__, str(error)


TestIsolation = Isolation.TestCase
TestIsolation.settings = settings(
    max_examples=TORTURE or 8,
    stateful_step_count=60 if TORTURE else 25,
    derandomize=not TORTURE,
    deadline=None,
    report_multiple_bugs=False,
    phases=list(Phase) if TORTURE else [Phase.generate],  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
