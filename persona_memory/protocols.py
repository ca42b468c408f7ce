"""What users and other rooms supply: every Protocol in one place, none of them inherited from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from persona_memory.types import Adapter, EvidenceKind, Memory, MemoryKind, Policy, Profile, ProfileEdit, Route, Turn

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


Redact = Callable[[str], str | Awaitable[str | None] | None]
"""A text as it was written, to the text to store, or to None for nothing. The same text has to give the same answer: by
it a message that is sent again is known."""


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
    """What the optimiser sees: the dictionary, what was said and learnt since it was last optimised, and the rules.

    Attributes:
        statements: sequence numbers of those turns that were saved as facts about the person, by a tool or a
            correction: they may speak of "the user". In a conversation nobody is believed who does.
    """

    profile: Profile
    schema: ProfileSchema
    turns: tuple[Turn, ...]
    memories: tuple[Memory, ...]
    policy: Policy = field(default_factory=Policy)
    statements: frozenset[int] = frozenset()


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

ExampleKind = Literal["positive", "negative", "view", "update", "up", "down"]
"""What was said; what was not; the same facts in other words; what would be right if the context said so; a reply that
the person rated up or down."""
RATED: Final = ("up", "down")
"""The kinds of rated replies, which are preferred or not (KTO), where the others are learnt by heart."""


@dataclass(frozen=True, slots=True)
class Example:
    """One thing that an adapter is trained on (PLUM, arXiv 2411.13405).

    Attributes:
        question: "" for a view.
        turns: sequence numbers of the turns that it rests on.
        weight: how much it counts in the loss beside the others, > 0.
        context: of an update: what the person could say one day that changes what was said, and with it the answer.
    """

    kind: ExampleKind
    question: str
    answer: str
    turns: tuple[int, ...]
    weight: float = 1.0
    context: str = ""


class Teacher(Protocol):
    """Writes examples from conversations."""

    @property
    def name(self) -> str:
        """What is noted with every recorded answer; a teacher of another name is asked anew."""

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        """Examples from one conversation, in order of importance; empty where it holds nothing to remember.

        Raises:
            LearningError: nothing usable could be had; the adapter in service stays.
        """


@dataclass(frozen=True, slots=True)
class Study:
    """What a person's next adapter is trained on.

    Attributes:
        adapter_id: the candidate's name.
        examples: of all conversations, oldest first, without what is no longer true; then replies that were rated.
        held_out: pairs about the same facts in other words, which only examine.
        workspace: a folder for what a training that is cut short goes on from. It is deleted with what was erased.
        watermark: the newest of the person's events that the examples could rest on.
        memory_ids: memories that the examples' turns are sources of.
        start: folder of the shared start that it begins from, for this base; None to begin from nothing.
        parent: the revision whose weights it goes on from instead; then `drifted` are the turns that it is trained on,
            and all else is rehearsed.
        seed: of everything that is random.
        key: where the memory is encrypted, 32 bytes that everything in the workspace is to be encrypted with, e.g. by
            `persona_memory.encryption.DataKey`. They are the same in every process, and go with the person.
    """

    adapter_id: str
    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    workspace: Path
    watermark: int
    memory_ids: tuple[str, ...]
    start: Path | None = None
    parent: str | None = None
    drifted: tuple[int, ...] = ()
    seed: int = 0
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Drifted:
    """Whether a person's adapter is to be trained again, and why.

    Attributes:
        turns: those that surprise it. Where it drifts, training goes on from it with them (SPRInG's selection);
            without them a new one is trained on all that is true. Where too few do, they stay in the residual buffer.
    """

    drifts: bool
    reason: str
    turns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Studied:
    """A trained adapter: the files of its revision, and what its examination measured.

    Attributes:
        files: by name, see `persona_memory.adapters.files.FILES`.
        report: {"passed": bool, "reason": str, …measures}; only one that passed is ever served.
    """

    files: Mapping[str, bytes]
    report: Mapping[str, Any]


class Opener(Protocol):
    """Opens what was sealed, by whatever key it names."""

    def open(self, place: str, sealed: bytes) -> bytes:
        """What was sealed for this place.

        Raises:
            EncryptionError: it was changed or moved, or its key is gone.
        """


@runtime_checkable
class MasterKey(Protocol):
    """Wraps the keys of people: a key in a file, or a key management service, which keeps the key to itself."""

    def wrap(self, key: bytes) -> bytes:
        """The key (32 bytes), encrypted."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key that was wrapped. Whatever is raised means that it cannot be."""


class Revisions(Protocol):
    """Where adapters' files are, and which of them may be served."""

    @property
    def folder(self) -> Path:
        """The folder of all revisions."""

    def digest(self, adapter_id: str) -> str | None:
        """SHA-256 of the manifest.json that was registered for a revision.

        Raises:
            AdapterRetired: it may not be served any more.
            NotFound: there is no such revision.
        """

    def files(self, adapter_id: str) -> Mapping[str, bytes]:
        """The files of a revision, decrypted and compared with what was registered; raises as `digest` does.

        Raises:
            AdapterRefused: they are not what they should be.
        """

    def standing(self, adapter_ids: Collection[str]) -> set[str]:
        """Those of the names that may be served, of all namespaces: what an engine is to let go of are the others."""

    @property
    def opener(self) -> Opener | None:
        """What opens the files; None where they are not encrypted."""

    @property
    def copies(self) -> Path:
        """Where plain copies for an engine belong: they go with what they are copies of, whoever erases it."""

    @property
    def closed(self) -> bool:
        """Whether their memory is closed; nothing can be asked any more."""


class ParametricMemory(Protocol):
    """Trains people's adapters for one base model, and serves them."""

    @property
    def base_model(self) -> str:
        """The base model, as people call it."""

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """Hashes of the base's weights, tokenizer and chat template: an adapter serves no other.

        And "spec", the shape of all adapters, where only one is served: see `Adapter.unfit`.
        """

    def trainable(self) -> bool:
        """Whether adapters for the served base model can be trained and run."""

    def interpolates(self) -> bool:
        """Whether the served model can mix two streams at each decoding step."""

    def serve(self, revisions: Revisions) -> None:
        """Told once, when the memory is opened: where the adapters are that it trains and serves."""

    def route(self, user_id: str, route: Route) -> None:
        """Told of every decision, so that the serving side can load what the next step needs."""

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        """Told at once which revisions of an owner (the first part of their names) may go on being used.

        Replies that are being written with another one end, and so does its training.
        """

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        """Whether what came since the active adapter was trained surprises it (SPRInG, arXiv 2601.09974).

        Args:
            fresh: positive pairs about turns that it has not seen.
        """

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        """How likely the base finds what a person said after each of these profiles, in nats a token (≤ 0)."""

    async def train(self, study: Study) -> Studied:
        """Train and examine an adapter. Where it was cut short, the same study goes on from the workspace.

        Raises:
            TrainingError: it cannot be trained; the one in service stays.
        """
