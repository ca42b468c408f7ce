"""The commands. Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage, 130 interrupted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from persona_memory import PersonaMemory, __version__, pictures
from persona_memory.cli.evaluating import evaluate
from persona_memory.cli.options import (
    Embeddings,
    Home,
    Index,
    Json,
    Learner,
    Model,
    Namespace,
    Url,
    User,
    at_work,
    check_id,
    check_known,
    job_number,
    model_named,
    opened,
    opened_to_look,
    opened_to_work,
    token_count,
)
from persona_memory.cli.output import as_json as to_json
from persona_memory.cli.output import complain, err, note, out, print_json
from persona_memory.cli.peeking import peeking
from persona_memory.cli.showing import Part, as_pictures, as_values
from persona_memory.cli.signals import stop_on_signals
from persona_memory.errors import InvalidInput
from persona_memory.opening import LEDGER_FILE

app = typer.Typer(
    name="persona-memory",
    help="A lifelong memory of each user: see it, ask it, feed it, erase it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.command("eval")(evaluate)


class Format(StrEnum):
    """What `import` can read."""

    openai = "openai"
    chatgpt = "chatgpt"
    locomo = "locomo"


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"persona-memory {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A lifelong memory of each user: see it, ask it, feed it, erase it."""


@app.command()
def demo(
    home: Annotated[Path | None, typer.Option("--home", help="Keep the demo's memory here.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Without pauses.")] = False,
) -> None:
    """Two people, a dozen conversations: what is learnt, recalled and forgotten. Offline."""
    from persona_memory.demo.play import play

    if home is not None and (home / LEDGER_FILE).exists():
        raise InvalidInput(f"there is a memory in {str(home)!r} already; give the demo a folder of its own")
    if not play(out, home=home, pause=0.0 if fast or not out.is_terminal else 0.6):
        raise typer.Exit(1)


@app.command()
def chat(
    user: User,
    model: Model = None,
    thread: Annotated[str | None, typer.Option("--thread", help="Go on with this conversation.")] = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Talk with a model that remembers you. Ctrl-D ends it."""
    from persona_memory.cli.chat import talk

    check_id(user)
    answering = model_named(model)
    with opened(home, url, namespace, embeddings=embeddings, index=index, model=answering) as memory:
        talk(memory, out, user_id=user, model=answering, thread_id=thread)


@app.command()
def recall(
    query: Annotated[str, typer.Argument(help="The message to remember something for.")],
    user: User,
    max_tokens: Annotated[
        int,
        typer.Option("--max-tokens", parser=token_count, metavar="<tokens>", help="Budget of the text, at least 1."),
    ] = 800,
    thread: Annotated[str | None, typer.Option("--thread", help="The conversation it is part of.")] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """What would be remembered for a message, with the reasons."""
    if not query.strip():
        raise typer.BadParameter("the message is empty; pass what the person says, in quotes")
    with opened(home, url, namespace, embeddings=embeddings, index=index, worker=False) as memory:
        check_known(memory, user, home, url)
        found = memory.recall(query, user_id=user, thread_id=thread, max_tokens=max_tokens)
    if as_json:
        print_json({"query": query, "user_id": user, "text": found.text, **asdict(found)})
    else:
        pictures.recall(out, found)


@app.command()
def show(
    user: Annotated[str | None, typer.Option("--user", "-u", help="Whose memory; without one, all people.")] = None,
    part: Annotated[Part, typer.Argument(help="What to show.")] = Part.all,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="The profile as of this moment (UTC).",
        ),
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """A person's profile with its evidence, knowledge, memories and jobs."""
    if user is None and part is not Part.all:
        raise typer.BadParameter(f"whose {part}? add --user ID; without a part, all people are listed")
    if as_of is not None and part not in (Part.all, Part.profile):
        raise typer.BadParameter("--as-of goes with the profile only")
    with opened_to_look(home, url, namespace) as memory:
        if user is None:
            people = [{"user_id": one, **memory.progress(user_id=one)} for one in memory.users()]
            print_json(people) if as_json else pictures.people(out, people)
            return
        check_known(memory, user, home, url)
        if as_json:
            print_json(as_values(memory, user, part, as_of))
        else:
            as_pictures(memory, user, part, as_of)


@app.command("import")
def import_(
    format: Annotated[Format, typer.Argument(help="How the file is written.")],
    path: Annotated[Path, typer.Argument(help="The file.")],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Whose messages they are, where the file does not say.")
    ] = None,
    learn: Annotated[bool, typer.Option("--learn/--no-learn", help="Learn and index now, too.")] = True,
    model: Learner = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Bring conversations from a file into memory. The same file twice changes nothing.

    openai: a JSON array or JSONL of {"role", "content"}, or what `export` writes. chatgpt: conversations.json of a data
    export, or its .zip. locomo: locomo10.json. Ctrl-C loses nothing: the same command goes on where it ended.
    """
    from persona_memory.cli.importing import import_file, learn_now, read, say_what_came

    if user is not None:
        check_id(user)
    total = sum(1 for _ in read(format.value, path, user_id=user))  # a malformed file stores nothing
    with at_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory:
        people = import_file(memory, err, read(format.value, path, user_id=user), path, total=total)
        with peeking(home, url, namespace) as peek:
            say_what_came(peek, people, total=total)
            if learn:
                learn_now(memory, err, peek, people)
                _say_what_is_parked(memory)


@app.command()
def export(
    user: User,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default stdout.")] = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Everything that is stored of a person, as JSON; `import openai` reads its messages back.

    One object: "messages" in OpenAI's style, and beside them events, memories, profile and policy, for reading. To
    bring the messages into another memory: persona-memory import openai FILE --home FOLDER (or --namespace NAME).
    """
    with opened_to_look(home, url, namespace) as memory:
        check_known(memory, user, home, url)
        everything = memory.export(user_id=user)
    if output is None:
        print_json(everything)
        return
    try:
        output.write_text(to_json(everything) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot write {str(output)!r}: {error.strerror}") from error
    note(f"wrote {len(everything['messages'])} messages and {len(everything['memories'])} memories to {output}")


@app.command()
def forget(
    user: User,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Memories (m…), turns (t…) or profile fields to erase.")
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Erase all of the person.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    learn: Annotated[
        bool, typer.Option("--learn/--no-learn", help="Learn what remains of the words again now, or leave it.")
    ] = True,
    model: Learner = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Erase memories with the words they came from, or a whole person; prints the receipt.

    What else those words told is learnt again. It cannot be undone, and a later import of the same messages leaves out
    what was erased.
    """
    if ids and everything:
        raise typer.BadParameter("either ids or --everything, not both")
    if not ids and not everything:
        raise typer.BadParameter("name ids or profile fields to erase, or --everything")
    from persona_memory.cli.forgetting import forget_all, forget_some

    with at_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory:
        check_known(memory, user, home, url)
        if everything:
            receipt = forget_all(memory, user, ask=not yes)
        else:
            with peeking(home, url, namespace) as peek:
                receipt = forget_some(memory, peek, user, ids or [], ask=not yes, learn=learn, model=model)
            _say_what_is_parked(memory)
    if not receipt.complete and not (url or "").startswith("postgresql"):
        note("`persona-memory worker --once` finishes it")


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="End when all that is queued is done.")] = False,
    model: Learner = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Learn and index in the background, beside the process that talks. Ctrl-C ends it cleanly."""
    if once:
        with at_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory:
            memory.flush()
            _say_what_is_parked(memory)
        return
    with opened_to_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory:
        stop_on_signals(memory)
        note("persona-memory worker: at work; Ctrl-C ends it")
        memory.run_worker()
        note("persona-memory worker: stopped; what is left waits in the ledger")


@app.command()
def jobs(
    user: Annotated[str | None, typer.Option("--user", "-u", help="Only this person's.")] = None,
    retry: Annotated[
        int | None, typer.Option("--retry", parser=job_number, metavar="<job>", help="Try this parked job again.")
    ] = None,
    discard: Annotated[
        int | None,
        typer.Option(
            "--discard", parser=job_number, metavar="<job>", help="Drop this parked job; its turns stay findable."
        ),
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
) -> None:
    """Background work: what waits, runs, or was parked and why."""
    with opened_to_look(home, url, namespace) as memory:
        if user is not None:
            check_known(memory, user, home, url)
        for number, act in ((retry, memory.retry_job), (discard, memory.discard_job)):
            if number is not None:
                act(number, user_id=_owner(memory, number))
        found = memory.jobs(user_id=user)
    print_json([asdict(job) for job in found]) if as_json else pictures.jobs(out, found)


def _owner(memory: PersonaMemory, number: int) -> str:
    for job in memory.jobs():
        if job.id == number:
            return job.user_id
    raise InvalidInput(f"there is no job {number!r}; `persona-memory jobs` lists them")


def _say_what_is_parked(memory: PersonaMemory) -> None:
    parked = sum(job.state == "parked" for job in memory.jobs())
    if parked:
        complain(f"parked after failing: {parked} jobs; `persona-memory jobs` says why", style="yellow")
