"""Options that many commands share, and the memory that they name."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from persona_memory import PersonaMemory
from persona_memory.cli.signals import stoppable
from persona_memory.encryption import KEY_VARIABLE
from persona_memory.errors import InvalidInput
from persona_memory.ledger import Ledger, people
from persona_memory.models import chat_model
from persona_memory.opening import HOME_VARIABLE, home_folder, ledger_file, ledger_url, master
from persona_memory.protocols import MasterKey

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from persona_memory.parametric import Plan

WHERE = "Which memory"
MODELS = "What understands"
COSTS = "What learning may cost"
_PYTHONS = {"True": "true", "False": "false", "None": "null"}
"""What Python says for JSON's: "False" as a text would be true to a template."""
EMBEDDERS = "minilm, hashing or provider:model"

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="FOLDER", envvar=HOME_VARIABLE, rich_help_panel=WHERE, show_default="~/.persona-memory",
        help="Folder that the memory lives in.",
    ),
]  # fmt: skip
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", envvar="PERSONA_MEMORY_URL", rich_help_panel=WHERE,
        help="Ledger in Postgres in place of the folder: postgresql+psycopg://USER@HOST/DATABASE.",
    ),
]  # fmt: skip
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", metavar="NAME", envvar="PERSONA_MEMORY_NAMESPACE", rich_help_panel=WHERE,
        help="The tenant or application whose people are meant.",
    ),
]  # fmt: skip
_key_file: ContextVar[Path | None] = ContextVar("_key_file", default=None)
"""What --key-file of the command under way names; no other command passes it on."""


def _remember(path: Path | None) -> Path | None:
    _key_file.set(path)
    return path


KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", rich_help_panel=WHERE, callback=_remember, show_default=f"${KEY_VARIABLE}",
        help="Master key of an encrypted memory, as `keygen` wrote it.",
    ),
]  # fmt: skip
Index = Annotated[
    str | None,
    typer.Option(
        "--index", metavar="INDEX", envvar="PERSONA_MEMORY_INDEX", rich_help_panel=WHERE, show_default="in the ledger",
        help="Where your application keeps its vectors: edge, or the URL of a Qdrant server.",
    ),
]  # fmt: skip
Embeddings = Annotated[
    str | None,
    typer.Option(
        "--embeddings", metavar="NAME", envvar="PERSONA_MEMORY_EMBEDDINGS", rich_help_panel=WHERE,
        show_default="minilm where installed, else hashing",
        help=f"The embedder that your application uses: {EMBEDDERS}. With another one all is embedded again.",
    ),
]  # fmt: skip
User = Annotated[str, typer.Option("--user", "-u", metavar="ID", help="The person whose memory it is.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="PROVIDER:MODEL", show_default="offline, it only quotes",
        help="Chat model that answers and learns, e.g. openai:gpt-5-mini; needs its provider's package and key.",
    ),
]  # fmt: skip
Learner = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="PROVIDER:MODEL", show_default="plain rules for English",
        help="Chat model that learns, e.g. openai:gpt-5-mini; needs its provider's package and key.",
    ),
]  # fmt: skip
Local = Annotated[
    str,
    typer.Option(
        "--local", metavar="MODEL", rich_help_panel=MODELS,
        help="Base model that adapters are trained for: a folder, or a name on the Hugging Face hub.",
    ),
]  # fmt: skip
TrainedAs = Annotated[
    Literal["default", "small"],
    typer.Option(
        "--plan", rich_help_panel=MODELS,
        help="How adapters are trained and examined; small: for a base of a few million parameters.",
    ),
]  # fmt: skip
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option("--dtype", rich_help_panel=MODELS, help="Numbers of the base; auto: the checkpoint's own."),
]
TemplateOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--template-option", metavar="NAME=VALUE", rich_help_panel=MODELS, show_default="none",
        help="Variable of the base's chat template, as your application sets it, e.g. enable_thinking=false.",
    ),
]  # fmt: skip
CallsADay = Annotated[
    int | None,
    typer.Option(
        "--calls-a-day", min=1, metavar="N", envvar="PERSONA_MEMORY_CALLS_A_DAY", rich_help_panel=COSTS,
        show_default="no limit", help="Most calls of the model on one day (UTC); the rest waits.",
    ),
]  # fmt: skip
TokensADay = Annotated[
    int | None,
    typer.Option(
        "--tokens-a-day", min=1, metavar="N", envvar="PERSONA_MEMORY_TOKENS_A_DAY", rich_help_panel=COSTS,
        show_default="no limit", help="Most tokens that it reads and writes on one day.",
    ),
]  # fmt: skip
UserCallsADay = Annotated[
    int | None,
    typer.Option(
        "--user-calls-a-day", min=1, metavar="N", envvar="PERSONA_MEMORY_USER_CALLS_A_DAY", rich_help_panel=COSTS,
        show_default="no limit", help="As --calls-a-day, for each person.",
    ),
]  # fmt: skip
UserTokensADay = Annotated[
    int | None,
    typer.Option(
        "--user-tokens-a-day", min=1, metavar="N", envvar="PERSONA_MEMORY_USER_TOKENS_A_DAY", rich_help_panel=COSTS,
        show_default="no limit", help="As --tokens-a-day, for each person.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


class _Flags:
    """Help in which a flag has no type beside it: some versions of typer print "<bool>" there."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, flags without a type."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


class Command(_Flags, TyperCommand):
    """A command of ours."""


class Group(_Flags, TyperGroup):
    """All commands of ours."""


def opened(home: Path | None, url: str | None, namespace: str, **options: Any) -> PersonaMemory:
    """The memory that the options name; `options` go to `PersonaMemory.open`."""
    return PersonaMemory.open(home, url=url, namespace=namespace, encryption=_key_file.get(), **options)


def ledger_of(home: Path | None, url: str | None, namespace: str) -> Ledger:
    """The ledger that the options name, by itself."""
    return Ledger(url or ledger_url(home_folder(home)), namespace=namespace, master=master(_key_file.get()))


def key_named() -> Path | None:
    """What --key-file names."""
    return _key_file.get()


def key_given() -> MasterKey:
    """The master key that --key-file or the environment names.

    Raises:
        InvalidInput: there is none.
    """
    given = master(_key_file.get())
    if given is None:
        raise InvalidInput(f"which key? name a key file with --key-file or {KEY_VARIABLE}; `keygen FILE` makes one")
    return given


@contextmanager
def at_work(home: Path | None, url: str | None, namespace: str, **options: Any) -> Iterator[PersonaMemory]:
    """The memory for a command that learns and indexes itself; Ctrl-C stops it promptly, and it says so."""
    with opened(home, url, namespace, worker=False, **options) as memory, stoppable():
        yield memory


def opened_to_look(home: Path | None, url: str | None, namespace: str) -> PersonaMemory:
    """The memory for a command that embeds nothing: which embedder there is does not matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return opened(home, url, namespace, worker=False)


def is_there(home: Path | None, url: str | None) -> bool:
    """Whether there is a memory to look into; who only looks must not make one, e.g. of a mistyped folder."""
    file = ledger_file(home, url)
    try:
        return file is None or bool(file.stat())
    except FileNotFoundError:
        return False
    except OSError:  # a path through a file, or one that may not be entered: opening it says so
        return True


def check_there(user: str, home: Path | None, url: str | None) -> None:
    """Pass if there is a memory that could know the person.

    Raises:
        InvalidInput: there is none.
    """
    if not is_there(home, url):
        raise InvalidInput(f"nobody called {user!r} is known: {no_memory(home, url)}")


def no_memory(home: Path | None, url: str | None) -> str:
    """That there is no memory, where, and how it is found or begun."""
    file = ledger_file(home, url)
    folder = str(file.parent if file else home_folder(home))
    return f"there is no memory in {folder!r} yet. --home names another folder; `chat` and `import` begin one"


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


def template_values(given: Sequence[str] | None) -> dict[str, Any]:
    """The variables of --template-option: true, false, null, numbers and other JSON as such, all else as text.

    Raises:
        BadParameter: one is not NAME=VALUE.
    """
    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{one!r} sets nothing; pass --template-option NAME=VALUE")
        try:
            found[name] = json.loads(_PYTHONS.get(value, value))
        except ValueError:
            found[name] = value
    return found


def plan_named(name: TrainedAs) -> Plan:
    """The plan of --plan.

    Raises:
        MissingExtra: there is no torch.
    """
    from persona_memory.parametric import SMALL, Plan

    return SMALL if name == "small" else Plan()


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
    return None if name is None else chat_model(name)
