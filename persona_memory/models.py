"""Chat models and embedders by name: "provider:model" as LangChain has it, "minilm" and "hashing" as we have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from persona_memory.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from persona_memory.protocols import Embedder


def chat_model(model: BaseChatModel | str) -> BaseChatModel:
    """The chat model, made from its "provider:model" name where it is one.

    Raises:
        MissingExtra: a name was given and langchain is not installed.
        InvalidInput: it is neither a name nor a chat model; or its provider is unknown, its package is missing, or it
            refuses (e.g. for want of a key).
    """
    if not isinstance(model, str):
        if not hasattr(model, "with_structured_output"):
            raise InvalidInput(f"model is {model!r}; pass a LangChain chat model or a name such as 'openai:gpt-5-mini'")
        return model
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise MissingExtra(f"the model {model!r}", "langchain") from error
    with _in_one_line(f"the model {model!r}", model, table="langchain.chat_models.base"):
        made: BaseChatModel = init_chat_model(model)
    return made


def embedder(embeddings: Embedder | str | None) -> Embedder:
    """The embedder, made from its name where it is one: "minilm", "hashing" or "provider:model".

    Args:
        embeddings: None for the local MiniLM where installed, else hashed words with a warning.

    Raises:
        MissingExtra: MiniLM, or langchain for a "provider:model" name, is not installed.
        InvalidInput: it is no name and cannot embed; or its provider is unknown, not installed, or refuses.
    """
    if embeddings is None:
        from persona_memory.retrieval.embeddings import default_embedder

        return default_embedder()
    if not isinstance(embeddings, str):
        if not hasattr(embeddings, "embed_documents"):
            raise InvalidInput(f"embeddings is {embeddings!r}; pass a LangChain Embeddings, or one of: {_EMBEDDERS}")
        return embeddings
    if embeddings == "hashing":
        from persona_memory.retrieval.hashing import HashingEmbedder

        return HashingEmbedder()
    if embeddings == "minilm":
        return _minilm()
    if ":" not in embeddings:
        raise InvalidInput(f"there is no embedder {embeddings!r}; pass one of: {_EMBEDDERS}")
    return _provided(embeddings)


_EMBEDDERS = "minilm, hashing or provider:model"


def _minilm() -> Embedder:
    from persona_memory.retrieval.embeddings import weights_folder

    folder = weights_folder()
    if folder is None:
        raise MissingExtra("the embedder 'minilm'", "offline")
    from persona_memory.retrieval.minilm import MiniLMEmbedder

    return MiniLMEmbedder(folder)


def _provided(name: str) -> Embedder:
    try:
        from langchain.embeddings import init_embeddings
    except ImportError as error:
        raise MissingExtra(f"the embedder {name!r}", "langchain") from error
    with _in_one_line(f"the embedder {name!r}", name, table="langchain.embeddings.base"):
        made: Any = init_embeddings(name)
    return made  # type: ignore[no-any-return]


@contextmanager
def _in_one_line(what: str, name: str, *, table: str) -> Iterator[None]:
    """Whatever LangChain or a provider raises inside, as one line that says what to do.

    Args:
        table: the module whose table of providers is quoted to who names none of them.
    """
    try:
        yield
    except Exception as error:  # providers raise errors of their own
        said = " ".join(str(error).split())
        known: dict[str, tuple[str, ...]] = getattr(import_module(table), "_BUILTIN_PROVIDERS", {})
        provider = name.partition(":")[0].replace("-", "_").casefold()
        if isinstance(error, ImportError) and (package := re.search(r"pip install ([\w-]+)", said)):
            raise InvalidInput(f"{what} needs its provider's package: pip install {package[1]}") from error
        if isinstance(error, ValueError) and known and provider not in known and "rovider" in said:
            raise InvalidInput(
                f"{what} names no provider; write provider:model with one of {', '.join(sorted(known))}, and install "
                "its package, e.g. pip install langchain-openai"
            ) from error
        raise InvalidInput(f"{what} cannot be used, {type(error).__name__}: {said}") from error
