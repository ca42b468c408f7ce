"""`persona-memory adapters` and `consolidate`: a person's weights, seen, rolled back and trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from persona_memory import pictures
from persona_memory.cli.options import (
    Dtype,
    Embeddings,
    Home,
    Index,
    Json,
    KeyFile,
    Local,
    Namespace,
    TemplateOptions,
    TrainedAs,
    Url,
    User,
    at_work,
    check_known,
    check_there,
    opened_to_look,
    plan_named,
    template_values,
)
from persona_memory.cli.output import err, note, out, print_json
from persona_memory.errors import InvalidInput

if TYPE_CHECKING:
    from persona_memory.parametric import LocalAdapters


def adapters(
    user: User,
    rollback: Annotated[
        str | None,
        typer.Option(
            "--rollback",
            metavar="REASON",
            help="Retire the active one; the one before it, or else the base, serves again.",
        ),
    ] = None,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
) -> None:
    """See the versions of a person's adapter, which is served, and why; roll back."""
    check_there(user, home, url)
    with opened_to_look(home, url, namespace) as memory:
        check_known(memory, user, home, url)
        if rollback is not None:
            back = memory.rollback(user_id=user, reason=rollback)
            note(f"{back.adapter_id} is active again" if back else "no adapter is active now")
        found = memory.adapters(user_id=user)
    print_json([asdict(one) for one in found]) if as_json else pictures.adapters(out, found)


def consolidate(
    user: User,
    local: Local,
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="PROVIDER:MODEL", help="Chat model that writes what is trained on."),
    ],
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
    plan: TrainedAs = "default",
    dtype: Dtype = "auto",
    template_options: TemplateOptions = None,
) -> None:
    """Train a person's next adapter now, and serve it if it passes. Ctrl-C loses little: it can be gone on from."""
    check_there(user, home, url)
    with (
        trainer(local, plan=plan, dtype=dtype, template_options=template_options) as parametric,
        at_work(home, url, namespace, embeddings=embeddings, index=index, model=model, parametric=parametric) as memory,
    ):
        check_known(memory, user, home, url)
        before = memory.adapters(user_id=user)
        memory.consolidate(user_id=user)
        memory.flush(user_id=user)
        parked = [job for job in memory.jobs(user_id=user) if job.kind == "consolidate"]
        found = memory.adapters(user_id=user)
    pictures.adapters(out, found)
    if parked:
        raise InvalidInput(f"nothing was trained: {parked[0].last_error}; `persona-memory jobs` has more")
    if len(found) == len(before):
        note("nothing was trained: little was said since the last time, or nothing that can be learnt")


@contextmanager
def trainer(
    local: str, *, plan: TrainedAs = "default", dtype: Dtype = "auto", template_options: Sequence[str] | None = None
) -> Iterator[LocalAdapters]:
    """Adapters over the base in this folder, with a bar for each training; see the options for the others.

    Raises:
        BadParameter: a template option that is none.
        MissingExtra: there is no torch.
        InvalidInput: the folder holds no language model.
    """
    variables = template_values(template_options)
    from persona_memory.parametric import BaseModel, LocalAdapters

    base = BaseModel.load(local, dtype=dtype, template_options=variables)
    columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TextColumn("loss {task.fields[loss]:.2f}"))
    with Progress(*columns, console=err, transient=True) as shown:
        bars: dict[str, int] = {}

        def watch(adapter_id: str, done: float, loss: float) -> None:
            if adapter_id not in bars:
                bars[adapter_id] = shown.add_task("training", total=1.0, loss=loss)
            shown.update(bars[adapter_id], completed=done, loss=loss)  # type: ignore[arg-type]

        with LocalAdapters(base, plan=plan_named(plan), progress=watch) as made:
            yield made
