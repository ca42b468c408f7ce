"""`persona-memory eval`: measure on real data, with the baselines of the same run."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.progress import Progress

from persona_memory import __version__
from persona_memory.cli.options import EMBEDDERS
from persona_memory.cli.output import check_folder, check_writable, err, note, out, print_json, write_text
from persona_memory.cli.reports import print_catalogue, print_report
from persona_memory.cli.signals import Interrupted, raise_on
from persona_memory.evaluation import Settings, run
from persona_memory.evaluation.cache import CACHE, tidy, unfinished
from persona_memory.evaluation.catalogue import evaluation
from persona_memory.evaluation.plotting import check as can_be_drawn
from persona_memory.evaluation.plotting import plot as draw
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.provenance import code
from persona_memory.models import chat_model, embedder

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

T = TypeVar("T")

EVERY_S = 10.0
"""Seconds between two lines about how far a run is, where there is no terminal for a bar."""


class _Lines:
    """Lines on stderr where nobody sees a bar: that a part begins, and now and then how far it is."""

    def track(self, items: Iterable[T], label: str, *, total: int) -> Iterator[T]:
        """The items, one by one."""
        note(f"{label}: {total} to do")
        said = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            if time.monotonic() - said >= EVERY_S:
                note(f"{label}: {done} of {total}")
                said = time.monotonic()
        note(f"{label}: done")


class _Bars:
    """Progress bars on stderr, one per part of a run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def track(self, items: Iterable[T], label: str, *, total: int) -> Iterator[T]:
        """The items, one by one, each counted when it is done."""
        bar = self._progress.add_task(label, total=total)
        for item in items:
            yield item
            self._progress.advance(bar)


RUN, FILES = "How it runs", "What it writes"


def evaluate(
    name: Annotated[
        str | None, typer.Argument(help="What to measure; without a name all evaluations are listed with their data.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="The data set: a file, or the folder with its files.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="PROVIDER:MODEL", help="Chat model to measure; for profile several times."
        ),
    ] = None,
    local: Annotated[
        Path | None,
        typer.Option(
            "--local", metavar="FOLDER",
            help="Local causal language model: personamem, mmlu; in place of the reference model elsewhere."
        ),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", metavar="FOLDER", help="PEFT adapter of the --local model: mmlu.")
    ] = None,
    dtype: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option("--dtype", help="Weights of the model that adapters are trained on."),
    ] = "float32",
    by: Annotated[
        Literal["letter", "likelihood"],
        typer.Option("--by", help="What counts as a chat model's choice: the letter it writes, or the likeliest one."),
    ] = "letter",
    embeddings: Annotated[
        str | None,
        typer.Option(
            "--embeddings", metavar="NAME", show_default="minilm where installed, else hashing",
            help=f"The embedder to measure with: {EMBEDDERS}.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take a small part of the data, to see that all works.", rich_help_panel=RUN)
    ] = False,
    few: Annotated[
        bool,
        typer.Option(
            "--few", rich_help_panel=RUN,
            help="Only the arms that the requirements need, for more people in the same time: memorise, drift.",
        ),
    ] = False,
    people: Annotated[
        int | None,
        typer.Option(
            "--people", metavar="N", show_default=False, rich_help_panel=RUN,
            help="Simulated people, in place of the evaluation's own number: memorise, safety, drift, meta, reference.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", show_default=False, rich_help_panel=RUN,
            help="Runs with other seeds, in place of the evaluation's own number: memorise, safety, drift, meta.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of everything random.", rich_help_panel=RUN)
    ] = 0,
    cache: Annotated[
        Path,
        typer.Option(
            "--cache", metavar="FOLDER", help="Keeps vectors and what an interrupted run did.", rich_help_panel=RUN
        ),
    ] = CACHE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead of tables.", rich_help_panel=FILES)
    ] = False,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Write the tables into this file, too.", rich_help_panel=FILES),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FOLDER", help="Draw the main tables into this folder, too; it must exist.",
            rich_help_panel=FILES,
        ),
    ] = None,
) -> None:  # fmt: skip
    """Measure on public data, with baselines from the same run. An interrupted run goes on where it stopped."""
    if name is None:
        print_catalogue(out)
        return
    if evaluation(name).data and data is None:
        raise typer.BadParameter(f"{name} needs {evaluation(name).data}: pass it with --data")
    data = data or Path()
    _check_outputs(markdown, plot)
    cache = cache.expanduser()
    tidy(cache, now=time.time())
    choices = (model, local, adapter, dtype, by, embeddings, quick, few, people, seeds, seed)
    checkpoint = Checkpoint(_unfinished(cache, name, data, *choices))
    if len(checkpoint):
        note(f"going on with an interrupted run: {_parts(checkpoint)} already done")
    if not err.is_terminal:
        note(f"measuring {name}")
    raise_on(signal.SIGTERM)
    try:
        models = [_resumable(one, checkpoint) for one in model or ()]
        with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
            settings = Settings(
                data=data, model=next(iter(models), None), others=tuple(models[1:]), local=local, adapter=adapter,
                dtype=dtype, by=by, embedder=None if embeddings is None else embedder(embeddings), quick=quick,
                few=few, people=people, seeds=seeds, seed=seed, cache=cache, checkpoint=checkpoint,
                watch=_Bars(progress) if err.is_terminal else _Lines(),
            )  # fmt: skip
            report = run(name, settings)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {_how_to_resume(checkpoint)}") from None
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(out, report)
    if markdown is not None:
        write_text(markdown, report.to_markdown())
    if plot is not None:
        for file in draw(report, plot):
            note(f"drawn: {file}")
    checkpoint.clear()


def _check_outputs(markdown: Path | None, plot: Path | None) -> None:
    """Pass if what is asked for can be written and drawn: a long run ends with it, or does not begin."""
    if plot is not None:
        can_be_drawn()
        check_folder(plot)
    if markdown is not None:
        check_writable(markdown)


def _how_to_resume(checkpoint: Checkpoint) -> str:
    if not len(checkpoint):
        return "no part of the evaluation was done yet, so the same command begins anew"
    return f"{_parts(checkpoint)} done and kept: the same command goes on from there"


def _parts(checkpoint: Checkpoint) -> str:
    return "1 part is" if len(checkpoint) == 1 else f"{len(checkpoint)} parts are"


def _resumable(name: str, checkpoint: Checkpoint) -> BaseChatModel:
    """The chat model; what it answered before an interruption it is not asked again. Learning asks it anew."""
    from persona_memory.evaluation.calls import Replies  # loads LangChain's messages: not for every command

    model = chat_model(name)
    model.cache = Replies(checkpoint)
    return model


def _unfinished(cache: Path, name: str, data: Path, *choices: object) -> Path:
    """The file of an interrupted run with the same settings, the same data and the same code."""
    mark = hashlib.sha256(repr((*choices, *_state(data), __version__, code())).encode()).hexdigest()[:12]
    return unfinished(cache) / f"{name}-{mark}.jsonl"


def _state(data: Path) -> Iterator[tuple[str, int, int]]:
    """Where the data lie, with size and time of each file; not of the working folder, which other things fill."""
    for file in (data, *(sorted(data.rglob("*")) if data.is_dir() and data != Path() else ())):
        found = file.stat() if file.is_file() else None
        yield str(file.resolve()), found.st_size if found else 0, found.st_mtime_ns if found else 0
