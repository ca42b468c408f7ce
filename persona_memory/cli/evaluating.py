"""`persona-memory eval`: measure on real data, with the baselines of the same run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.progress import Progress

from persona_memory import __version__
from persona_memory.cli.options import Json, embedder, model_named
from persona_memory.cli.output import err, note, out, print_json
from persona_memory.cli.reports import print_catalogue, print_report
from persona_memory.evaluation import Settings, run
from persona_memory.evaluation.plotting import check
from persona_memory.evaluation.plotting import plot as draw
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.provenance import commit

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

T = TypeVar("T")

CACHE = Path("~/.cache/persona-memory")


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


def evaluate(
    name: Annotated[
        str | None, typer.Argument(help="What to measure; without a name all evaluations are listed.")
    ] = None,
    data: Annotated[Path, typer.Option("--data", help="The data set's file or folder.")] = Path(),
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Chat model as provider:model; for profile it may be given several times."),
    ] = None,
    local: Annotated[
        Path | None, typer.Option("--local", help="Folder of a local causal language model, for personamem and mmlu.")
    ] = None,
    adapter: Annotated[Path | None, typer.Option("--adapter", help="PEFT adapter of --local, for mmlu.")] = None,
    by: Annotated[
        Literal["letter", "likelihood"], typer.Option("--by", help="How a chat model chooses among options.")
    ] = "letter",
    embeddings: Annotated[str | None, typer.Option("--embeddings", help="minilm, hashing or provider:model.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small part of the data.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the tables into this folder.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the tables into this file.")] = None,
    cache: Annotated[Path, typer.Option("--cache", help="Vectors and what an interrupted run has done.")] = CACHE,
    as_json: Json = False,
) -> None:
    """Measure on real data, with the baselines of the same run. An interrupted run goes on where it stopped."""
    if name is None:
        print_catalogue(out)
        return
    if plot is not None:
        check()  # a long run ends with a plot, or does not begin
    checkpoint = Checkpoint(
        _unfinished(cache.expanduser(), name, data, model, local, adapter, by, embeddings, quick, seed)
    )
    if len(checkpoint):
        note(f"going on with an interrupted run: {len(checkpoint)} parts are done already")
    models = [made for one in model or () if (made := _resumable(one, checkpoint)) is not None]
    with Progress(console=err, transient=True) as progress:
        settings = Settings(
            data=data, model=next(iter(models), None), others=tuple(models[1:]), local=local, adapter=adapter, by=by,
            embedder=embedder(embeddings), quick=quick, seed=seed, cache=cache.expanduser(), checkpoint=checkpoint,
            watch=_Bars(progress),
        )  # fmt: skip
        try:
            report = run(name, settings)
        except KeyboardInterrupt:
            note(f"{len(checkpoint)} parts are done and kept: the same command goes on from there")
            raise
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(out, report)
    if markdown is not None:
        markdown.write_text(report.to_markdown(), encoding="utf-8")
    if plot is not None:
        for file in draw(report, plot):
            note(f"drawn: {file}")
    checkpoint.clear()


def _resumable(name: str, checkpoint: Checkpoint) -> BaseChatModel | None:
    """The chat model; what it answered before an interruption it is not asked again. Learning asks it anew."""
    from persona_memory.evaluation.calls import Replies  # loads LangChain's messages: not for every command

    model = model_named(name)
    if model is not None:
        model.cache = Replies(checkpoint)
    return model


def _unfinished(cache: Path, name: str, data: Path, *choices: object) -> Path:
    """The file of an interrupted run with the same settings, the same data and the same code."""
    mark = hashlib.sha256(repr((*choices, *_state(data), __version__, commit())).encode()).hexdigest()[:12]
    return cache / "unfinished" / f"{name}-{mark}.jsonl"


def _state(data: Path) -> Iterator[tuple[str, int, int]]:
    """Where the data lie, with size and time of each file; not of the working folder, which other things fill."""
    for file in (data, *(sorted(data.iterdir()) if data.is_dir() and data != Path() else ())):
        found = file.stat() if file.is_file() else None
        yield str(file.resolve()), found.st_size if found else 0, found.st_mtime_ns if found else 0
