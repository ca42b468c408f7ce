"""What users and other rooms supply: every Protocol in one place, none of them inherited from."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from persona_memory.types import EvidenceKind, Memory, MemoryKind, Policy, Profile, ProfileEdit, Route, Turn

if TYPE_CHECKING:
    from pydantic import BaseModel

    from persona_memory.profile.schema import ProfileSchema

Vector = NDArray[np.float32]
"""One embedding, shape (d,), L2-normalised."""


class Embedder(Protocol):
    """Any LangChain `Embeddings` fits."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...
    def embed_query(self, text: str) -> list[float]: ...
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]: ...
    async def aembed_query(self, text: str) -> list[float]: ...


@runtime_checkable
class VectorIndex(Protocol):
    """Nearest neighbours among one person's vectors. Holds ids and vectors, never text.

    Ids are "t12#0" (turn 12, chunk 0) or "<memory id>#0". An index is made for one namespace, one embedder fingerprint
    and one dimension d. All calls are idempotent. A backend that does not answer raises `IndexUnavailable`.
    `persona_memory.testing.VectorIndexConformance` is the suite that a backend has to pass.
    """

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """Store points, each of shape (d,); an id that exists is overwritten. Visible to the next `search`."""

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """Remove these ids; unknown ids are no error."""

    def delete_user(self, user_id: str) -> None:
        """Remove all that is held of a person."""

    def ids(self, user_id: str) -> set[str]:
        """The ids that are held of a person."""

    def search(self, user_id: str, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """The person's nearest ids with their cosine similarity in [-1, 1], best first, at most `limit`."""

    def close(self) -> None:
        """Release files and connections."""


class TokenCounter(Protocol):
    """Counts the tokens of a text for the model that will read it; may overestimate, never underestimate."""

    def __call__(self, text: str) -> int: ...


# ── learning ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Window:
    """What one learning step sees.

    Attributes:
        fresh: turns to learn from, in order. Only these may be cited.
        before: turns just before them, for understanding only.
        memories: what is already known and may be meant, merged into or replaced.
        topics: names of the topics that are already tracked.
        statements: of `fresh`, sequence numbers of statements that were saved through a tool.
        closed: categories (profile sections or fields) of which nothing may be recorded.
    """

    fresh: tuple[Turn, ...]
    before: tuple[Turn, ...] = ()
    memories: tuple[Memory, ...] = ()
    topics: tuple[str, ...] = ()
    statements: frozenset[int] = frozenset()
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractedMemory:
    """A memory to be: what was said, in which turns, and which memories it makes untrue.

    `replaces` holds ids of known memories, or "#k" for the k-th memory (from 0) of the same extraction, an earlier one.
    `quote` is the exact span of the first source turn that says so ("" when the whole turn does).
    """

    text: str
    kind: MemoryKind
    sources: tuple[int, ...]
    quote: str = ""
    basis: Literal["stated", "inferred"] = "stated"
    confidence: float = 0.9
    valid_from: datetime | None = None
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractedEvidence:
    """What turn `seq` shows of a topic."""

    topic: str
    kind: EvidenceKind
    seq: int


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """The person asked, in turn `seq`, to forget something: known memories by id, else what `about` describes."""

    seq: int
    about: str
    memory_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extractor understood of a window."""

    memories: tuple[ExtractedMemory, ...] = ()
    evidence: tuple[ExtractedEvidence, ...] = ()
    forget: tuple[ForgetRequest, ...] = ()


class Extractor(Protocol):
    """Understands a window of turns. Raises `LearningError` when it cannot; nothing is stored then."""

    @property
    def name(self) -> str:
        """What is noted with every recorded answer."""

    async def extract(self, window: Window) -> Extraction: ...


@dataclass(frozen=True, slots=True)
class ProfileView:
    """What the optimiser sees: the dictionary, what was said and learnt since it was last optimised, and the rules."""

    profile: Profile
    schema: ProfileSchema
    turns: tuple[Turn, ...]
    memories: tuple[Memory, ...]
    policy: Policy = field(default_factory=Policy)


class Optimizer(Protocol):
    """Proposes edits of the profile dictionary; `profile.acceptance` decides which of them hold."""

    @property
    def name(self) -> str:
        """What is noted with every recorded answer."""

    @property
    def every(self) -> int:
        """Sessions between two optimisations (the paper's k)."""

    async def propose(self, view: ProfileView) -> Sequence[ProfileEdit]: ...


# ── asking a chat model ─────────────────────────────────────────────────────────────────────────────────────────────


class Ask(Protocol):
    """Asks an LLM for an answer that fits a pydantic model; raises `LearningError` when none can be had."""

    def __call__(self, system: str, user: str, answer: type[BaseModel], /) -> Awaitable[BaseModel]:
        """An instance of `answer`, given to these two messages."""


# ── parametric memory ───────────────────────────────────────────────────────────────────────────────────────────────


class ParametricMemory(Protocol):
    """The parametric side of the router: what can be trained and what is active for a person."""

    def trainable(self) -> bool:
        """Whether adapters for the served base model can be trained and run."""

    def interpolates(self) -> bool:
        """Whether the served model can mix two streams at each decoding step."""

    def active_adapter(self, user_id: str) -> str | None:
        """The id of the person's evaluated, active adapter for the current base model."""

    def route(self, user_id: str, route: Route) -> None:
        """Told of every decision, so that the serving side can load what the next step needs."""

    async def consolidate(self, user_id: str) -> None:
        """Train the person's next adapter; idempotent, since a job may run again after a kill."""
