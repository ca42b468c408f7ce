"""Pictures for a terminal: what is known, why, and what was recalled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from persona_memory.types import (
    Adapter,
    Check,
    Checkup,
    ErasureReceipt,
    Hit,
    Job,
    Knowledge,
    Memory,
    Outage,
    Profile,
    Recall,
    Spent,
    Topic,
)

_WIDE = ("value", "memory", "what", "topic", "user", "reason")
"""Columns of text, which is broken between words; they take what the others leave, and at least `_LEAST_WIDTH`."""
_LEAST_WIDTH = 15
_LEAST = (
    "kind",
    "confidence",
    "attempts",
    "basis",
    "turns",
    "until",
    "evidence",
    "due",
    "why",
    "who",
    "begun",
    "base model",
)
"""Columns that a narrow terminal goes without, the first one first."""
_STATUS_COLOURS = {"familiar": "green", "learning": "yellow", "gap": "red", "discussed": "blue", "unseen": "dim"}


def profile(console: Console, found: Profile) -> None:
    """The profile dictionary: value, where it comes from, since when."""
    rows = []
    for entry in found.entries.values():
        value = ", ".join(map(str, entry.value)) if isinstance(entry.value, tuple) else str(entry.value)
        sources = "set by the host" if entry.basis == "host" else _turns(entry.evidence)
        rows.append(
            (entry.field, escape(value), entry.basis, f"{entry.confidence:.2f}", sources, f"{entry.at:%Y-%m-%d}")
        )
    columns = ("field", "value", "basis", "confidence", "evidence", "since")
    _print(console, "Profile", columns, rows, "Nothing is known yet for the profile.")


def knowledge(console: Console, found: Knowledge) -> None:
    """The map of what the person knows, and what is still unknown about them."""
    columns = ("topic", "status", "mastery", "would recall now", "evidence")
    _print(console, "Knowledge", columns, [_topic_row(one) for one in found.topics], "No topic has come up yet.")
    if found.gaps:
        shown = "; ".join(gap.question for gap in found.gaps[:3])
        console.print(f"Still unknown about the person ({len(found.gaps)}): {escape(shown)} …", style="dim")


def memories(console: Console, found: Sequence[Memory]) -> None:
    """All memories, superseded ones struck through."""
    rows = []
    for memory in found:
        until = "" if memory.valid_to is None else f"{memory.valid_to:%Y-%m-%d}"
        text = escape(memory.text) if memory.current else f"[strike dim]{escape(memory.text)}[/]"
        rows.append((memory.id, memory.kind, text, f"{memory.valid_from:%Y-%m-%d}", until, _turns(memory.sources)))
    _print(console, "Memories", ("id", "kind", "memory", "since", "until", "turns"), rows, "No memories yet.")


def _nothing(found: Recall) -> str:
    if found.left_out:
        return f"Nothing that is relevant fits into {found.route.budget} tokens."
    return "Nothing relevant is remembered."


def recall(console: Console, found: Recall) -> None:
    """What was recalled for a message, with each score's parts and the routing decision."""
    rows = [_hit_row(hit) for hit in found.hits]
    _print(console, "Recalled", ("score", "why", "when", "who", "what"), rows, _nothing(found))
    route = found.route
    console.print(f"route: [bold]{route.name}[/], {escape(route.reason)}; {found.tokens} tokens used", highlight=False)
    spent = ", ".join(f"{name} {ms:.1f} ms" for name, ms in found.timings.items())
    console.print(f"time: {spent}" + (f"\ndegraded: {escape(found.degraded)}" if found.degraded else ""), style="dim")


def jobs(console: Console, found: Sequence[Job]) -> None:
    """Background work, parked first."""
    rows = [
        (str(job.id), escape(job.user_id), job.kind, _state(job), str(job.attempts), str(len(job.seqs) or ""),
         _goes_on(job), escape(job.last_error or ""))
        for job in found
    ]  # fmt: skip
    columns = ("id", "user", "kind", "state", "attempts", "turns", "due", "reason")
    _print(console, "Jobs", columns, rows, "No job waits.")


def _state(job: Job) -> str:
    if job.waits_for is not None:
        return f"[yellow]waits for {job.waits_for}[/]"
    return f"[red]{job.state}[/]" if job.state == "parked" else job.state


def _goes_on(job: Job) -> str:
    """When a job goes on by itself; a parked one does not."""
    return "" if job.state == "parked" else f"{job.due_at:%Y-%m-%d %H:%M:%S}"


def waiting(console: Console, outages: Sequence[Outage], today: Spent) -> None:
    """Models that answer nobody, and what learning has cost today, where it is counted."""
    for one in outages:
        process = one.worker.rsplit(" ", 2)[-2]
        console.print(
            f"The language model of worker {process} answers nobody since {one.since:%Y-%m-%d %H:%M:%S}: "
            f"{escape(one.reason)}, failures in a row: {one.failures}. One job tries it again at {one.until:%H:%M:%S}.",
            style="yellow", highlight=False,
        )  # fmt: skip
    if today.calls:
        console.print(f"Learning today: {today.calls:,} calls, {today.tokens:,} tokens", style="dim", highlight=False)


def adapters(console: Console, found: Sequence[Adapter]) -> None:
    """Versions of a person's adapter, oldest first."""
    colours = {"active": "green", "retired": "dim"}
    rows = [
        (
            str(one.revision),
            f"[{colours[one.state]}]{one.state}[/]" if one.state in colours else one.state,
            f"{one.at:%Y-%m-%d %H:%M}",
            escape(one.base_model),
            escape(one.reason),
        )
        for one in found
    ]
    columns = ("version", "state", "begun", "base model", "reason")
    _print(console, "Adapters", columns, rows, "No adapter was trained yet.")


def people(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """Everybody, with how much of what they said is learnt."""
    states = ("learnt", "pending", "parked", "discarded")
    rows = [(escape(str(one["user_id"])), *(str(one.get(state, 0)) for state in states)) for one in found]
    _print(console, "People", ("user", *states), rows, "Nobody is known yet. `persona-memory chat --user you` begins.")


def progress(console: Console, found: Mapping[str, int]) -> None:
    """How much of what was said is learnt."""
    console.print("turns: " + ", ".join(f"{count} {state}" for state, count in sorted(found.items())), style="dim")


def receipt(console: Console, found: ErasureReceipt) -> None:
    """What was erased, and what is outside our reach."""
    gone = ", ".join(_counted(count, what.replace("_", " ")) for what, count in found.erased.items() if count)
    console.print(f"erased of {escape(found.user_id)}: {gone or 'nothing'} (receipt {found.id})")
    state = "the bytes are gone" if found.complete else "not complete yet: the worker finishes it"
    console.print(state, style="green" if found.complete else "yellow")
    for place in found.remains:
        console.print(f"outside our reach: {escape(place)}", style="dim")


def checkup(console: Console, found: Checkup) -> None:
    """What was looked at, and what is wrong."""
    rows = [(check.name, _verdict(check), escape(_details(check))) for check in found.checks]
    _print(console, "Checked", ("check", "state", "what"), rows, "Nothing was checked.")


def _verdict(check: Check) -> str:
    if check.left:
        return "[red]wrong[/]"
    if check.repaired:
        return "[yellow]repaired[/]"
    return "[dim]not checked[/]" if check.skipped else "[green]ok[/]"


def _details(check: Check) -> str:
    lines = [*check.left, *(f"repaired: {one}" for one in check.repaired)]
    return "\n".join([*lines, *([check.skipped] if check.skipped else [])])


def _counted(count: int, things: str) -> str:
    """ "1 memory", "2 memories"."""
    if count == 1:
        things = f"{things[:-3]}y" if things.endswith("ies") else things.removesuffix("s")
    return f"{count} {things}"


def _topic_row(topic: Topic) -> tuple[str, ...]:
    colour = _STATUS_COLOURS[topic.status]
    filled = round(topic.p_known * 10)
    bar = f"[{colour}]{'█' * filled}[/][dim]{'░' * (10 - filled)}[/] {topic.p_known:.2f}"
    recalled = "" if topic.retrievability is None else f"{topic.retrievability:.0%}"
    seen = _turns(one.seq for one in topic.evidence)
    return escape(topic.name), f"[{colour}]{topic.status}[/]", bar, recalled, seen


def _hit_row(hit: Hit) -> tuple[str, ...]:
    parts = [f"{name} {value:.2f}" for name, value in hit.parts.items() if value]
    why = "\n".join(" ".join(parts[place : place + 2]) for place in range(0, len(parts), 2))
    who = hit.speaker or hit.role or "memory"
    text = " ".join(hit.text.split())
    shown = text if len(text) <= 160 else text[:157] + "…"
    changed = " [yellow](since changed)[/]" if hit.since_changed else ""
    return f"{hit.score:.2f}", why, f"{hit.at:%Y-%m-%d}", escape(who), f"{escape(shown)}{changed} [dim]{hit.id}[/]"


def _turns(seqs: Iterable[int]) -> str:
    numbers = [f"t{seq}" for seq in seqs]
    return ", ".join(numbers[:4]) + (f" +{len(numbers) - 4}" if len(numbers) > 4 else "")


def _print(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], otherwise: str) -> None:
    """The rows as a table, as many columns of it as fit; where there are none, the sentence in their place."""
    if not rows:
        console.print(f"[dim]{otherwise}[/]")
        return
    kept, unbounded = list(columns), console.options.update(width=10_000)
    for least in _LEAST:
        narrowest = _table(title, columns, rows, kept, text_width=_LEAST_WIDTH)
        if narrowest.__rich_measure__(console, unbounded).maximum <= console.width:
            break
        kept = [column for column in kept if column != least]
    console.print(_table(title, columns, rows, kept))


def _table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    kept: Sequence[str],
    text_width: int | None = None,
) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for name in kept:
        text = name in _WIDE
        table.add_column(name, overflow="fold", no_wrap=not text, max_width=text_width if text else None)
    for row in rows:
        table.add_row(*(cell for name, cell in zip(columns, row, strict=True) if name in kept))
    return table
