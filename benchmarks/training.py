"""Training many people's adapters in one batch, beside one by one and beside PEFT one by one; and a first adapter.

    python benchmarks/training.py [--quick] [--people 32] [--tokens 16 32 64] [--rounds N] [--markdown FILE]
    python benchmarks/training.py --device cuda --json FILE

The model is `tiny` of benchmarks/adapters.py, with random weights. Each person has one text of random tokens and takes
the same AdamW steps on every side, from the same adapter, at the same rates, clipped alike. The sides take turns within
one process. That all end with the same losses is checked in the same run.

A first adapter is what `consolidate` waits for once a teacher has written its pairs: the reference model, a month of a
person of the synthetic world, a process of its own with all that it loads, training until the guard says enough, and
the gate.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from adapters import (
    SPEC,
    VOCABULARY,
    Times,
    add_options,
    bar_row,
    bar_table,
    ids,
    machine,
    model_of,
    peft_of,
    prepare,
    publish,
    ratio,
    take_turns,
)

from persona_memory.evaluation import Report, Row, Table
from persona_memory.evaluation.provenance import provenance
from persona_memory.learning.teaching import divided
from persona_memory.parametric import (
    SMALL,
    BaseModel,
    Encoded,
    Lesson,
    LocalAdapters,
    Settings,
    fresh,
    target_shapes,
    train_together,
)
from persona_memory.parametric.optimising import rate_at
from persona_memory.protocols import Study
from persona_memory.world import Schedule, history, person
from persona_memory.world.shipped import shipped_model
from persona_memory.world.teacher import taught

BAR = 2.5
"""Times PEFT one by one, for 32 people with at most 64 tokens each per step."""
FIRST = 10.0
"""Seconds that a person's first adapter on the reference model may take."""
MONTH = Schedule(periods=1, sessions=3, sayings=8, calm=frozenset(), views=5)


def lesson(seed: int, tokens: int) -> Lesson:
    """A person with one text of random tokens."""
    return Lesson([Encoded(ids(seed, tokens, VOCABULARY["tiny"]), (0.0, *[1.0] * (tokens - 1)))], seed=seed)


def by_peft(base: BaseModel, lessons: Sequence[Lesson], settings: Settings) -> list[float]:
    """The last loss of each, trained alone with PEFT and torch's AdamW."""
    losses = []
    for one in lessons:
        start = fresh(target_shapes(base.model, SPEC), SPEC.rank, seed=one.seed)
        wrapped = peft_of(base.model, [start])
        moved = [weight for name, weight in wrapped.named_parameters() if "lora_" in name]
        for weight in moved:
            weight.requires_grad_(True)
        optimiser = torch.optim.AdamW(moved, weight_decay=settings.decay)
        read = torch.tensor([one.examples[0].ids], device=base.device)
        for epoch in range(settings.epochs):
            optimiser.param_groups[0]["lr"] = rate_at(epoch / settings.epochs, rate=settings.lr, warmup=settings.warmup)
            logits = wrapped(read, use_cache=False).logits[0, :-1]
            loss: Any = torch.nn.functional.cross_entropy(logits, read[0, 1:])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(moved, settings.clip)
            optimiser.step()
        losses.append(loss.item())
        wrapped.unload()
    return losses


def compare(people: int, tokens: int, steps: int, rounds: int, device: str) -> tuple[Row, dict[str, Times]]:
    """One row of the table, and the times in it."""
    base, theirs = (model_of("tiny", torch.float32, device) for _ in range(2))
    lessons, settings = [lesson(seed, tokens) for seed in range(people)], Settings(epochs=steps, tokens=tokens)
    last: dict[str, list[float]] = {}

    def together() -> None:
        last["together"] = [one.losses[-1] for one in train_together(base, lessons, spec=SPEC, settings=settings)]

    def alone() -> None:
        made = [train_together(base, [one], spec=SPEC, settings=settings)[0] for one in lessons]
        last["alone"] = [one.losses[-1] for one in made]

    def peft() -> None:
        last["PEFT"] = by_peft(theirs, lessons, settings)

    times = take_turns({"together": together, "alone": alone, "PEFT": peft}, rounds)
    difference = max(abs(one - last["together"][at]) for losses in last.values() for at, one in enumerate(losses))
    assert difference < 1e-2, difference
    cells = {side: one.ms() for side, one in times.items()}
    ratios = [ratio(times[side], times["together"])[0] for side in ("alone", "PEFT")]
    cells |= {"alone ×": f"{ratios[0]:.2f}", "PEFT ×": f"{ratios[1]:.2f}", "losses differ": f"{difference:.0e}"}
    return Row(f"{people} people, {tokens} tokens", cells), times


def first_adapter(adapters: LocalAdapters, number: int) -> tuple[Row, float]:
    """A development person's first adapter, from the pairs of a month; and the seconds that it took."""
    sessions = history(person("dev", number), MONTH, seed=number)
    seqs = {one.id: int(one.id) for session in sessions for one in session.interactions}
    pairs = [pair for session in sessions for pair in taught(sessions, session.number, seqs, "dev")]
    own, held_out = divided(pairs)
    with tempfile.TemporaryDirectory() as folder:
        study = Study("zmo25fcrrqq7zzky23erylnw7a-r000001", tuple(own), tuple(held_out), Path(folder), 0, (), seed=0)
        cpu, begun = _children(), time.perf_counter()
        studied = asyncio.run(adapters.train(study))
        took, cpu = time.perf_counter() - begun, _children() - cpu
    report = studied.report
    cells = {
        "pairs": str(len(own)), "epochs": str(report["epochs"]), "passed": "yes" if report["passed"] else "no",
        "s": f"{took:.1f}", "CPU s": f"{cpu:.1f}",
    }  # fmt: skip
    return Row(f"person {number}", cells), took


def _children() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def together(args: argparse.Namespace) -> tuple[Table, list[Row]]:
    """Many people's steps in one batch, one by one, and with PEFT one by one."""
    people, rounds = (4, 1) if args.quick else (args.people, args.rounds)
    rows, bars = [], []
    for tokens in args.tokens[: 1 if args.quick else None]:
        row, times = compare(people, tokens, args.steps, rounds, args.device)
        found = ratio(times["PEFT"], times["together"])
        seen = "{:.2f} (fastest {:.2f}, CPU {:.2f})".format(*found)
        rows.append(row)
        bars.append(bar_row(f"{row.name} each", f"≥ {BAR} × PEFT one by one", seen, found[0] >= BAR))
    columns = ("together", "alone", "PEFT", "alone ×", "PEFT ×", "losses differ")
    return Table(f"{args.steps} steps each, tiny, float32", columns, tuple(rows)), bars


def first_adapters(args: argparse.Namespace) -> tuple[Table, list[Row]]:
    """How long some people wait for their first adapters, one after another."""
    with LocalAdapters(BaseModel.load(shipped_model(), device=args.device), plan=SMALL) as adapters:
        found = [first_adapter(adapters, number) for number in range(min(args.first, 1) if args.quick else args.first)]
    title = "A first adapter on the reference model"
    bars = [
        bar_row(f"a first adapter, {row.name}", f"≤ {FIRST:.0f} s", f"{took:.1f} s", took <= FIRST)
        for row, took in found
    ]
    return Table(title, ("pairs", "epochs", "passed", "s", "CPU s"), tuple(row for row, _ in found)), bars


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--quick", action="store_true", help="few people, one round: shows that all works")
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 32, 64], help="of each person, per step")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--first", type=int, default=3, help="people whose first adapter is trained; 0 for none")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side has its turn")
    args = parser.parse_args()
    prepare(args)
    parts = [together(args), *([first_adapters(args)] if args.first else [])]
    bars = bar_table([row for _, found in parts for row in found])
    notes = (
        "Milliseconds for all people: the median round; in parentheses the fastest, and the median round's CPU time.",
        f"The first bar is about 32 people with at most 64 tokens. {machine(args)}",
    )
    made = provenance(["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]])
    tables = (*(table for table, _ in parts), bars)
    publish(Report("training", "Training many adapters at once", tables, notes, made), args)


if __name__ == "__main__":
    main()
