"""The commands. Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage, 130 interrupted."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from persona_memory import Backlog, Budgets, __version__, pictures
from persona_memory.cli import queue
from persona_memory.cli.adapters import adapters, consolidate, trainer
from persona_memory.cli.encrypting import decrypt, encrypt, export_sealed, keygen, rotate_key
from persona_memory.cli.evaluating import evaluate
from persona_memory.cli.keeping import backup, doctor, restore, verify_erasure
from persona_memory.cli.mcp import mcp, mcp_token
from persona_memory.cli.meta import meta_train, starts
from persona_memory.cli.options import (
    MODELS,
    CallsADay,
    Command,
    Dtype,
    Embeddings,
    Group,
    Home,
    Index,
    Json,
    KeyFile,
    Learner,
    Model,
    Namespace,
    TemplateOptions,
    TokensADay,
    TrainedAs,
    Url,
    User,
    UserCallsADay,
    UserTokensADay,
    at_work,
    check_id,
    check_known,
    check_there,
    is_there,
    model_named,
    no_memory,
    opened,
    opened_to_look,
    token_count,
)
from persona_memory.cli.output import as_json as to_json
from persona_memory.cli.output import err, note, out, print_json, write_bytes
from persona_memory.cli.peeking import peeking
from persona_memory.cli.queue import State, job_or_all
from persona_memory.cli.serving import api_key, serve
from persona_memory.cli.showing import Part, as_pictures, as_values
from persona_memory.cli.signals import stop_on_signals
from persona_memory.errors import InvalidInput
from persona_memory.opening import LEDGER_FILE

ABOUT = "A lifelong memory of each user: see it, ask it, feed it, erase it."
TRY, LOOK, CHANGE, WORK = "Begin", "Look", "Feed and erase", "Work and measure"
SERVE, KEEP, CRYPT = "Serve", "Keep", "Encrypt"

app = typer.Typer(
    name="persona-memory",
    cls=Group,
    help=ABOUT,
    epilog="persona-memory COMMAND --help lists the options of a command, with examples.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def examples(*lines: str) -> str:
    """What stands below a command's options."""
    return "\n".join(("Examples:", *(f"  persona-memory {line}" for line in lines)))


class Format(StrEnum):
    """What `import` can read."""

    openai = "openai"
    chatgpt = "chatgpt"
    locomo = "locomo"
    mem0 = "mem0"


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


@app.command(
    rich_help_panel=TRY, epilog=examples("demo --fast --home demo-memory", "show --user ana --home demo-memory")
)
def demo(
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", metavar="FOLDER", show_default="thrown away at the end", help="New folder that keeps its memory."
        ),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Play without pauses between the messages.")] = False,
    short: Annotated[
        bool, typer.Option("--short", help="Play the conversations only, without the act that trains adapters.")
    ] = False,
) -> None:
    """Watch two people in twelve conversations: what is learnt, recalled, forgotten, and trained. Offline."""
    from persona_memory.demo.play import play

    if home is not None and (home / LEDGER_FILE).exists():
        raise InvalidInput(f"there is a memory in {str(home)!r} already; give the demo a folder of its own")
    if not play(out, home=home, pause=0.0 if fast or not out.is_terminal else 0.6, short=short):
        raise typer.Exit(1)


@app.command(rich_help_panel=TRY, epilog=examples("chat --user me", "chat --user me --model openai:gpt-5-mini"))
def chat(
    user: User,
    model: Model = None,
    thread: Annotated[
        str | None,
        typer.Option(
            "--thread", metavar="ID", show_default="a new one", help="Name of the conversation to go on with."
        ),
    ] = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Talk with a model that remembers you. An empty line or Ctrl-D ends it."""
    from persona_memory.cli.chat import talk

    check_id(user)
    answering = model_named(model)
    with opened(home, url, namespace, embeddings=embeddings, index=index, model=answering) as memory:
        talk(memory, out, user_id=user, model=answering, thread_id=thread)


@app.command(
    rich_help_panel=LOOK,
    epilog=examples('recall --user me "Where do I live?"', 'recall --user me --max-tokens 400 --json "And my dog?"'),
)
def recall(
    query: Annotated[str, typer.Argument(help="The message to remember something for, in quotes.")],
    user: User,
    max_tokens: Annotated[
        int,
        typer.Option("--max-tokens", parser=token_count, metavar="N", help="Most tokens that the text may take."),
    ] = 800,
    thread: Annotated[
        str | None,
        typer.Option(
            "--thread", metavar="ID", help="Conversation that the message is part of: “and there?” is understood."
        ),
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """See what would be remembered for a message, and why."""
    if not query.strip():
        raise typer.BadParameter("the message is empty; pass what the person says, in quotes")
    check_there(user, home, url)
    with opened(home, url, namespace, embeddings=embeddings, index=index, worker=False) as memory:
        check_known(memory, user, home, url)
        found = memory.recall(query, user_id=user, thread_id=thread, max_tokens=max_tokens)
    if as_json:
        print_json({"query": query, "user_id": user, "text": found.text, **asdict(found)})
    else:
        pictures.recall(out, found)


@app.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "show", "show --user me", "show profile --user me --as-of 2026-05-01", "show memories -u me --json"
    ),
)
def show(
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", metavar="ID", show_default="all people", help="The person whose memory it is."),
    ] = None,
    part: Annotated[Part, typer.Argument(help="What to show of the person.")] = Part.all,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            metavar="DATE",
            show_default="now",
            help="The profile as it was on 2026-05-01 or at 2026-05-01T18:30, in UTC unless a zone is named.",
        ),
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
) -> None:
    """See who is known; of a person the profile with its evidence, knowledge, memories and jobs."""
    if user is None and part is not Part.all:
        raise typer.BadParameter(f"whose {part}? add --user ID; without a part, all people are listed")
    if as_of is not None and part not in (Part.all, Part.profile):
        raise typer.BadParameter("--as-of goes with the profile only")
    if user is None and not is_there(home, url):
        print_json([]) if as_json else pictures.people(out, [])
        note(no_memory(home, url))
        return
    if user is not None:
        check_there(user, home, url)
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


@app.command(
    "import",
    rich_help_panel=CHANGE,
    epilog=examples(
        "import openai messages.json --user me", "import chatgpt export.zip --user me", "import locomo locomo10.json"
    ),
)
def import_(
    format: Annotated[Format, typer.Argument(help="How the file is written, see above.")],
    path: Annotated[Path, typer.Argument(help="The file to read.")],
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", metavar="ID", help="Whose messages they are, where the file does not say so."),
    ] = None,
    learn: Annotated[
        bool, typer.Option("--learn/--no-learn", help="Learn and index at once, or leave it to the next worker.")
    ] = True,
    model: Learner = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Bring conversations, or another memory, from a file into this one. The same file twice changes nothing.

    openai: a JSON array or JSONL of {"role", "content"}, or what `export` writes.

    chatgpt: conversations.json of a data export, or its .zip.

    locomo: locomo10.json.

    mem0: what its get_all gives, as JSON.

    Ctrl-C loses nothing: the same command goes on where it ended.
    """
    from persona_memory.cli.importing import import_file, import_statements, learn_now, read, say_what_came
    from persona_memory.importers import read_mem0

    if user is not None:
        check_id(user)
    mem0 = format is Format.mem0
    said = read_mem0(path, user_id=user) if mem0 else read(format.value, path, user_id=user)
    total = sum(1 for _ in said)  # a malformed file stores nothing
    with at_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory:
        if mem0:
            people = import_statements(memory, err, read_mem0(path, user_id=user), total=total)
        else:
            people = import_file(memory, err, read(format.value, path, user_id=user), path, total=total)
        with peeking(home, url, namespace) as peek:
            say_what_came(peek, people, total=total, what="memories" if mem0 else "messages")
            if learn:
                learn_now(memory, err, peek, people)
                queue.say_what_is_left(memory)


@app.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "export --user me --output me.json", "import openai me.json --home FOLDER", "export -u me | jq .profile"
    ),
)
def export(
    user: User,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", show_default="stdout", help="File to write.")
    ] = None,
    encrypted: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt the file with the master key; `decrypt` reads it.")
    ] = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
) -> None:
    """Get everything that is stored of a person, as JSON; `import openai` reads its messages back.

    One object: "messages" in OpenAI's style; for reading also events, memories, profile and policy.

    The messages go into another memory with: persona-memory import openai FILE --home FOLDER
    """
    if encrypted and output is None:
        raise typer.BadParameter("--encrypt writes a file: add --output FILE")
    check_there(user, home, url)
    with opened_to_look(home, url, namespace) as memory:
        check_known(memory, user, home, url)
        everything = memory.export(user_id=user)
    if output is None:
        print_json(everything)
        return
    text = to_json(everything) + "\n"
    export_sealed(output, text) if encrypted else write_bytes(output, text.encode())
    note(f"wrote {len(everything['messages'])} messages and {len(everything['memories'])} memories to {output}")


@app.command(
    rich_help_panel=CHANGE,
    epilog=examples(
        "forget t2 --user me", "forget demographics.location --user me --yes", "forget --user me --everything"
    ),
)
def forget(
    user: User,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Memories (m…), turns (t…) or profile fields, as `show` and `recall` print them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Erase the whole person, in place of ids.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without asking first.")] = False,
    learn: Annotated[
        bool, typer.Option("--learn/--no-learn", help="Learn what remains of the words now, or leave it to a worker.")
    ] = True,
    model: Learner = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Erase memories with the words they came from, or a whole person; prints the receipt.

    What else those words told is learnt again. It cannot be undone.

    A later import of the same messages leaves out what was erased.
    """
    if ids and everything:
        raise typer.BadParameter("either ids or --everything, not both")
    if not ids and not everything:
        raise typer.BadParameter("name ids or profile fields to erase, or --everything")
    check_there(user, home, url)
    from persona_memory.cli.forgetting import forget_all, forget_some

    with at_work(home, url, namespace, embeddings=embeddings, index=index, model=model) as memory:
        check_known(memory, user, home, url)
        if everything:
            receipt = forget_all(memory, user, ask=not yes)
        else:
            with peeking(home, url, namespace) as peek:
                receipt = forget_some(memory, peek, user, ids or [], ask=not yes, learn=learn, model=model)
            queue.say_what_is_left(memory)
    if not receipt.complete and not (url or "").startswith("postgresql"):
        note("`persona-memory worker --once` finishes it")


@app.command(
    rich_help_panel=WORK,
    epilog=examples("worker", "worker --once --model openai:gpt-5-mini", "worker --tokens-a-day 2000000"),
)
def worker(
    once: Annotated[bool, typer.Option("--once", help="End when all that is queued is done.")] = False,
    model: Learner = None,
    local: Annotated[
        str | None,
        typer.Option(
            "--local",
            metavar="MODEL",
            rich_help_panel=MODELS,
            show_default="trains no adapters",
            help="Base model to train adapters for: a folder, or a name on the Hugging Face hub; needs --model.",
        ),
    ] = None,
    plan: TrainedAs = "default",
    dtype: Dtype = "auto",
    template_options: TemplateOptions = None,
    calls_a_day: CallsADay = None,
    tokens_a_day: TokensADay = None,
    user_calls_a_day: UserCallsADay = None,
    user_tokens_a_day: UserTokensADay = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Learn, index and train adapters in the background, beside the process that talks. Ctrl-C ends it cleanly."""
    budgets = Budgets(calls_a_day, tokens_a_day, user_calls_a_day, user_tokens_a_day)
    options = {"embeddings": embeddings, "index": index, "model": model, "budgets": budgets}
    if local is None and (plan != "default" or dtype != "auto" or template_options):
        raise typer.BadParameter("--plan, --dtype and --template-option are of a base model: add --local")
    training = trainer(local, plan=plan, dtype=dtype, template_options=template_options) if local else nullcontext()
    with training as parametric:
        _work(home, url, namespace, once, parametric=parametric, **options)


def _done(before: Backlog, after: Backlog) -> str:
    """What a run has come to: turns where some were to be learnt, else the jobs that there were."""
    if before.unlearnt:
        return f"done: {before.unlearnt - after.unlearnt} turns learnt of {before.unlearnt}"
    return f"done: {before.jobs - after.jobs} jobs of {before.jobs}; there was nothing new to learn"


def _work(home: Path | None, url: str | None, namespace: str, once: bool, **options: Any) -> None:
    if once:
        with at_work(home, url, namespace, **options) as memory:
            before = memory.backlog()
            memory.flush()
            note(_done(before, memory.backlog()) if before.jobs else "nothing was queued")
            queue.say_what_is_left(memory)
        return
    with opened(home, url, namespace, worker=False, **options) as memory:
        stop_on_signals(memory)
        note("persona-memory worker: at work; Ctrl-C ends it")
        memory.run_worker()
        note("persona-memory worker: stopped; what is left waits in the ledger")


@app.command(
    rich_help_panel=WORK,
    epilog=examples("jobs", "jobs --user me --state parked", "jobs --retry all", "jobs --discard 7"),
)
def jobs(
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="ID", show_default="all people", help="Only this person's.")
    ] = None,
    state: Annotated[
        State | None, typer.Option("--state", show_default="all of them", help="Only those in this state.")
    ] = None,
    retry: Annotated[
        str | None,
        typer.Option("--retry", parser=job_or_all, metavar="JOB", help="Try this parked job again, or all."),
    ] = None,
    discard: Annotated[
        str | None,
        typer.Option(
            "--discard", parser=job_or_all, metavar="JOB", help="Never learn what this parked job, or all, is about."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Discard without asking first.")] = False,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
) -> None:
    """See what waits, runs, or was parked after failing, and why; try it again, or give it up."""
    if retry is not None and discard is not None:
        raise typer.BadParameter("either --retry or --discard, not both")
    if not is_there(home, url):
        if user is not None or retry is not None or discard is not None:
            raise InvalidInput(no_memory(home, url))
        print_json([]) if as_json else pictures.jobs(out, [])
        note(no_memory(home, url))
        return
    with opened_to_look(home, url, namespace) as memory:
        if user is not None:
            check_known(memory, user, home, url)
        if retry is not None:
            queue.retry(memory, retry, user=user)
        if discard is not None:
            queue.discard(memory, discard, user=user, ask=not yes)
            return
        queue.show(memory, user=user, state=state, as_json=as_json)


app.command(
    rich_help_panel=WORK,
    epilog=examples("serve", "serve --upstream http://127.0.0.1:8000/v1", "serve --host 0.0.0.0 --keys keys.json"),
)(serve)
app.command("api-key", rich_help_panel=WORK, epilog=examples("api-key acme --keys keys.json"))(api_key)
app.command(
    "eval",
    rich_help_panel=WORK,
    epilog=examples(
        "eval", "eval locomo --data locomo10.json --quick", "eval fsrs --data reviews.csv --markdown fsrs.md"
    ),
)(evaluate)
app.command(
    rich_help_panel=LOOK, epilog=examples("adapters --user me", 'adapters --user me --rollback "it got my name wrong"')
)(adapters)
app.command(
    rich_help_panel=WORK, epilog=examples("consolidate --user me --local Qwen/Qwen3-0.6B --model openai:gpt-5-mini")
)(consolidate)
app.command(
    "meta-train",
    rich_help_panel=WORK,
    epilog=examples(
        "meta-train --local FOLDER", "meta-train --local FOLDER --opted-in --model openai:gpt-5-mini", "starts"
    ),
)(meta_train)
app.command(rich_help_panel=WORK, epilog=examples("starts", "starts --unpublish start-000003"))(starts)
app.command(
    rich_help_panel=SERVE,
    epilog=examples(
        "mcp --user me", "mcp --user me --http 127.0.0.1:8765", "mcp --http 0.0.0.0:8765 --tokens tokens.toml"
    ),
)(mcp)
app.command(
    "mcp-token",
    rich_help_panel=SERVE,
    epilog=examples(
        "mcp-token --user ana --tokens tokens.toml", "mcp-token -u ana --namespace acme --days 90 --tokens tokens.toml"
    ),
)(mcp_token)
app.command(rich_help_panel=KEEP, epilog=examples("backup backups/2026-05-01", "backup monday.tar --home FOLDER"))(
    backup
)
app.command(
    rich_help_panel=KEEP,
    epilog=examples(
        "restore monday.tar --home FOLDER",
        "restore monday.tar --home FOLDER --erased-since OLD-FOLDER",
        "restore monday.tar --home FOLDER --keys OLD-FOLDER/keys.db --key-file persona.key",
    ),
)(restore)
app.command(rich_help_panel=KEEP, epilog=examples("doctor", "doctor --repair", "doctor --json"))(doctor)
app.command(
    "verify-erasure",
    rich_help_panel=KEEP,
    epilog=examples("verify-erasure 1f2e3d4c5b6a7988", 'verify-erasure 1f2e3d4c5b6a7988 --text "Elm Street"'),
)(verify_erasure)

app.command(rich_help_panel=CRYPT, epilog=examples("keygen persona.key"))(keygen)
app.command(rich_help_panel=CRYPT, epilog=examples("encrypt --key-file persona.key"))(encrypt)
app.command(
    "rotate-key", rich_help_panel=CRYPT, epilog=examples("rotate-key --key-file persona.key --new-key-file new.key")
)(rotate_key)
app.command(rich_help_panel=CRYPT, epilog=examples("decrypt me.json.sealed --key-file persona.key --output me.json"))(
    decrypt
)

for registered in app.registered_commands:
    registered.cls = Command
