"""Training of the reference model: one loop, resumable, the same for the same recipe, seed and number of threads."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.reference.model import Recipe, build
from persona_memory.evaluation.reference.muon import Muon
from persona_memory.evaluation.reference.rows import Coder, batch

CLIP = 1.0
EVERY = 20
"""Steps between two checkpoints, and two entries of the log."""


class Optimizers:
    """Muon for the matrices inside the layers and AdamW for the rest; or AdamW for all."""

    def __init__(self, model: Any, recipe: Recipe) -> None:
        inner = {name for name, weight in model.named_parameters() if weight.ndim == 2 and ".layers." in name}
        if recipe.optimizer == "adamw":
            inner = set()
        matrices = [weight for name, weight in model.named_parameters() if name in inner]
        self._muon = Muon(matrices, dtype=getattr(torch, recipe.dtype))
        rest = [weight for name, weight in model.named_parameters() if name not in inner]
        self._adamw = torch.optim.AdamW(rest, lr=recipe.lr, betas=(0.9, 0.95), weight_decay=0.0)
        self._recipe, self._rest = recipe, rest

    def step(self, rate: float) -> None:
        """One step with this share of the full learning rates."""
        torch.nn.utils.clip_grad_norm_(self._rest, CLIP)
        self._adamw.param_groups[0]["lr"] = self._recipe.lr * rate
        self._adamw.step()
        self._adamw.zero_grad()
        self._muon.step(self._recipe.matrix_lr * rate)

    def state_dict(self) -> dict[str, Any]:
        """What a later run goes on with."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._muon.load_state_dict(state["muon"])
        self._adamw.load_state_dict(state["adamw"])


def train(
    recipe: Recipe,
    codes: Coder,
    folder: Path,
    *,
    until: int | None = None,
    device: str = "cpu",
    every: int = EVERY,
    watch: Callable[[dict[str, Any]], None] = print,
) -> Any:
    """The trained model. A run that was interrupted goes on from its last checkpoint, to the same weights.

    Args:
        folder: for `checkpoint.pt` and `log.jsonl`.
        until: stop after this step, with a checkpoint; None trains to the end.
        device: torch's name for it; each kind of device sums in an order of its own, and ends at weights of its own.
        every: steps between two checkpoints and log entries.
        watch: hears each log entry.

    Raises:
        InvalidInput: the folder's checkpoint is of another recipe, or there is no C++ compiler for a compiled run.
    """
    if recipe.compiled and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        raise InvalidInput("a compiled run needs a C++ compiler (g++ or clang++): install one, or pass --no-compiled")
    folder.mkdir(parents=True, exist_ok=True)
    model = build(recipe).to(device)
    optimizers = Optimizers(model, recipe)
    done, tokens = _resume(folder, recipe, model, optimizers)
    end = recipe.end if until is None else min(until, recipe.end)
    if recipe.compiled:
        model.model.compile(dynamic=False)
    clock, losses, rights = time.process_time(), list[float](), list[float]()
    for step in range(done, end):
        if step == recipe.steps:
            optimizers = Optimizers(model, recipe)
        seeds = [recipe.seed * 10**9 + step * recipe.batch + row for row in range(recipe.batch)]
        phrasing = recipe.phrasing(step)
        length = recipe.plain_length if phrasing == "plain" else recipe.length
        ids, weights = batch(codes, seeds, length=length, people=recipe.people, phrasing=phrasing)
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=recipe.dtype == "bfloat16"):
            loss, right = learn(model, torch.from_numpy(ids).to(device), torch.from_numpy(weights).to(device))
        optimizers.step(recipe.rate(step))
        tokens += int((ids != codes.pad).sum())
        losses.append(loss)
        rights.append(right)
        if (step + 1) % every == 0 or step + 1 == end:
            _keep(folder, recipe, model, optimizers, step + 1, tokens)
            entry = {
                "step": step + 1,
                "tokens": tokens,
                "loss": round(fmean(losses), 4),
                "answer_tokens_right": round(fmean(rights), 4),
                "cpu_seconds": round(time.process_time() - clock, 1),
            }
            losses, rights = [], []
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            watch(entry)
    return model.eval()


def learn(model: Any, ids: torch.Tensor, weights: torch.Tensor) -> tuple[float, float]:
    """Gradients of Σ w CE / Σ w over a batch; the loss, and the share of answer tokens that were the likeliest.

    Rows are read without a mask: each is one example, read from the left, and its padding comes after it.

    Args:
        ids: shape (B, T + 1); weights: what each of them is worth as a target, same shape.
    """
    states = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state  # (B, T, D)
    worth = weights[:, 1:].reshape(-1)
    chosen = worth.nonzero().squeeze(1)
    targets, worth = ids[:, 1:].reshape(-1)[chosen], worth[chosen]
    logits = model.lm_head(states.reshape(-1, states.shape[-1])[chosen])  # (N, V)
    worth_in_all = worth.sum().clamp(min=1e-6)  # short rows may have nothing to learn
    loss = (F.cross_entropy(logits, targets, reduction="none") * worth).sum() / worth_in_all
    torch.autograd.backward(loss)
    answers = worth == 1
    right = int((logits[answers].argmax(-1) == targets[answers]).sum())
    return float(loss.detach()), right / max(1, int(answers.sum()))


def _resume(folder: Path, recipe: Recipe, model: Any, optimizers: Optimizers) -> tuple[int, int]:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0, 0
    kept = torch.load(path, weights_only=True, map_location=model.device)
    if not _goes_on(Recipe(**kept["recipe"]), recipe, kept["step"]):
        raise InvalidInput(f"{str(path)!r} is of another recipe: {kept['recipe']}; remove it, or choose another folder")
    model.load_state_dict(kept["model"])
    optimizers.load_state_dict(kept["optimizers"])
    return kept["step"], kept["tokens"]


def _goes_on(before: Recipe, now: Recipe, done: int) -> bool:
    """Whether both recipes do the same in the steps that are done: a run may be made longer or shorter on the way."""
    course = ("steps", "decay", "plain", "varied", "again", "varied_decay")
    alike = replace(before, **{name: getattr(now, name) for name in course}) == now
    return alike and all(
        (before.rate(step), before.phrasing(step)) == (now.rate(step), now.phrasing(step)) for step in range(done)
    )


def _keep(folder: Path, recipe: Recipe, model: Any, optimizers: Optimizers, step: int, tokens: int) -> None:
    """Write aside, then rename: a kill leaves the old checkpoint or the new one."""
    aside = folder / "checkpoint.tmp"
    torch.save(
        {"recipe": asdict(recipe), "model": model.state_dict(), "optimizers": optimizers.state_dict(), "step": step,
         "tokens": tokens},
        aside,
    )  # fmt: skip
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(folder / "checkpoint.pt")
