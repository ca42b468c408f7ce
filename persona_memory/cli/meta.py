"""`persona-memory meta-train` and `starts`: the starts that all people's adapters may begin from."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from persona_memory.adapters import Method, Starts, StartVersion
from persona_memory.cli.options import (
    Dtype,
    Home,
    Json,
    KeyFile,
    Namespace,
    TemplateOptions,
    TrainedAs,
    Url,
    is_there,
    ledger_of,
    no_memory,
    plan_named,
    template_values,
)
from persona_memory.cli.output import err, note, out, print_json
from persona_memory.cli.signals import Interrupted, raise_on
from persona_memory.encryption import DataKey
from persona_memory.errors import InvalidInput
from persona_memory.ledger import Ledger, Person, events
from persona_memory.models import chat_model
from persona_memory.opening import ADAPTERS_FOLDER, home_folder
from persona_memory.profile import default_schema
from persona_memory.registry import STARTS_FOLDER, AdapterRegistry

if TYPE_CHECKING:
    from persona_memory.evaluation.meta.arms import Bench, Learnt
    from persona_memory.parametric.inner import Task
    from persona_memory.parametric.meta import MetaProgress, MetaTrained

TUNED_ON, JUDGED_ON = range(16), range(1000, 1040)
"""Development people of the synthetic world: rates are chosen on the first, starts are judged by the others."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Tasks of people who agreed, what a start's manifest knows these people by, and what encrypts the checkpoint."""

    tasks: Sequence[Task] = ()
    people: Mapping[str, int] | None = None
    cipher: DataKey | None = None


def meta_train(
    local: Annotated[
        Path, typer.Option("--local", metavar="FOLDER", help="The base model that adapters are trained on.")
    ],
    method: Annotated[Method, typer.Option("--method", help="How the start is learnt.")] = "maml",
    people: Annotated[
        int, typer.Option("--people", metavar="N", min=1, help="Synthetic people to learn from, in three domains.")
    ] = 200,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Steps of the outer loop.")] = 300,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="RATE", show_default="the best without a start", help="Size of the inner steps."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of everything random.")] = 0,
    opted_in: Annotated[
        bool,
        typer.Option("--opted-in", help="Learn also from people whose policy has meta_learning; needs --model."),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="PROVIDER:MODEL", help="Chat model that makes pairs of what they said."),
    ] = None,
    if_new: Annotated[
        int,
        typer.Option(
            "--if-new",
            metavar="N",
            min=0,
            show_default="always",
            help="With --opted-in: only when N people have agreed or given feedback since the newest start.",
        ),
    ] = 0,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", help="Let adapters begin from it, if it beats having none.")
    ] = True,
    as_json: Json = False,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    plan: TrainedAs = "default",
    dtype: Dtype = "auto",
    template_options: TemplateOptions = None,
) -> None:
    """Learn a start that all people's adapters begin from; publish it if it beats having none.

    It learns from synthetic people, and with --opted-in from those who have agreed; others are never read.

    Ctrl-C loses little: the same command goes on from its last checkpoint.
    """
    if opted_in and model is None:
        raise typer.BadParameter("--opted-in needs a model that makes pairs of what they said: add --model")
    if if_new and not opted_in:
        raise typer.BadParameter("--if-new counts people who have agreed: add --opted-in")
    from persona_memory.evaluation.meta.arms import Bench, beats_scratch
    from persona_memory.evaluation.meta.tasks import DOMAINS, asked_task, everybody, training_task
    from persona_memory.parametric.meta import MetaSettings

    starts = Starts(home_folder(home) / STARTS_FOLDER)
    if if_new and (new := _new(starts, home, url, namespace)) < if_new:
        note(
            f"nothing to do: {new} people have agreed or given feedback since the newest start; {if_new} are asked for"
        )
        return
    base = _base(local, dtype, template_values(template_options))
    bench = Bench(base, plan_named(plan).spec, MetaSettings(steps=steps))
    agreed = _agreed(bench, model, home, url, namespace) if opted_in and model else Agreed()
    raise_on(signal.SIGTERM)
    tuned_on, judged_on = (everybody("dev", some, DOMAINS) for some in (TUNED_ON, JUDGED_ON))
    with _goes_on():
        if rate is None:
            note("choosing the inner rate …")
            bench = bench.tuned([asked_task(bench.base, who, asked="dev") for who in tuned_on], seed=seed)
        else:
            bench = replace(bench, settings=replace(bench.settings, rate=rate))
        synthetic = [training_task(bench.base, who) for who in everybody("train", range(people), DOMAINS)]
        learnt = _learn(bench, [*synthetic, *agreed.tasks], method, seed, starts.folder, agreed)
        note("asking people whom it never saw …")
        report = beats_scratch(bench, learnt.trained.start, tuned_on=tuned_on, judged_on=judged_on, seed=seed)
    made = _store(bench, starts, learnt.trained, report)
    learnt.checkpoint.unlink(missing_ok=True)
    if opted_in:
        with _ledger(home, url, namespace) as (_, registry):
            registry.tidy_starts(now=datetime.now(UTC))  # somebody may have withdrawn meanwhile
    if publish and report["passed"]:
        made = starts.publish(made.name, now=datetime.now(UTC))
    print_json(asdict(made)) if as_json else _print(made)


def starts(
    unpublish: Annotated[
        str | None, typer.Option("--unpublish", metavar="NAME", help="Roll back: the one published before is next.")
    ] = None,
    publish: Annotated[
        str | None, typer.Option("--publish", metavar="NAME", help="Let adapters begin from it, if it passed.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """See the starts that adapters may begin from, or change which one is published."""
    known = Starts(home_folder(home) / STARTS_FOLDER)
    now = datetime.now(UTC)
    if unpublish is not None:
        known.unpublish(unpublish, reason="unpublished by hand", now=now)
    if publish is not None:
        known.publish(publish, now=now)
    if as_json:
        print_json([asdict(one) for one in known.versions()])
        return
    for one in known.versions():
        _print(one)
    if not known.versions():
        note("no starts yet; `persona-memory meta-train` learns one")


def _base(local: Path, dtype: Dtype, variables: Mapping[str, Any]) -> Any:
    """The model in the folder; its chat template has these variables."""
    from persona_memory.parametric import BaseModel

    if not local.is_dir():
        raise InvalidInput(f"there is no folder {str(local)!r}; --local names one that holds a causal language model")
    return BaseModel.load(local, dtype=dtype, template_options=variables, local_files_only=True)


def _agreed(bench: Bench, model: str, home: Path | None, url: str | None, namespace: str) -> Agreed:
    """The people of the namespace who agreed; nobody else's words are read.

    Raises:
        InvalidInput: there is no memory, or nobody has agreed.
    """
    from persona_memory.cli.agreed import task_of
    from persona_memory.learning.structured import Asking
    from persona_memory.learning.teaching import LLMTeacher

    if not is_there(home, url):
        raise InvalidInput(no_memory(home, url))
    teacher = LLMTeacher(Asking(chat_model(model)).ask)
    with _ledger(home, url, namespace) as (ledger, registry):
        agreed = _who_agreed(registry, namespace)
        if not agreed:
            raise InvalidInput("nobody has agreed: Policy(meta_learning=True) is the opt-in; leave out --opted-in")
        cipher = None if registry.starts_key is None else DataKey(registry.starts_key)
        tasks = {
            mark: task_of(bench.base, ledger, person, teacher, schema=default_schema())
            for mark, (person, _) in agreed.items()
        }
    found = {mark: task for mark, task in tasks.items() if task is not None}
    note(f"people who agreed: {len(agreed)}; with enough to learn from: {len(found)}")
    return Agreed(list(found.values()), {mark: agreed[mark][1] for mark in found}, cipher)


def _who_agreed(registry: AdapterRegistry, namespace: str) -> dict[str, tuple[Person, int]]:
    """Of this namespace, by what a manifest knows them by, each with their epoch."""
    return {mark: one for mark, one in registry.agreed().items() if one[0].namespace == namespace}


def _new(starts: Starts, home: Path | None, url: str | None, namespace: str) -> int:
    """How many people who agree have done so, or given feedback, since the newest start that somebody is in."""
    if not is_there(home, url):
        raise InvalidInput(no_memory(home, url))
    standing = [one for one in starts.versions() if one.state != "retired" and one.people]
    with _ledger(home, url, namespace) as (ledger, registry), ledger.read() as connection:
        agreed = _who_agreed(registry, namespace)
        if not standing:
            return len(agreed)
        since = datetime.fromisoformat(standing[-1].at)
        marks = (events.in_order(connection, who, kinds=("policy", "feedback")) for who, _ in agreed.values())
        return sum(any(mark.at > since for mark in of_one) for of_one in marks)


@contextmanager
def _ledger(home: Path | None, url: str | None, namespace: str) -> Iterator[tuple[Ledger, AdapterRegistry]]:
    ledger = ledger_of(home, url, namespace)
    try:
        yield ledger, AdapterRegistry(ledger, home_folder(home) / ADAPTERS_FOLDER)
    finally:
        ledger.close()


def _learn(bench: Bench, tasks: Sequence[Task], method: Method, seed: int, folder: Path, agreed: Agreed) -> Learnt:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        bar = progress.add_task("learning")

        def moved(now: MetaProgress) -> None:
            progress.update(
                bar, total=round(now.step / now.done), completed=now.step, description=f"loss {now.loss:.3f}"
            )

        return bench.learn(
            tasks, method, seed=seed, folder=folder, people=agreed.people, cipher=agreed.cipher, progress=moved
        )


@contextmanager
def _goes_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; the same command goes on from the last checkpoint, once the training has one"
        ) from None


def _store(bench: Bench, starts: Starts, learnt: MetaTrained, report: Mapping[str, Any]) -> StartVersion:
    from persona_memory.parametric.starts import save_start

    now = datetime.now(UTC)
    metrics = {name: float(report[name]) for name in ("loss", "scratch")}
    manifest = save_start(
        starts.folder, starts.next_name(), learnt, base=bench.base, spec=bench.spec, now=now, metrics=metrics
    )
    return starts.add(manifest, report, now=now)


def _print(one: StartVersion) -> None:
    out.print(f"{one.name}  {one.state}: {one.reason}", highlight=False)
    if one.report:
        (better, low, high), loss, scratch = (one.report[name] for name in ("lower_by", "loss", "scratch"))
        said = (
            f"  after {one.report['steps']} steps the loss is {loss:.3f}, without a start {scratch:.3f}: "
            f"lower by {better:.3f} [{low:.3f}, {high:.3f}], {one.report['people']} people"
        )
        out.print(said, highlight=False, soft_wrap=True)
