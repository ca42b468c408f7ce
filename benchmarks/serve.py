"""What the proxy adds: milliseconds until the first byte and until the end, beside the bare upstream in the same run.

    python benchmarks/serve.py [--data DIR] [--quick] [--streams N …] [--requests N] [--markdown FILE]

Three processes on this machine: a model's server that streams twenty words at once, `persona-memory serve` in front of
it with a memory of many people (FULL: every turn is on the disk when it is passed on), and this client, which keeps N
streams open at a time: as soon as one ends, the next begins, which is the most that so many chats can ask for. Requests
to the upstream and through the proxy alternate in laps. Everything shares the machine's cores, so that at many streams
the queue for them is measured, too; what waits longer than `--memory-timeout` goes on without memory, and is counted.
Vectors are free (hashed words).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from persona_memory import PersonaMemory
from persona_memory.evaluation import Report, Row, Table
from persona_memory.evaluation.provenance import provenance
from persona_memory.retrieval.hashing import HashingEmbedder

MODEL = """
import sys, time
from persona_memory.testing import FakeOpenAI
with FakeOpenAI(lambda request: "word " * 20) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""
ROOT = Path(__file__).parent.parent
PLACES = [str(ROOT), str(ROOT / "integrations")]
LOST = "without memory"
COLUMNS = ("upstream p50", "upstream p95", "proxy p50", "proxy p95", "added p50", "added p95")
PEOPLE = 64
LAPS = 2


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of one stream, and whether it went on without its memory."""

    first: float
    whole: float
    without: bool


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder, model() as upstream:
        fill(Path(folder))
        with proxy(Path(folder), upstream) as served:
            taken = {}
            for streams in args.streams:
                print(f"  {streams} at a time", file=sys.stderr, flush=True)
                taken[streams] = asyncio.run(alternating(upstream, served, streams, args.requests))
    report = as_report(taken, args)
    print(report.to_markdown())
    if args.markdown:
        Path(args.markdown).write_text(report.to_markdown())


def fill(home: Path) -> None:
    """Twenty turns of each person, learnt."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, durability="NORMAL") as memory:
        for person in range(PEOPLE):
            said = [
                ("user", f"On day {day} I saw {person} boats in Porto, and liked number {day}.") for day in range(20)
            ]
            memory.observe(said, user_id=f"p{person}", thread_id="earlier")
        memory.flush()


@contextmanager
def model() -> Iterator[str]:
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {PLACES!r}\n{MODEL}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


@contextmanager
def proxy(home: Path, upstream: str) -> Iterator[str]:
    start = f"import sys; sys.path[:0] = {PLACES!r}; from persona_memory.cli import main; main()"
    options = ["--upstream", upstream, "--port", "0", "--home", str(home), "--embeddings", "hashing", "--rate", "none"]
    command = [sys.executable, "-c", start, "serve", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            listening = next(line for line in process.stderr if line.startswith("listening on "))
            yield f"{listening.split()[2].rstrip(';')}/v1"
        finally:
            process.terminate()


async def alternating(upstream: str, served: str, streams: int, requests: int) -> dict[str, list[Took]]:
    """Laps of each, the other first in every second one."""
    taken: dict[str, list[Took]] = {"upstream": [], "proxy": []}
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(timeout=300, limits=limits) as client:
        urls = {"upstream": upstream, "proxy": served}
        for url in urls.values():  # connections and caches are warm
            await asyncio.gather(*(one(client, url, number, "warm") for number in range(min(streams, PEOPLE))))
        for lap in range(LAPS):
            for name in sorted(urls, reverse=lap % 2 == 1):
                gate = asyncio.Semaphore(streams)
                each = max(streams, requests // LAPS)
                runs = (gated(gate, client, urls[name], number, f"{lap}") for number in range(each))
                taken[name] += await asyncio.gather(*runs)
    return taken


async def gated(gate: asyncio.Semaphore, client: httpx2.AsyncClient, url: str, number: int, lap: str) -> Took:
    async with gate:
        return await one(client, url, number, lap)


async def one(client: httpx2.AsyncClient, url: str, number: int, lap: str) -> Took:
    """One streamed turn, of a person who is known, in a thread of its own."""
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Which boats did I see in Porto?"}]}
    headers = {"X-User-Id": f"p{number % PEOPLE}", "X-Thread-Id": f"{lap}-{number}-{time.time_ns()}"}
    started, first = time.perf_counter(), 0.0
    async with client.stream("POST", f"{url}/chat/completions", json=body, headers=headers) as answer:
        answer.raise_for_status()
        without = answer.headers.get("x-persona-memory") == "failed"
        async for _ in answer.aiter_bytes():
            first = first or time.perf_counter()
    return Took((first - started) * 1e3, (time.perf_counter() - started) * 1e3, without)


def as_report(taken: dict[int, dict[str, list[Took]]], args: argparse.Namespace) -> Report:
    tables = []
    for title, of in (("until the first byte", lambda t: t.first), ("until the end", lambda t: t.whole)):
        rows = []
        for streams, found in taken.items():
            numbers = {
                f"{name} p{p}": float(np.percentile([of(one) for one in found[name]], p))
                for name in ("upstream", "proxy")
                for p in (50, 95)
            }
            numbers |= {f"added p{p}": numbers[f"proxy p{p}"] - numbers[f"upstream p{p}"] for p in (50, 95)}
            cells = {name: f"{number:,.0f}" for name, number in numbers.items()}
            lost = sum(one.without for one in found["proxy"])
            rows.append(Row(f"{streams} at a time", {**cells, LOST: f"{lost} of {len(found['proxy'])}"}))
        tables.append(Table(f"Milliseconds {title}", (*COLUMNS, LOST), tuple(rows)))
    load = f"Load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    notes = (f"People known to the memory: {PEOPLE}.", load)
    command = ["python", "benchmarks/serve.py", "--requests", str(args.requests), "--streams", *map(str, args.streams)]
    return Report("serve", "A proxy with memory", tuple(tables), notes=notes, provenance=provenance(command))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the proxy adds to a request.")
    parser.add_argument("--data", help="not used")
    parser.add_argument("--quick", action="store_true", help="a few requests, up to 16 streams")
    parser.add_argument("--streams", type=int, nargs="+", help="streams at a time (default 1 4 16 64 256)")
    parser.add_argument("--requests", type=int, help="requests of each kind and number of streams (default 800)")
    parser.add_argument("--markdown", help="file to write the report to")
    args = parser.parse_args()
    args.streams = args.streams or ([1, 16] if args.quick else [1, 4, 16, 64, 256])
    args.requests = args.requests or (40 if args.quick else 800)
    return args


if __name__ == "__main__":
    main()
