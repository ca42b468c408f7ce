"""The commands. Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from persona_memory import PersonaMemory, PersonaMemoryError
from persona_memory import pictures
from persona_memory.errors import InvalidInput
from persona_memory.opening import HOME_VARIABLE

app = typer.Typer(
    name="persona-memory",
    help="A lifelong memory of each user: see it, ask it, feed it, erase it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

Home = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME_VARIABLE, help="Folder of the memory.", show_default="~/.persona-memory"),
]
Url = Annotated[str | None, typer.Option("--url", envvar="PERSONA_MEMORY_URL", help="Postgres URL of the ledger.")]
Namespace = Annotated[str, typer.Option("--namespace", help="Tenant or app.")]
User = Annotated[str, typer.Option("--user", "-u", help="Whose memory.")]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="Chat model as provider:model; without one all stays offline.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Part(StrEnum):
    """What `show` can show."""

    all = "all"
    profile = "profile"
    knowledge = "knowledge"
    memories = "memories"
    jobs = "jobs"


class Format(StrEnum):
    """What `import` can read."""

    openai = "openai"
    chatgpt = "chatgpt"
    locomo = "locomo"


def main() -> None:
    """Run the command line; the console script's entry."""
    try:
        app()
    except PersonaMemoryError as error:
        err.print(f"persona-memory: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted; what was said is kept, what was not learnt waits", style="yellow")
        sys.exit(130)


@app.command()
def demo(
    home: Annotated[Path | None, typer.Option("--home", help="Keep the demo's memory here.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Without pauses.")] = False,
) -> None:
    """Two people, a dozen conversations: what is learnt, recalled and forgotten. Offline."""
    from persona_memory.demo.play import play

    play(out, home=home, pause=0.0 if fast or not out.is_terminal else 0.6)


@app.command()
def chat(
    user: User,
    model: Model = None,
    thread: Annotated[str | None, typer.Option("--thread", help="Go on with this conversation.")] = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Talk with a model that remembers you. Ctrl-D ends it."""
    from persona_memory.cli.chat import talk

    with _open(home, url, namespace, model=model) as memory:
        talk(memory, out, user_id=user, model=model, thread_id=thread)


@app.command()
def recall(
    query: Annotated[str, typer.Argument(help="The message to remember something for.")],
    user: User,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=0, help="Budget of the text.")] = 800,
    thread: Annotated[str | None, typer.Option("--thread", help="The conversation it is part of.")] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """What would be remembered for a message, with the reasons."""
    with _open(home, url, namespace, worker=False) as memory:
        found = memory.recall(query, user_id=user, thread_id=thread, max_tokens=max_tokens)
    if as_json:
        _print_json({"query": query, "user_id": user, "text": found.text, **asdict(found)})
    else:
        pictures.recall(out, found)


@app.command()
def show(
    user: Annotated[str | None, typer.Option("--user", "-u", help="Whose memory; without one, all people.")] = None,
    part: Annotated[Part, typer.Argument(help="What to show.")] = Part.all,
    as_of: Annotated[datetime | None, typer.Option("--as-of", help="The profile as of this moment.")] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """A person's profile with its evidence, knowledge, memories and jobs."""
    with _open(home, url, namespace, worker=False) as memory:
        if user is None:
            people = [{"user_id": one, **memory.progress(user_id=one)} for one in memory.users()]
            _print_json(people) if as_json else pictures.people(out, people)
        elif as_json:
            _print_json(_everything(memory, user, part, as_of))
        else:
            _show(memory, user, part, as_of)


@app.command("import")
def import_(
    format: Annotated[Format, typer.Argument(help="How the file is written.")],
    path: Annotated[Path, typer.Argument(help="The file.")],
    user: Annotated[str | None, typer.Option("--user", "-u", help="Whose messages they are (openai, chatgpt).")] = None,
    learn: Annotated[bool, typer.Option("--learn/--no-learn", help="Learn and index now, too.")] = True,
    model: Model = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Bring conversations from a file into memory. The same file twice changes nothing."""
    from persona_memory.cli.importing import import_file

    with _open(home, url, namespace, worker=False, model=model) as memory:
        import_file(memory, err, format.value, path, user_id=user, learn=learn)


@app.command()
def export(
    user: User,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default stdout.")] = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Everything that is stored of a person, as JSON."""
    with _open(home, url, namespace, worker=False) as memory:
        everything = memory.export(user_id=user)
    text = json.dumps(everything, ensure_ascii=False, indent=2)
    if output is None:
        sys.stdout.write(text + "\n")
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot write {str(output)!r}: {error.strerror}") from error
    err.print(f"wrote {len(everything['messages'])} messages and {len(everything['memories'])} memories to {output}")


@app.command()
def forget(
    user: User,
    ids: Annotated[list[str] | None, typer.Argument(help="Memories (m…) or turns (t…) to erase.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Erase all of the person.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Erase memories with the words they came from, or a whole person; prints the receipt."""
    if bool(ids) == everything:
        raise typer.BadParameter("name the memories to erase, or --everything")
    with _open(home, url, namespace, worker=False) as memory:
        if user not in memory.users():
            raise InvalidInput(f"nobody called {user!r} is known; `persona-memory show` lists all people")
        if not yes:
            typer.confirm(f"Erase {'everything' if everything else ', '.join(ids or [])} of {user!r}?", abort=True)
        if everything:
            receipt = memory.delete_user(user_id=user)
        else:
            receipt = memory.forget(ids or [], user_id=user)
            memory.flush(user_id=user)
    pictures.receipt(out, receipt)


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="End when all that is queued is done.")] = False,
    model: Model = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Learn and index in the background, beside the process that talks. Ctrl-C ends it cleanly."""
    with _open(home, url, namespace, worker=False, model=model) as memory:
        if once:
            memory.flush()
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: memory.stop_worker())
        err.print("persona-memory worker: at work; Ctrl-C ends it")
        memory.run_worker()
        err.print("persona-memory worker: stopped; what is left waits in the ledger")


@app.command()
def jobs(
    user: Annotated[str | None, typer.Option("--user", "-u", help="Only this person's.")] = None,
    retry: Annotated[int | None, typer.Option("--retry", help="Try this parked job again.")] = None,
    discard: Annotated[
        int | None, typer.Option("--discard", help="Drop this parked job; its turns stay findable.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Background work: what waits, runs, or was parked and why."""
    with _open(home, url, namespace, worker=False) as memory:
        for number, act in ((retry, memory.retry_job), (discard, memory.discard_job)):
            if number is not None:
                owner = next((job.user_id for job in memory.jobs() if job.id == number), "")
                if not owner:
                    raise InvalidInput(f"there is no job {number!r}; `persona-memory jobs` lists them")
                act(number, user_id=owner)
        found = memory.jobs(user_id=user)
    _print_json([asdict(job) for job in found]) if as_json else pictures.jobs(out, found)


def _open(home: Path | None, url: str | None, namespace: str, **options: Any) -> PersonaMemory:
    return PersonaMemory.open(home, url=url, namespace=namespace, **options)


def _show(memory: PersonaMemory, user: str, part: Part, as_of: datetime | None) -> None:
    if user not in memory.users():
        raise InvalidInput(f"nobody called {user!r} is known; `persona-memory show` lists all people")
    if part in (Part.all, Part.profile):
        pictures.profile(out, memory.profile(user_id=user, as_of=as_of))
    if part in (Part.all, Part.knowledge):
        pictures.knowledge(out, memory.knowledge(user_id=user))
    if part in (Part.all, Part.memories):
        pictures.memories(out, memory.memories(user_id=user, superseded=True))
    if part in (Part.all, Part.jobs):
        pictures.progress(out, memory.progress(user_id=user))
        pictures.jobs(out, memory.jobs(user_id=user))


def _everything(memory: PersonaMemory, user: str, part: Part, as_of: datetime | None) -> dict[str, Any]:
    parts: dict[Part, Any] = {
        Part.profile: lambda: [asdict(one) for one in memory.profile(user_id=user, as_of=as_of).entries.values()],
        Part.knowledge: lambda: asdict(memory.knowledge(user_id=user)),
        Part.memories: lambda: [asdict(one) for one in memory.memories(user_id=user, superseded=True)],
        Part.jobs: lambda: [asdict(one) for one in memory.jobs(user_id=user)],
    }
    chosen = parts if part is Part.all else {part: parts[part]}
    return {"user_id": user, **{str(name): value() for name, value in chosen.items()}}


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
