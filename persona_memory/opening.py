"""From what a user passes to `PersonaMemory.open` to the parts that it is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from persona_memory.encryption import KEY_VARIABLE, master_key
from persona_memory.errors import InvalidInput
from persona_memory.ledger.engine import Ledger
from persona_memory.ledger.index import LedgerIndex
from persona_memory.models import chat_model
from persona_memory.profile import LLMOptimizer, RuleOptimizer
from persona_memory.protocols import Embedder, Extractor, MasterKey, Optimizer, Teacher, VectorIndex
from persona_memory.registry import AdapterRegistry
from persona_memory.retrieval import Semantic
from persona_memory.retrieval.semantic import MakeIndex, NamedFailures

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

HOME_VARIABLE = "PERSONA_MEMORY_HOME"
LEDGER_FILE = "memory.db"
ADAPTERS_FOLDER = "adapters"

Encryption = MasterKey | str | os.PathLike[str] | bytes
"""What a master key can be given as; see `encryption.master_key`."""


def home_folder(home: str | os.PathLike[str] | None) -> Path:
    """The folder that everything embedded lives in: the argument, $PERSONA_MEMORY_HOME, or ~/.persona-memory."""
    chosen = home or os.environ.get(HOME_VARIABLE) or Path.home() / ".persona-memory"
    return Path(chosen).expanduser()


def ledger_url(home: Path) -> str:
    """The URL of the SQLite file in the home folder."""
    return f"sqlite:///{home / LEDGER_FILE}"


def ledger_file(home: str | os.PathLike[str] | None, url: str | None) -> Path | None:
    """The file of an embedded ledger; None for one on a server, or where the URL names no plain file."""
    if url is None:
        return home_folder(home) / LEDGER_FILE
    prefix, _, path = url.partition("///")
    return Path(path) if prefix == "sqlite:" and path and not path.startswith((":", "file:")) else None


def master(given: Encryption | None) -> MasterKey | None:
    """The master key that is given, or else that $PERSONA_MEMORY_KEY names; None where nothing is encrypted.

    Raises:
        InvalidInput: it is no key.
        MissingExtra: `cryptography` is not installed.
    """
    chosen = given if given is not None else os.environ.get(KEY_VARIABLE) or None
    return None if chosen is None else master_key(chosen)


@contextmanager
def open_adapters(
    home: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    namespace: str = "default",
    encryption: Encryption | None = None,
) -> Iterator[AdapterRegistry]:
    """The adapters of a home and no more of its memory: for a process that serves them, such as an engine's.

    Args:
        home, url, namespace, encryption: as for `PersonaMemory.open`.

    Raises:
        LedgerError: the ledger cannot be opened, or is encrypted and there is no key.
    """
    folder = home_folder(home)
    ledger = Ledger(url or ledger_url(folder), namespace=namespace, master=master(encryption))
    try:
        yield AdapterRegistry(ledger, folder / ADAPTERS_FOLDER)
    finally:
        ledger.close()


def index_maker(index: str | VectorIndex | None, *, ledger: Ledger, home: Path) -> MakeIndex:
    """How the vector index is made once the embedder's dimension is known.

    Args:
        index: None or "ledger" for exact search in the ledger; "edge" for Qdrant Edge in the home folder; an
            http(s) URL of a Qdrant server; or a `VectorIndex` of your own.

    Raises:
        InvalidInput: it is none of these.
    """
    namespace = ledger.namespace
    if in_ledger(index):
        return lambda fingerprint, dimension: LedgerIndex(ledger, fingerprint=fingerprint)
    if isinstance(index, VectorIndex):
        named = NamedFailures(index)
        return lambda fingerprint, dimension: named
    if index == "edge" and ledger.vault is not None:
        raise InvalidInput(
            "index='edge' keeps vectors in the home folder as they are, and this memory is encrypted: leave index out"
        )
    if index == "edge":
        return lambda fingerprint, dimension: _edge(home / "edge", namespace, fingerprint, dimension)
    if isinstance(index, str) and index.startswith(("http://", "https://")):
        return lambda fingerprint, dimension: _qdrant(index, namespace, fingerprint, dimension)
    raise InvalidInput(
        f"index is {index!r}; pass 'edge' or the http(s) URL of a Qdrant server (in Python also a VectorIndex), or "
        "nothing for exact search in the ledger"
    )


def in_ledger(index: str | VectorIndex | None) -> bool:
    """Whether vectors are searched in the ledger itself."""
    return index is None or index == "ledger"


def learners(
    model: BaseChatModel | str | None,
    *,
    optimize_every: int | None,
    seconds: float | None = None,
    optimizer: Optimizer | None = None,
) -> tuple[Extractor, Optimizer]:
    """What understands conversations: the chat model, or plain rules where there is none.

    Args:
        model: a LangChain chat model, a "provider:model" string (needs the `langchain` extra), or None.
        optimize_every: sessions between two optimisations of the profile (the paper's k).
        seconds: that one call of the model may take.
    """
    if model is None:
        from persona_memory.learning.rules import RuleExtractor

        rules = RuleOptimizer() if optimize_every is None else RuleOptimizer(every=optimize_every)
        return RuleExtractor(), optimizer or rules
    # Loading LangChain's model classes takes longer than everything else together: only for who uses a model.
    from persona_memory.learning.extraction import LLMExtractor
    from persona_memory.learning.structured import Asking

    chat = chat_model(model)
    every = 3 if optimize_every is None else optimize_every
    return LLMExtractor(chat, seconds=seconds), optimizer or LLMOptimizer(
        Asking(chat, seconds=seconds).ask, every=every
    )


def teacher(given: Teacher | None, model: BaseChatModel | str | None, *, seconds: float | None = None) -> Teacher:
    """Who writes what adapters are trained on: the one that is given, else the chat model.

    Raises:
        InvalidInput: there is neither.
    """
    if given is not None:
        missing = [name for name in ("teach", "name") if not hasattr(given, name)]
        if missing:
            raise InvalidInput(f"teacher is a {type(given).__name__} without {missing[0]!r}; see protocols.Teacher")
        return given
    if model is None:
        raise InvalidInput(
            "adapters are trained on pairs that a chat model writes: pass model=…, or a teacher=… of your own"
        )
    from persona_memory.learning.structured import Asking
    from persona_memory.learning.teaching import LLMTeacher

    return LLMTeacher(Asking(chat_model(model), seconds=seconds).ask)


def semantic(embedder: Embedder, index: str | VectorIndex | None, *, ledger: Ledger, home: Path) -> Semantic:
    """The embedder with its index."""
    return Semantic(embedder, index_maker(index, ledger=ledger, home=home), in_ledger=in_ledger(index))


def _edge(folder: Path, namespace: str, fingerprint: str, dimension: int) -> VectorIndex:
    from persona_memory.retrieval.edge import EdgeIndex

    return EdgeIndex(folder, namespace=namespace, fingerprint=fingerprint, dimension=dimension)


def _qdrant(url: str, namespace: str, fingerprint: str, dimension: int) -> VectorIndex:
    from persona_memory.retrieval.qdrant import QdrantIndex

    return QdrantIndex(url, namespace=namespace, fingerprint=fingerprint, dimension=dimension)
