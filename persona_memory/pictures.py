"""Pictures for a terminal: what is known, why, and what was recalled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from persona_memory.types import ErasureReceipt, Hit, Job, Knowledge, Memory, Profile, Recall, Topic

_NARROW = ("id", "when", "since", "until", "score", "status", "field", "basis", "kind")
_STATUS_COLOURS = {"familiar": "green", "learning": "yellow", "gap": "red", "discussed": "blue", "unseen": "dim"}


def profile(console: Console, found: Profile) -> None:
    """The profile dictionary: value, where it comes from, since when."""
    table = _table("Profile", "field", "value", "basis", "confidence", "evidence", "since")
    for entry in found.entries.values():
        value = ", ".join(map(str, entry.value)) if isinstance(entry.value, tuple) else str(entry.value)
        sources = "set by the host" if entry.basis == "host" else _turns(entry.evidence)
        table.add_row(
            entry.field, escape(value), entry.basis, f"{entry.confidence:.2f}", sources, f"{entry.at:%Y-%m-%d}"
        )
    _print(console, table, "Nothing is known yet for the profile.")


def knowledge(console: Console, found: Knowledge) -> None:
    """The map of what the person knows, and what is still unknown about them."""
    table = _table("Knowledge", "topic", "status", "mastery", "would recall now", "evidence")
    for topic in found.topics:
        table.add_row(*_topic_row(topic))
    _print(console, table, "No topic has come up yet.")
    if found.gaps:
        shown = "; ".join(gap.question for gap in found.gaps[:3])
        console.print(f"Still unknown about the person ({len(found.gaps)}): {escape(shown)} …", style="dim")


def memories(console: Console, found: Sequence[Memory]) -> None:
    """All memories, superseded ones struck through."""
    table = _table("Memories", "id", "kind", "memory", "since", "until", "turns")
    for memory in found:
        until = "" if memory.valid_to is None else f"{memory.valid_to:%Y-%m-%d}"
        text = escape(memory.text) if memory.current else f"[strike dim]{escape(memory.text)}[/]"
        table.add_row(memory.id, memory.kind, text, f"{memory.valid_from:%Y-%m-%d}", until, _turns(memory.sources))
    _print(console, table, "No memories yet.")


def recall(console: Console, found: Recall) -> None:
    """What was recalled for a message, with each score's parts and the routing decision."""
    table = _table("Recalled", "score", "why", "when", "who", "what")
    for hit in found.hits:
        table.add_row(*_hit_row(hit))
    _print(console, table, "Nothing relevant is remembered.")
    route = found.route
    console.print(f"route: [bold]{route.name}[/], {escape(route.reason)}; {found.tokens} tokens used", highlight=False)
    spent = ", ".join(f"{name} {ms:.1f} ms" for name, ms in found.timings.items())
    console.print(f"time: {spent}" + (f"\ndegraded: {escape(found.degraded)}" if found.degraded else ""), style="dim")


def jobs(console: Console, found: Sequence[Job]) -> None:
    """Background work, parked first."""
    table = _table("Jobs", "id", "user", "kind", "state", "attempts", "due", "last error")
    for job in found:
        state = f"[red]{job.state}[/]" if job.state == "parked" else job.state
        due = f"{job.due_at:%Y-%m-%d %H:%M:%S}"
        error = escape(job.last_error or "")
        table.add_row(str(job.id), escape(job.user_id), job.kind, state, str(job.attempts), due, error)
    _print(console, table, "No job waits.")


def people(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """Everybody, with how much of what they said is learnt."""
    table = _table("People", "user", "learnt", "pending", "parked")
    for one in found:
        counts = [str(one.get(state, 0)) for state in ("learnt", "pending", "parked")]
        table.add_row(escape(str(one["user_id"])), *counts)
    _print(console, table, "Nobody is known yet. `persona-memory chat --user you` begins.")


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
    why = " ".join(f"{name} {value:.2f}" for name, value in hit.parts.items() if value)
    who = hit.speaker or hit.role or "memory"
    text = " ".join(hit.text.split())
    shown = text if len(text) <= 160 else text[:157] + "…"
    changed = " [yellow](since changed)[/]" if hit.since_changed else ""
    return f"{hit.score:.2f}", why, f"{hit.at:%Y-%m-%d}", escape(who), f"{escape(shown)}{changed} [dim]{hit.id}[/]"


def _turns(seqs: Iterable[int]) -> str:
    numbers = [f"t{seq}" for seq in seqs]
    return ", ".join(numbers[:4]) + (f" +{len(numbers) - 4}" if len(numbers) > 4 else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _NARROW)
    return table


def _print(console: Console, table: Table, otherwise: str) -> None:
    console.print(table if table.row_count else f"[dim]{otherwise}[/]")
