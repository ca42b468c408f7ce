"""The bars that speed and cost are held against: each with what was seen in this run, and whether it was reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.side_by_side.common import LAPS
from benchmarks.side_by_side.sides import BASE, LANGMEM, MEM0, NORMAL, Result
from benchmarks.side_by_side.table import ms
from persona_memory.evaluation import Row, Table

COLUMNS = ("bar", "seen", "reached")
SIDES = {"FULL": BASE, "NORMAL": NORMAL}
FASTER_MEM0 = ("mem0 on FAISS", "mem0 on Chroma")
FLAT = 1.02
"""Memory counts as flat if the laps after the second add no more than this."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A median, and the fastest call where there were many: the truth of a quiet machine lies between the two."""

    p50: float
    best: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        what: what is measured, and where.
        bar: what it has to be, in words.
        seen: by mode or peer ("" where there is only one); None where it was not measured.
        good: whether a median is good enough.
        unit: written behind a figure.
        number: how a figure is written.
        either: one good figure is enough.
    """

    what: str
    bar: str
    seen: Mapping[str, Figure | None]
    good: Callable[[float], bool]
    unit: str = ""
    number: Callable[[float], str] = ms
    either: bool = False

    def row(self) -> Row:
        """As a row of the table."""
        known = {name: one for name, one in self.seen.items() if one is not None}
        figures = ", ".join(" ".join(filter(None, (self._shown(one), self.unit, name))) for name, one in known.items())
        return Row(self.what, {"bar": self.bar, "seen": figures, "reached": self._verdict(known)})

    def _verdict(self, known: Mapping[str, Figure]) -> str:
        good = [name for name, one in known.items() if self.good(one.p50)]
        unknown = [name for name in self.seen if name not in known]
        if not known:
            return "not measured"
        if len(good) == len(self.seen) or (good and self.either):
            return "reached"
        parts = (
            "**missed**" if len(good) < len(known) else "",
            f"reached: {', '.join(good)}" if good else "",
            f"{', '.join(unknown)} not measured" if unknown else "",
        )
        return ", ".join(filter(None, parts))

    def _shown(self, one: Figure) -> str:
        return self.number(one.p50) + ("" if one.best is None else f" ({self.number(one.best)})")


def against(results: Sequence[Result], sizes: Sequence[str]) -> Table:
    """All bars that this benchmark can tell about.

    Args:
        sizes: those that were asked for, e.g. "100,000" and "one, 10,000". What was stopped at the size that a bar is
            about was not measured, however it did at smaller ones.
    """
    seen = Seen(results, sizes)
    bars = [*_reading(seen), *_mem0(seen), *_added(seen), *_learning(seen), *_plain(seen)]
    return Table("Against the bars", COLUMNS, tuple(one.row() for one in bars))


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run has measured, at the sizes that it was asked for."""

    results: Sequence[Result]
    asked: Sequence[str]

    def figure(self, side: str, row: str, size: str, name: str = "p50") -> Figure | None:
        """One figure; None where it was not measured."""
        for one in self.results:
            if (one.side, one.row, one.size) == (side, row, size) and name in one.values:
                return Figure(one.values[name], one.values.get("best"))
        return None

    def ours(self, row: str, size: str, name: str = "p50") -> dict[str, Figure | None]:
        """The figures of our ledger in both modes."""
        return {mode: self.figure(side, row, size, name) for mode, side in SIDES.items()}

    def fastest(self, sides: Sequence[str], row: str, size: str, name: str = "p50") -> Figure | None:
        """The figure of the fastest of these sides."""
        told = [self.figure(side, row, size, name) for side in sides]
        return min((one for one in told if one is not None), key=lambda one: one.p50, default=None)

    def sizes(self, *, alone: bool) -> list[str]:
        """The sizes, smallest first: memories of one person, or of many up to 100,000."""
        kept = {one for one in self.asked if one.startswith("one, ") == alone and (alone or _number(one) <= 100_000)}
        return sorted(kept, key=_number)

    def walked(self) -> list[str]:
        """The sizes at which everybody was asked something new in all laps."""
        return [one.size for one in self.results if (one.side, one.row) == (BASE, f"resident after {LAPS} laps")]


def _reading(seen: Seen) -> Iterator[Bar]:
    """recall and observe by themselves."""
    sizes = seen.sizes(alone=False) or ["100,000"]
    small, large = sizes[0], sizes[-1]
    yield Bar(f"recall without embedding, {large} memories", "≤ 2 ms", seen.ours("recall", large), most(2), "ms")
    ratios = _each(_ratio, seen.ours("recall", large), seen.ours("recall", small))
    yield Bar(f"the same, {large} memories against {small}", "≤ 1.5 ×", ratios, most(1.5), "×")
    for size in (one for one in seen.sizes(alone=True) if _number(one) <= 10_000):
        after = seen.ours("recall right after observe", size)
        yield Bar(f"recall right after observe, one person, {size[5:]} turns", "≤ 15 ms", after, most(15), "ms")
    for mode, bar in (("FULL", 2), ("NORMAL", 1)):
        times = {f"at {size}": seen.figure(SIDES[mode], "observe", size) for size in dict.fromkeys((small, large))}
        yield Bar(f"observe, {mode}", f"≤ {bar} ms", times, most(bar), "ms")


def _mem0(seen: Seen) -> Iterator[Bar]:
    """recall and observe against mem0's, at the largest size."""
    size = (seen.sizes(alone=False) or ["100,000"])[-1]
    for row in ("recall", "observe"):
        for kind, stores, bar in (("default", [MEM0], 20.0), ("fastest embedded", FASTER_MEM0, 1.0)):
            theirs = dict.fromkeys(SIDES, seen.fastest(stores, row, size))
            times = _each(_ratio, theirs, seen.ours(row, size))
            shown = f"≥ {bar:.0f} ×" if bar > 1 else "faster"
            yield Bar(f"{row}: mem0's {kind} store takes, {size} memories", shown, times, least(bar), "×")


def _added(seen: Seen) -> Iterator[Bar]:
    """What memory adds to an embedding and to an agent's turn."""
    for what, whole, part in (
        ("recall with MiniLM, less the embedding", "recall with embedding", "embedding alone"),
        ("agent turn with the middleware, less empty hooks", "agent turn, with memory", "agent turn, empty hooks"),
    ):
        added = _each(_less, seen.ours(whole, "1,000"), seen.ours(part, "1,000"))
        yield Bar(what, "≤ 3 ms", added, most(3), "ms")


def _learning(seen: Seen) -> Iterator[Bar]:
    """64 people at once; what the LLM is asked."""
    peers = {"mem0": MEM0, "LangMem": LANGMEM}
    told = {name: seen.figure(side, "learn", "", "value") for name, side in peers.items()}
    shown = ", ".join(f"{name} {one.p50:.1f} s" for name, one in told.items() if one is not None)
    what = "64 people learnt at once, LLM of 1 s" + (f" ({shown})" if shown else "")
    yield Bar(what, "≤ 1.5 s", seen.ours("learn", "", "value"), most(1.5), "s")
    for unit, bar, words in (("calls", 0.25, "≤ ¼"), ("tokens", 0.5, "≤ ½")):
        ours = seen.figure(NORMAL, "economy", "as it is due", unit)
        shares = {
            stretch: _ratio(ours, seen.fastest((MEM0, LANGMEM), "economy", stretch, unit))
            for stretch in ("each exchange", "24 turns at a time")
        }
        yield Bar(f"LLM's {unit}, of the better peer's that is given", words, shares, most(bar), "×")


def _plain(seen: Seen) -> Iterator[Bar]:
    """Installation, import, memory in RAM."""
    shares = {
        unit: _ratio(seen.figure("ours", "installed", "", unit), seen.figure("mem0", "installed", "", unit))
        for unit in ("packages", "MB")
    }
    yield Bar("core install, of mem0's", "fewer packages or MB", shares, lambda value: value < 1, "×", either=True)
    whole = {name: seen.figure(name, "import with its main class", "") for name in ("ours", "mem0")}
    shown = ", ".join(f"{name} {one.p50:.2f} s" for name, one in whole.items() if one is not None)
    what = "import" + (f" (with the main class: {shown})" if shown else "")
    yield Bar(what, "≤ .3 s", {"": seen.figure("ours", "import", "")}, most(0.3), "s")
    for size in seen.walked():
        laps = [seen.figure(BASE, f"resident after {lap + 1} laps", size, "value") for lap in range(LAPS)]
        mb = ", ".join(f"{one.p50:.0f}" for one in laps if one is not None)
        what = (
            f"MB in RAM after 1 to {LAPS} laps of new questions to everybody of {size} memories: {mb}; last of second"
        )
        yield Bar(what, "flat", {"": _ratio(laps[-1], laps[1])}, most(FLAT), "×")


def _each(
    join: Callable[[Figure | None, Figure | None], Figure | None],
    one: Mapping[str, Figure | None],
    other: Mapping[str, Figure | None],
) -> dict[str, Figure | None]:
    """The figures of the same name, joined."""
    return {name: join(figure, other.get(name)) for name, figure in one.items()}


def _ratio(one: Figure | None, other: Figure | None) -> Figure | None:
    return _joined(one, other, lambda this, that: this / that)


def _less(one: Figure | None, other: Figure | None) -> Figure | None:
    return _joined(one, other, lambda this, that: this - that)


def _joined(one: Figure | None, other: Figure | None, join: Callable[[float, float], float]) -> Figure | None:
    if one is None or other is None or not other.p50 or other.best == 0:
        return None
    best = None if one.best is None or other.best is None else join(one.best, other.best)
    return Figure(join(one.p50, other.p50), best)


def most(bar: float) -> Callable[[float], bool]:
    """Good is at most this."""
    return lambda value: value <= bar


def least(bar: float) -> Callable[[float], bool]:
    """Good is at least this."""
    return lambda value: value >= bar


def _number(size: str) -> int:
    return int(size.removeprefix("one, ").replace(",", ""))
