"""Adapters at run time beside PEFT: loading and switching, eight people in a batch, weights mixed with context.

    python benchmarks/adapters.py [--quick] [--only PART …] [--rounds N] [--peft-thousand] [--markdown FILE]
    python benchmarks/adapters.py --device cuda --shape b1700 --dtypes bfloat16

Models with random weights in Qwen3's architecture: `tiny` (4 layers, d 256), `b110` (12 layers, d 768), and for a GPU
the shapes of Qwen3 1.7B and 8B. The sides of a comparison take turns within one process, so that a busy machine slows
them alike. That both compute the same is checked before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch

from persona_memory.adapters import Fingerprint, LoraSpec, revision_name
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.evaluation import Report, Row, Table
from persona_memory.evaluation.provenance import provenance
from persona_memory.parametric import (
    AdapterPool,
    BaseModel,
    Sampling,
    Slots,
    Weights,
    attach,
    decode,
    fresh,
    save_adapter,
    target_shapes,
)
from persona_memory.parametric import Row as Reply

KEY = bytes(32)
SPEC = LoraSpec(rank=8, alpha=16.0)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
VOCABULARY = {"tiny": 4096, "b110": 32_000, "b1700": 151_936, "b8000": 151_936}
SHAPES: Mapping[str, Mapping[str, int]] = {
    "tiny": {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 4},
    "b110": {"hidden_size": 768, "intermediate_size": 2240, "num_hidden_layers": 12, "num_attention_heads": 12},
    "b1700": {
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
    },
    "b8000": {
        "hidden_size": 4096,
        "intermediate_size": 12_288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
    },
}
PARTS = ("loading", "batching", "mixing")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PEOPLE = 8
PROMPT, CONTEXT = 48, 256
LOAD_MS, BATCH, OPEN, CLOSED = 5.0, 0.85, 1.6, 1.0
"""The bars: milliseconds to load and switch; share of plain throughput; times of one stream, gate open and closed."""
NOISE = 0.05
"""With the gate closed the very same work is done twice: a ratio within this of 1 is 1."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one side: the median call, the fastest, and the median call's CPU seconds."""

    median: float
    fastest: float
    cpu: float

    def less(self, other: Times) -> Times:
        """What is left when the other's part is taken away."""
        return Times(self.median - other.median, self.fastest - other.fastest, self.cpu - other.cpu)

    def ms(self) -> str:
        return f"{self.median * 1e3:,.3g} ({self.fastest * 1e3:,.3g}; {self.cpu * 1e3:,.3g})"


def take_turns(sides: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Every side once per round, after one round that is not counted."""
    laps: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for lap in range(rounds + 1):
        for name, run in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if lap:
                laps[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Times(
            statistics.median(w for w, _ in found), min(w for w, _ in found), statistics.median(c for _, c in found)
        )
        for name, found in laps.items()
    }


class Ids:
    """A tokenizer for models that read made-up ids; nothing here is text."""

    pad_token_id, eos_token_id = 0, None


def model_of(shape: str, dtype: torch.dtype, device: str = "cpu") -> BaseModel:
    """A model with random weights."""
    from transformers import AutoModelForCausalLM, Qwen3Config

    heads = SHAPES[shape]["num_attention_heads"]
    config = Qwen3Config(
        **{"num_key_value_heads": max(1, heads // 3), "head_dim": 64, **SHAPES[shape]}, vocab_size=VOCABULARY[shape],
        tie_word_embeddings=True, max_position_embeddings=2048, eos_token_id=None, bos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return BaseModel(model.to(device).eval(), Ids(), shape, "", Fingerprint("b", "t", "c"))


def adapter(shapes: Mapping[str, tuple[int, int]], seed: int, dtype: torch.dtype) -> dict[str, Any]:
    """A LoRA adapter as training would leave it: B is not zero."""
    random = torch.Generator().manual_seed(seed)
    made = fresh(shapes, SPEC.rank, seed=seed).items()
    return {path: (a.to(dtype), (torch.randn(b.shape, generator=random) * 0.02).to(dtype)) for path, (a, b) in made}


def ids(seed: int, length: int, vocabulary: int) -> tuple[int, ...]:
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(3, vocabulary, (length,), generator=random).tolist())


# ── loading and switching ───────────────────────────────────────────────────────────────────────────────────────────


def write_store(store: Path, base: BaseModel, count: int) -> list[str]:
    """So many revisions; the weights' bytes are shared by hard links, as only their loading is timed."""
    first = revision_name(KEY, "0", 1)
    weights = adapter(target_shapes(base.model, SPEC), 0, torch.bfloat16)
    save_adapter(store, first, weights, spec=SPEC, fingerprint=base.fingerprint, base_model=base.name, now=NOW)
    manifest, names = (store / first / MANIFEST).read_text(), [first]
    for place in range(1, count):
        names.append(revision_name(KEY, str(place), 1))
        folder = store / names[-1]
        folder.mkdir()
        for file in (WEIGHTS, CONFIG):
            os.link(store / first / file, folder / file)
        (folder / MANIFEST).write_text(manifest.replace(first, names[-1]))
    return names


def load_ours(shape: str, resident: int, rounds: int, device: str) -> dict[str, Times]:
    """One more person's adapter, with so many in memory; and a switch to one that is there."""
    base = model_of(shape, torch.bfloat16, device)
    with tempfile.TemporaryDirectory() as folder:
        names = write_store(Path(folder), base, resident + rounds + 2)
        with AdapterPool(base, Path(folder), SPEC, slots=resident, dtype=torch.bfloat16) as pool:
            for name in names[:resident]:
                with pool.pin(name):
                    pass
            more = iter(names[resident:])

            def load() -> None:
                with pool.pin(next(more)):
                    pass

            def switch() -> None:
                with pool.pin(pool.resident[0]):
                    pass

            times = take_turns({"load": load}, rounds) | take_turns({"switch": switch}, rounds)
            assert len(pool.resident) == resident
    return times


def load_peft(shape: str, resident: int, rounds: int, device: str) -> dict[str, Times]:
    """The same with PEFT: `load_adapter` then `set_adapter`, and `set_adapter` alone."""
    import peft

    base = model_of(shape, torch.bfloat16, device)
    with tempfile.TemporaryDirectory() as folder:
        (name,) = write_store(Path(folder), base, 1)
        path = str(Path(folder) / name)
        wrapped = peft.PeftModel.from_pretrained(base.model, path, adapter_name="a0", autocast_adapter_dtype=False)
        for place in range(1, resident):
            wrapped.load_adapter(path, adapter_name=f"a{place}", autocast_adapter_dtype=False)
        place = iter(range(resident, resident + rounds + 2))

        def load() -> None:
            new = f"a{next(place)}"
            wrapped.load_adapter(path, adapter_name=new, autocast_adapter_dtype=False)
            wrapped.set_adapter(new)

        turn = iter(range(rounds + 2))

        def switch() -> None:
            wrapped.set_adapter(f"a{next(turn) % resident}")

        return take_turns({"switch": switch}, rounds) | take_turns({"load": load}, rounds)


def loading(args: argparse.Namespace) -> tuple[Table, list[Row]]:
    """How loading and switching grow with the adapters in memory."""
    counts = (1, 10) if args.quick else (1, 100, 1000)
    rows, worst = [], {}
    for shape in ("tiny",) if args.quick else ("tiny", args.shape):
        ours = {count: load_ours(shape, count, 5 if args.quick else 20, args.device) for count in counts}
        theirs = {}
        for count in counts:
            if count < 1000 or (args.peft_thousand and shape == "tiny"):
                print(f"  PEFT, {shape}, {count}", file=sys.stderr, flush=True)
                theirs[count] = load_peft(shape, count, 3 if args.quick else 5, args.device)
        for what in ("load", "switch"):
            cells = {f"{count:,}": ours[count][what].ms() for count in counts}
            rows.append(Row(f"ours, {shape}: {what}", cells, "ours"))
            peft = {f"{count:,}": found[what].ms() for count, found in theirs.items()}
            rows.append(Row(f"PEFT, {shape}: {what}", peft, "baseline"))
        worst[shape] = [ours[count]["load"] for count in counts]
    bars = [
        bar_row(
            f"load and switch, {shape}, {counts[0]} to {counts[-1]:,} adapters in memory",
            f"≤ {LOAD_MS:g} ms, flat",
            f"{times[0].median * 1e3:.3g} to {times[-1].median * 1e3:.3g} ms "
            f"(fastest {times[0].fastest * 1e3:.3g} to {times[-1].fastest * 1e3:.3g})",
            max(one.median for one in times) * 1e3 <= LOAD_MS,
        )
        for shape, times in worst.items()
    ]
    return Table("adapters in memory, ms", tuple(f"{count:,}" for count in counts), tuple(rows)), bars


# ── eight people in a batch ─────────────────────────────────────────────────────────────────────────────────────────


def same_as_peft(shape: str, slots: Slots, weights: Sequence[Weights], device: str) -> float:
    """The largest difference between our logits and PEFT's, for a batch of eight people, in float32."""
    read = torch.tensor([ids(seed, PROMPT, VOCABULARY[shape]) for seed in range(PEOPLE)], device=device)
    with torch.inference_mode():
        with slots.routed(range(1, PEOPLE + 1)):
            ours = slots.model(read).logits
        wrapped = peft_of(model_of(shape, torch.float32, device).model, weights)
        theirs = wrapped(read, adapter_names=[f"a{place}" for place in range(PEOPLE)]).logits
    return float((ours - theirs).abs().max())


def peft_of(model: Any, weights: Sequence[Weights]) -> Any:
    """The model with these adapters in PEFT."""
    import peft

    from persona_memory.parametric.lora import to_peft

    config = peft.LoraConfig(
        r=SPEC.rank, lora_alpha=int(SPEC.alpha), target_modules=list(SPEC.targets), task_type="CAUSAL_LM"
    )
    wrapped: Any = peft.get_peft_model(model, config, adapter_name="a0", autocast_adapter_dtype=False)
    for place, one in enumerate(weights):
        if place:
            wrapped.add_adapter(f"a{place}", config, autocast_adapter_dtype=False)
        peft.set_peft_model_state_dict(wrapped, to_peft(one), adapter_name=f"a{place}")
    return wrapped.eval()


def batching(args: argparse.Namespace, dtype: torch.dtype) -> tuple[Table, list[Row]]:
    """Tokens a second for eight people with eight adapters, beside the base model alone and PEFT."""
    shape, name = "tiny" if args.quick else args.shape, str(dtype).removeprefix("torch.")
    new, rounds = (8, 2) if args.quick else (16, args.rounds)
    plain, slotted, wrapped = (model_of(shape, dtype, args.device) for _ in range(3))
    slots = attach(slotted.model, SPEC, size=PEOPLE, dtype=dtype)
    weights = [adapter(slots.shapes, seed, dtype) for seed in range(PEOPLE)]
    for place, one in enumerate(weights, start=1):
        slots.write(place, one)
    if dtype == torch.float32:
        difference = same_as_peft(shape, slots, weights, args.device)
        assert difference < 1e-4, difference
    theirs = peft_of(wrapped.model, weights)
    prompts = [ids(seed, PROMPT, VOCABULARY[shape]) for seed in range(PEOPLE)]
    read, sampling = torch.tensor(prompts, device=args.device), Sampling(max_tokens=new)
    options: dict[str, Any] = {"max_new_tokens": new, "do_sample": False, "pad_token_id": 0}
    sides: dict[str, Callable[[], Any]] = {
        "plain, transformers' generate": lambda: plain.model.generate(read, **options),
        "plain, our loop": lambda: decode(plain, [Reply(one) for one in prompts], sampling),
        "ours, 8 adapters": lambda: decode(
            slotted, [Reply(one, slot=place) for place, one in enumerate(prompts, start=1)], sampling, slots=slots
        ),
        "ours, 1 adapter for all": lambda: decode(
            slotted, [Reply(one, slot=1) for one in prompts], sampling, slots=slots
        ),
        "PEFT, adapter_names": lambda: theirs.generate(
            input_ids=read, adapter_names=[f"a{place}" for place in range(PEOPLE)], **options
        ),
    }
    with torch.inference_mode():
        times = take_turns(sides, rounds)
    base = times["plain, transformers' generate"]
    rows = [
        Row(
            side,
            {
                "tokens/s": f"{PEOPLE * new / one.median:,.0f} ({PEOPLE * new / one.fastest:,.0f})",
                "of plain": "{:.2f} ({:.2f}; CPU {:.2f})".format(*ratio(base, one)),
            },
            "ours" if side.startswith("ours") else "baseline",
        )
        for side, one in times.items()
    ]
    ours = times["ours, 8 adapters"]
    bar = bar_row(
        f"8 people in a batch, {shape}, {name}",
        f"≥ {BATCH} × plain",
        "{:.2f} (fastest {:.2f}, CPU {:.2f})".format(*ratio(base, ours)),
        base.median / ours.median >= BATCH,
    )
    return Table(f"8 people, {shape}, {name}", ("tokens/s", "of plain"), tuple(rows)), [bar]


# ── weights mixed with context ──────────────────────────────────────────────────────────────────────────────────────


def mixing(args: argparse.Namespace, dtype: torch.dtype) -> tuple[Table, list[Row]]:
    """One person's reply from two streams, beside one stream of the same adapter."""
    shape, kind = "tiny" if args.quick else args.shape, str(dtype).removeprefix("torch.")
    new, rounds = (16, 2) if args.quick else (48, args.rounds)
    check_mixture(shape, args.device)
    base = model_of(shape, dtype, args.device)
    slots = attach(base.model, SPEC, size=1, dtype=dtype)
    slots.write(1, adapter(slots.shapes, 0, dtype))
    prompt = ids(0, PROMPT, VOCABULARY[shape])
    context = (*ids(1, CONTEXT, VOCABULARY[shape]), *prompt)
    rows = {
        "one stream": Reply(prompt, slot=1),
        "gate open: two streams": Reply(prompt, context, 0.5, slot=1),
        "gate closed": Reply(prompt, (), 0.5, slot=1),
        "context in one prompt": Reply(context, slot=1),
    }
    sides: dict[str, Callable[[], Any]] = {
        f"{name}, {tokens}": partial(decode, base, [row], Sampling(max_tokens=tokens), slots=slots)
        for name, row in rows.items()
        for tokens in (1, new)
    }
    with torch.inference_mode():
        found = take_turns(sides, rounds)
    first = {name: found[f"{name}, 1"] for name in rows}
    times = {name: found[f"{name}, {new}"].less(first[name]) for name in rows}
    one = times["one stream"]
    made = [
        Row(
            name,
            {
                "first token, ms": first[name].ms(),
                f"{new - 1} more, ms": times[name].ms(),
                "of one stream": "{:.2f} ({:.2f}; CPU {:.2f})".format(*ratio(times[name], one)),
            },
            "ours" if name.startswith("gate") else "baseline",
        )
        for name in rows
    ]
    bars = [
        bar_row(
            f"mixed decoding, {shape}, {kind}, {name}",
            f"≤ {bar:.1f} × one stream",
            "{:.2f} (fastest {:.2f}, CPU {:.2f})".format(*ratio(times[side], one)),
            ratio(times[side], one)[0] <= bar + (NOISE if bar == CLOSED else 0),
        )
        for name, side, bar in (("gate open", "gate open: two streams", OPEN), ("gate closed", "gate closed", CLOSED))
    ]
    title = f"{shape}, {kind}, prompt {PROMPT}, context {CONTEXT}, {new} tokens"
    return Table(title, ("first token, ms", f"{new - 1} more, ms", "of one stream"), tuple(made)), bars


def check_mixture(shape: str, device: str) -> None:
    """In float32, one step's probabilities are λ of the one prompt's and 1 − λ of the other's."""
    base = model_of(shape, torch.float32, device)
    prompt, context = ids(0, PROMPT, VOCABULARY[shape]), ids(1, CONTEXT, VOCABULARY[shape])
    seen: list[torch.Tensor] = []

    def keep(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        seen.append(scores.exp())
        return scores

    decode(base, [Reply(prompt, context, 0.3)], Sampling(max_tokens=1), processors=[keep])
    with torch.inference_mode():
        one, other = (
            base.model(torch.tensor([read], device=device)).logits[0, -1].softmax(-1) for read in (prompt, context)
        )
    assert torch.allclose(seen[0][0], 0.3 * one + 0.7 * other, atol=1e-6)


# ── the report ──────────────────────────────────────────────────────────────────────────────────────────────────────


def ratio(one: Times, other: Times) -> tuple[float, float, float]:
    """Of the medians, of the fastest, of the CPU times."""
    return one.median / other.median, one.fastest / other.fastest, one.cpu / other.cpu


def bar_row(what: str, bar: str, seen: str, reached: bool) -> Row:
    """What a bar asks, what was seen, and whether that reaches it."""
    return Row(what, {"bar": bar, "seen": seen, "": "reached" if reached else "**missed**"})


def bar_table(rows: Sequence[Row]) -> Table:
    """The bars of a run, see `bar_row`."""
    return Table("bar", ("bar", "seen", ""), tuple(rows))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where it runs and what is kept of it."""
    parser.add_argument("--data", help="not needed: the models and people are made up")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument(
        "--threads", type=int, default=1, help="torch's threads; two beside other work wait for each other"
    )
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--markdown", type=Path, help="file for the tables")


def prepare(args: argparse.Namespace) -> None:
    """Set torch's threads; what only other libraries are to be told is not shown."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    torch.set_num_threads(args.threads)


def machine(args: argparse.Namespace) -> str:
    """A note on what it ran on, and how busy that was."""
    device = torch.cuda.get_device_name(args.device) if args.device.startswith("cuda") else args.device
    load = f"Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return f"{load}; {args.threads} threads of torch; device {device}."


def publish(report: Report, args: argparse.Namespace) -> None:
    """Print the tables, and write the files that were asked for."""
    print(report.to_markdown())
    if args.markdown:
        args.markdown.write_text(report.to_markdown())
    if args.json:
        args.json.write_text(json.dumps(report.to_dict(), indent=1))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--quick", action="store_true", help="the tiny model only, few rounds: shows that all works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of the parts")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=tuple(DTYPES), help="of the base and its slots")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side has its turn")
    parser.add_argument("--peft-thousand", action="store_true", help="PEFT with 1,000 adapters, too: most of an hour")
    parser.add_argument("--shape", choices=[*SHAPES], default="b110", help="the larger model (b110)")
    args = parser.parse_args()
    prepare(args)
    parts = [loading(args)] if "loading" in args.only else []
    for name in args.dtypes[: 1 if args.quick else None]:
        parts += [batching(args, DTYPES[name])] if "batching" in args.only else []
        parts += [mixing(args, DTYPES[name])] if "mixing" in args.only else []
    bars = bar_table([row for _, found in parts for row in found])
    notes = (
        "Milliseconds: the median call; in parentheses the fastest, and the median call's CPU time. Ratios likewise.",
        machine(args),
        "Adapters: rank 8 on all linear layers, bfloat16 files. Ours verifies checksum, keys, shapes and numbers at "
        "each load; PEFT does not. Equal logits (float32) and the mixture's probabilities are checked in the same run.",
    )
    made = provenance(["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]])
    publish(Report("adapters", "Adapters at run time", (*(table for table, _ in parts), bars), notes, made), args)


if __name__ == "__main__":
    main()
