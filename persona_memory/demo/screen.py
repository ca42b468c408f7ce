"""How the demo looks: what is said, what was learnt, what was recalled and why, and what was checked.

Every line keeps its indentation where the terminal breaks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from persona_memory.types import Hit, Memory, ProfileEdit, Recall

SHOWN = 4
"""Hits that are shown of a recall."""

LEGEND = (
    "How to read what is recalled: score (relative to the best that could be), date, what was “said” or noted, and the "
    "score's parts: words that it or the turns beside it share with the question + meaning (similar embeddings) + "
    "session (more of that conversation fits) + speaker (it is by or about the person who asks) + date (of the time "
    "that was asked about). “changed since” is given to the model as such."
)
_NAMES = {"dense": "meaning"}
_CLIP = 160


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is stored of a person at one moment.

    Attributes:
        memories: by id.
        turns: their texts by time (ISO 8601), thread and role.
        edits: of the profile, in order.
    """

    memories: Mapping[str, Memory]
    turns: Mapping[tuple[str, str, str], str]
    edits: Sequence[ProfileEdit]


def said(console: Console, colour: str, who: str, text: str, *, indent: int = 2) -> None:
    """One message, its further lines below its first."""
    row = Table.grid(padding=(0, 1))
    row.add_column(width=7, no_wrap=True)
    row.add_column()
    row.add_row(f"[{colour}]{escape(who)}[/]", escape(text))
    console.print(Padding(row, (0, 0, 0, indent), expand=False), highlight=False)


def learnt(console: Console, before: Snapshot, now: Snapshot) -> None:
    """What a session changed of what is stored."""
    lines = [*_new(before, now), *_forgotten(before, now), *_edits(now.edits[len(before.edits) :])]
    console.print("  [bold]learnt[/]" if lines else "  [bold]learnt[/]  [dim]nothing new[/]")
    for mark, line in lines:
        marked(console, mark, line)


def recalled(console: Console, found: Recall) -> None:
    """The best hits, each with its score's parts, and how they reach the model."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column()
    for hit in found.hits[:SHOWN]:
        why = " + ".join(f"{_NAMES.get(name, name)} {value:.2f}" for name, value in hit.parts.items() if value > 0.005)
        text = escape(quoted(hit.text) if hit.kind == "turn" else clipped(hit.text))
        rows.add_row(f"{hit.score:.2f}", f"{hit.at:%d %b}", f"{_who(hit)}{text}{_changed(hit)} [dim]({why})[/]")
    if len(found.hits) > SHOWN:
        rows.add_row("", "", f"[dim]and {len(found.hits) - SHOWN} more[/]")
    if not found.hits:
        rows.add_row("", "", "[dim]only what the profile says[/]" if found.profile_text else "[dim]nothing[/]")
    console.print(Padding(rows, (0, 0, 0, 4), expand=False), highlight=False)
    marked(console, "dim", f"[dim]{found.route.name}: {escape(found.route.reason)}[/]", sign="→")


@dataclass(slots=True)
class Checks:
    """What was checked so far; calling it shows one more."""

    console: Console
    held: int = 0
    made: int = 0

    def __call__(self, held: bool, what: str) -> None:
        """A check, and whether it held. `what` is markup."""
        self.made += 1
        self.held += held
        marked(self.console, "bold green" if held else "bold red", what, sign="✓" if held else "✗")


def marked(console: Console, mark: str, line: str, *, sign: str | None = None) -> None:
    """A line of markup behind a sign in a style; without a sign the mark is one of "+", "~", "−", "profile"."""
    style = mark if sign else {"+": "yellow", "~": "red", "−": "red"}.get(mark, "magenta")
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True)
    row.add_column()
    row.add_row(f"[{style}]{sign or mark}[/]", line)
    console.print(Padding(row, (0, 0, 0, 4), expand=False), highlight=False)


def flat(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def clipped(text: str) -> str:
    """The text on one line, cut where it is long."""
    line = flat(text)
    return line if len(line) <= _CLIP else line[: _CLIP - 1] + "…"


def quoted(text: str) -> str:
    """The text on one line in quotation marks, with single ones inside.

    A mark that stands alone, because its other half was cut off or forgotten, is left out.
    """
    line = clipped(text)
    marks, open_ = dict[int, str](), list[int]()
    for place, mark in enumerate(line):
        if mark == "“":
            open_.append(place)
        elif mark == "”" and open_:
            marks |= {open_.pop(): "‘", place: "’"}
    return "“" + "".join(marks.get(place, "" if mark in "“”" else mark) for place, mark in enumerate(line)) + "”"


def around(line: str, word: str) -> str:
    """The part of a line that surrounds the word."""
    start = line.casefold().find(word.casefold())
    first, last = max(0, start - _CLIP // 2), start + len(word) + _CLIP // 2
    return ("…" if first else "") + line[first:last].strip() + ("…" if last < len(line) else "")


def _changed(hit: Hit) -> str:
    return " [yellow](changed since)[/]" if hit.since_changed else ""


def _who(hit: Hit) -> str:
    if hit.kind == "memory":
        return ""
    return "agent: " if hit.role == "assistant" else ""


def _new(before: Snapshot, now: Snapshot) -> Iterable[tuple[str, str]]:
    for memory in now.memories.values():
        if memory.id not in before.memories:
            sources = ", ".join(f"t{seq}" for seq in memory.sources)
            text = escape(memory.text) if memory.current else f"[strike]{escape(memory.text)}[/]"
            standing = "" if memory.current else ", replaced in the same conversation"
            yield "+", f"{text} [dim]({memory.kind}, from {sources}{standing})[/]"
        elif not memory.current and before.memories[memory.id].current:
            yield "~", f"no longer true: [strike]{escape(memory.text)}[/]"


def _forgotten(before: Snapshot, now: Snapshot) -> Iterable[tuple[str, str]]:
    for memory_id, memory in before.memories.items():
        if memory_id not in now.memories:
            yield "−", f"forgotten, a memory: [strike]{escape(memory.text)}[/]"
    for turn, text in before.turns.items():
        if (left := now.turns.get(turn, "")) != text:
            day = f"{datetime.fromisoformat(turn[0]):%d %b}"
            rest = f" [dim](what is left: {escape(quoted(left))})[/]" if left else ""
            yield "−", f"forgotten, said on {day}: [strike]{escape(quoted(text))}[/]{rest}"


def _edits(edits: Sequence[ProfileEdit]) -> Iterable[tuple[str, str]]:
    """The edits, without an item that was added and taken away again."""
    gone = {(edit.field, str(edit.value)) for edit in edits if edit.op == "remove"}
    passing = {(edit.field, str(edit.value)) for edit in edits if edit.op == "add"} & gone
    for edit in edits:
        if (edit.field, str(edit.value)) not in passing:
            value = ", ".join(map(str, edit.value)) if isinstance(edit.value, list | tuple) else str(edit.value)
            sign = {"set": "=", "add": "+=", "remove": "-="}[edit.op]
            evidence = ", ".join(f"t{seq}" for seq in edit.evidence)
            why = f"({edit.basis}, {edit.confidence:.2f}, {evidence})"
            yield "profile", f"{edit.field} {sign} {escape(value)} [dim]{why}[/]"
