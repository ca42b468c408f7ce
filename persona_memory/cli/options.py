"""Options that many commands share, and the memory, model and embedder that they name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from persona_memory import PersonaMemory, PersonaMemoryError
from persona_memory.cli.signals import stoppable
from persona_memory.errors import InvalidInput, MissingExtra
from persona_memory.ledger import people
from persona_memory.opening import HOME_VARIABLE, chat_model, home_folder

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from persona_memory.protocols import Embedder

Home = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME_VARIABLE, help="Folder of the memory.", show_default="~/.persona-memory"),
]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="PERSONA_MEMORY_URL", help="Postgres URL of the ledger, in place of a file."),
]
Namespace = Annotated[str, typer.Option("--namespace", envvar="PERSONA_MEMORY_NAMESPACE", help="Tenant or app.")]
Index = Annotated[
    str | None,
    typer.Option("--index", envvar="PERSONA_MEMORY_INDEX", help="Vector index: edge, or a Qdrant server's URL."),
]
Embeddings = Annotated[
    str | None,
    typer.Option(
        "--embeddings",
        envvar="PERSONA_MEMORY_EMBEDDINGS",
        help="The embedder that your application uses: minilm, hashing or provider:model. Another one would embed "
        "everything again.",
        show_default="minilm where installed",
    ),
]
User = Annotated[str, typer.Option("--user", "-u", help="Whose memory.")]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="Chat model as provider:model; without one all stays offline.")
]
Learner = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Chat model that learns, as provider:model; without one plain rules do."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def opened(
    home: Path | None, url: str | None, namespace: str, *, embeddings: str | None = None, **options: Any
) -> PersonaMemory:
    """The memory that the options name; `options` go to `PersonaMemory.open`."""
    return PersonaMemory.open(home, url=url, namespace=namespace, embeddings=embedder(embeddings), **options)


def opened_to_work(
    home: Path | None, url: str | None, namespace: str, *, embeddings: str | None, index: str | None, model: str | None
) -> PersonaMemory:
    """The memory for a command that learns and indexes itself."""
    learner = model_named(model)
    return opened(home, url, namespace, embeddings=embeddings, index=index, model=learner, worker=False)


@contextmanager
def at_work(
    home: Path | None, url: str | None, namespace: str, *, embeddings: str | None, index: str | None, model: str | None
) -> Iterator[PersonaMemory]:
    """As `opened_to_work`, for a command that Ctrl-C interrupts: then it stops promptly and says so."""
    with opened_to_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory, stoppable():
        yield memory


def opened_to_look(home: Path | None, url: str | None, namespace: str) -> PersonaMemory:
    """The memory for a command that embeds nothing: which embedder there is does not matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PersonaMemory.open(home, url=url, namespace=namespace, worker=False)


def check_id(user: str) -> None:
    """Pass if this can be a person's id, before anything else is done.

    Raises:
        InvalidUserId: it is empty, too long or no valid text.
    """
    people.checked(user)


def token_count(value: str | int) -> int:
    """The number of tokens, at least 1.

    Raises:
        BadParameter: it is none.
    """
    if not str(value).isdecimal() or int(value) < 1:
        raise typer.BadParameter(f"{value!r} is no number of tokens; pass a whole number from 1, e.g. 800")
    return int(value)


def job_number(value: str | int) -> int:
    """The number of a job.

    Raises:
        BadParameter: it is none.
    """
    if not str(value).isdecimal():
        raise typer.BadParameter(f"{value!r} is no job's number; `persona-memory jobs` lists them")
    return int(value)


def check_known(memory: PersonaMemory, user: str, home: Path | None, url: str | None) -> None:
    """Pass if the person is known.

    Raises:
        InvalidInput: nobody has this id; a mistyped id must not look like an empty memory.
    """
    if user not in memory.users():
        where = "the database" if url else str(home_folder(home))
        raise InvalidInput(f"nobody called {user!r} is known in {where}; `persona-memory show` lists all people")


def model_named(name: str | None) -> BaseChatModel | None:
    """The chat model of a "provider:model" name; None for None.

    Raises:
        InvalidInput: its provider is unknown, not installed, or refuses (e.g. a missing key).
    """
    if name is None:
        return None
    try:
        return chat_model(name)
    except PersonaMemoryError:
        raise
    except Exception as error:  # providers raise errors of their own
        raise InvalidInput(f"the model {name!r} cannot be used, {type(error).__name__}: {error}") from error


def embedder(name: str | None) -> Embedder | None:
    """The embedder of this name; None, the default one, for None.

    Raises:
        MissingExtra: MiniLM, or langchain for a "provider:model" name, is not installed.
        InvalidInput: the name is none, or its provider refuses.
    """
    if name is None:
        return None
    if name == "hashing":
        from persona_memory.retrieval.hashing import HashingEmbedder

        return HashingEmbedder()
    if name == "minilm":
        return _minilm()
    if ":" not in name:
        raise InvalidInput(f"embeddings are {name!r}; pass minilm, hashing or provider:model")
    try:
        from langchain.embeddings import init_embeddings
    except ImportError as error:
        raise MissingExtra(f"the embedder {name!r}", "langchain") from error
    try:
        made: Any = init_embeddings(name)
        return made  # type: ignore[no-any-return]
    except Exception as error:  # providers raise errors of their own
        raise InvalidInput(f"the embedder {name!r} cannot be used, {type(error).__name__}: {error}") from error


def _minilm() -> Embedder:
    from persona_memory.retrieval.embeddings import weights_folder

    folder = weights_folder()
    if folder is None:
        raise MissingExtra("the embedder 'minilm'", "offline")
    from persona_memory.retrieval.minilm import MiniLMEmbedder

    return MiniLMEmbedder(folder)
