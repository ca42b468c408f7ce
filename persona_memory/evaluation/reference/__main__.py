"""`python -m persona_memory.evaluation.reference train FOLDER`, then `export FOLDER MODEL`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from persona_memory.evaluation.reference import export
from persona_memory.evaluation.reference.model import Recipe
from persona_memory.evaluation.reference.rows import coder
from persona_memory.evaluation.reference.tokenizer import tokenizer_in
from persona_memory.evaluation.reference.train import train

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
DEFAULT = Recipe()
Folder = Annotated[Path, typer.Argument(help="The run's checkpoint, tokenizer and log.")]


@app.command("train")
def train_command(
    folder: Folder,
    steps: Annotated[
        int, typer.Option(help="May be changed on the way, as long as the rate has not begun to fall.")
    ] = (DEFAULT.steps),
    decay: Annotated[float, typer.Option(help="Share of the steps in which the learning rate falls.")] = DEFAULT.decay,
    varied: Annotated[int, typer.Option(help="Further steps, in more varied frames.")] = DEFAULT.varied,
    again: Annotated[
        float, typer.Option(help="The rate that these begin at, as a share of the first.")
    ] = DEFAULT.again,
    varied_decay: Annotated[float, typer.Option(help="Share of these in which the rate falls.")] = DEFAULT.varied_decay,
    optimizer: Annotated[Literal["muon", "adamw"], typer.Option()] = "muon",
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option(help="bfloat16 pays where the processor has it.")] = (
        DEFAULT.dtype
    ),
    matrix_lr: Annotated[float, typer.Option(help="Muon's rate.")] = DEFAULT.matrix_lr,
    lr: Annotated[float, typer.Option(help="AdamW's rate.")] = DEFAULT.lr,
    batch: Annotated[int, typer.Option(help="Rows of a step.")] = DEFAULT.batch,
    plain: Annotated[int, typer.Option(help="First steps in plain frames.")] = DEFAULT.plain,
    hidden: Annotated[int, typer.Option(help="Width.")] = DEFAULT.hidden,
    layers: Annotated[int, typer.Option()] = DEFAULT.layers,
    heads: Annotated[int, typer.Option()] = DEFAULT.heads,
    ffn: Annotated[int, typer.Option(help="Width inside the feed-forward layers.")] = DEFAULT.ffn,
    compiled: Annotated[bool, typer.Option(help="Fuse operations; needs a C++ compiler.")] = DEFAULT.compiled,
    seed: Annotated[int, typer.Option()] = DEFAULT.seed,
    device: Annotated[str, typer.Option(help="cpu, or cuda where there is one: minutes instead of hours.")] = "cpu",
    threads: Annotated[int, typer.Option(help="Of torch: another number sums in another order.")] = 2,
) -> None:
    """Train the reference model. A run that was interrupted goes on from its last checkpoint."""
    torch.set_num_threads(threads)
    recipe = replace(
        DEFAULT, steps=steps, decay=decay, varied=varied, again=again, varied_decay=varied_decay, optimizer=optimizer,
        dtype=dtype, matrix_lr=matrix_lr, lr=lr, batch=batch, plain=plain, hidden=hidden, layers=layers, heads=heads,
        ffn=ffn, compiled=compiled, seed=seed,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    codes = coder(tokenizer_in(folder, vocabulary=recipe.vocabulary))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("training", total=recipe.end)

        def watch(entry: dict[str, Any]) -> None:
            shown = f"loss {entry['loss']:.3f}, answers' tokens right {entry['answer_tokens_right']:.3f}"
            progress.update(bar, completed=entry["step"], description=shown)

        train(recipe, codes, folder, device=device, watch=watch)


@app.command("export")
def export_command(folder: Folder, model: Annotated[Path, typer.Argument(help="Where the model is written.")]) -> None:
    """Write the run's weights and tokenizer as a folder that transformers loads."""
    export(folder, model)


if __name__ == "__main__":
    app()
