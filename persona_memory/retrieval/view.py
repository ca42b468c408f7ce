"""What recall reads of one person, held in arrays that grow in place as turns and memories arrive."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Mapping, Set
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from persona_memory.retrieval.bm25 import Bm25
from persona_memory.retrieval.columns import Column
from persona_memory.retrieval.subjects import is_aside
from persona_memory.retrieval.values import Figure, figures
from persona_memory.retrieval.words import tokens
from persona_memory.types import Memory, Role, Turn

ROLES = get_args(Role)

ROW = np.dtype(
    [
        ("at", np.float64),  # POSIX seconds
        ("before", np.int32),  # row of the turn before it in the same thread and session, or −1
        ("after", np.int32),
        ("session", np.int32),  # number of the session, or −1
        ("speaker", np.int32),  # number of the speaker's name, or −1
        ("role", np.int8),  # number of the role in ROLES
        ("wish", np.bool_),  # the person says how they always want things
        ("aside", np.bool_),  # it tells of somebody else, or supposes what is not so
        ("live", np.bool_),  # False once it was taken out
    ],
    align=True,
)
"""What the ranking knows of one row besides its words."""


WISH = re.compile(
    r"\balways\b|\bI(?:'d| would)? (?:\w+ly )?prefer|\bI(?:'d| would) rather\b"
    r"|\bnever (?:use|give|show|add|suggest|write)\b",
    re.IGNORECASE,
)
"""Lasting wishes: "Always show the units", "I prefer plain text". They matter whenever their subject comes up."""


class PersonView:
    """One person's turns and current memories as rows, in order of arrival, with word statistics and neighbours.

    A cache: all of it comes from the ledger, and whoever forgets a turn builds a new one. Adding costs a turn's own
    length (about 50 µs), however much is there. `lock` is taken by all that changes the view and by `rank`, so that
    threads may share one.

    Attributes:
        items: the turn or memory of each row.
        words: BM25 over the rows' texts.
        changed: sequence numbers of turns of which a memory has been superseded since, by what another turn says.
    """

    def __init__(self, turns: Iterable[Turn] = (), memories: Iterable[Memory] = ()) -> None:
        self.lock = threading.RLock()
        self.items: list[Turn | Memory] = []
        self.words = Bm25()
        self.changed: set[int] = set()
        self._figures: dict[int, tuple[Figure, ...]] = {}
        self._table: Column[np.void] = Column(ROW)
        self._rows: dict[str, int] = {}
        self._speakers: dict[str, int] = {}
        self._sessions: dict[tuple[str, int], int] = {}
        self._last_of_session: dict[int, int] = {}
        for turn in turns:
            self.add_turn(turn)
        self.set_memories(memories)

    def __len__(self) -> int:
        """Rows so far, those taken out included."""
        return len(self.items)

    @property
    def remembered(self) -> int:
        """Rows whose figures are kept, which takes about as much as the row itself."""
        return len(self._figures)

    @property
    def table(self) -> NDArray[np.void]:
        """All rows as a structured array of ROW, shape (n,). Valid until the next change."""
        return self._table.values

    @property
    def sessions(self) -> int:
        """How many sessions the turns belong to."""
        return len(self._sessions)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of all who speak in this person's conversations."""
        return tuple(self._speakers)

    def add_turn(self, turn: Turn) -> None:
        """Append a turn; a sequence number that is there already changes nothing."""
        with self.lock:
            if f"t{turn.seq}" in self._rows:
                return
            session = self._sessions.setdefault((turn.thread_id, turn.session), len(self._sessions))
            before, row = self._last_of_session.get(session, -1), len(self.items)
            if before >= 0:
                self.table["after"][before] = row
            self._last_of_session[session] = row
            speaker = self._speakers.setdefault(turn.speaker, len(self._speakers)) if turn.speaker else -1
            wish = turn.role == "user" and WISH.search(turn.text) is not None
            aside = turn.role == "user" and is_aside(turn.text)
            self._table.append(
                (turn.at.timestamp(), before, -1, session, speaker, ROLES.index(turn.role), wish, aside, True)
            )
            self._append(f"t{turn.seq}", turn)

    def add_memory(self, memory: Memory) -> None:
        """Append a current memory, or replace the one with its id."""
        with self.lock:
            self._take_out(memory.id)
            source = next((self._rows[f"t{seq}"] for seq in memory.sources if f"t{seq}" in self._rows), None)
            session, speaker, role = -1, -1, ROLES.index("user")
            if source is not None:
                session, speaker, role = (self.table[name][source] for name in ("session", "speaker", "role"))
            wish = memory.kind == "procedural"
            aside = is_aside(memory.text, said=False)
            self._table.append((memory.valid_from.timestamp(), -1, -1, session, speaker, role, wish, aside, True))
            self._append(memory.id, memory)

    def set_memories(self, memories: Iterable[Memory]) -> None:
        """Make these the person's memories: all, superseded ones included. Costs only what differs from before."""
        with self.lock:
            wanted = {memory.id: memory for memory in memories}
            current = {memory.id: memory for memory in wanted.values() if memory.current}
            self.changed = {
                seq for memory in wanted.values() if not memory.current for seq in _overtaken(memory, wanted)
            }
            for item in [item for item in self.live_items() if isinstance(item, Memory) and item.id not in current]:
                self._take_out(item.id)
            for memory in current.values():
                row = self._rows.get(memory.id)
                if row is None or self.items[row] != memory:
                    self.add_memory(memory)

    def live_items(self) -> list[Turn | Memory]:
        """Turns and current memories, in order of arrival."""
        live = self.table["live"]
        return [item for row, item in enumerate(self.items) if live[row]]

    def turn(self, seq: int) -> Turn | None:
        """The turn with this sequence number, if it is here."""
        row = self.row_of(f"t{seq}")
        item = None if row is None else self.items[row]
        return item if isinstance(item, Turn) else None

    def figures(self, row: int) -> tuple[Figure, ...]:
        """The figures that a row's text tells; read when first asked for."""
        if row not in self._figures:
            self._figures[row] = figures(self.items[row].text)
        return self._figures[row]

    def row_of(self, id: str) -> int | None:
        """The row of "t12" or of a memory's id; None where there is none."""
        return self._rows.get(id)

    def speaker_numbers(self, names: Collection[str]) -> list[int]:
        """The numbers under which these speakers are in the table."""
        return [self._speakers[name] for name in names if name in self._speakers]

    def _append(self, id: str, item: Turn | Memory) -> None:
        self._rows[id] = len(self.items)
        self.items.append(item)
        self.words.add(tokens(item.text))

    def _take_out(self, id: str) -> None:
        """Remove a memory's row from scores and statistics; the row itself stays as a gap."""
        row = self._rows.pop(id, None)
        if row is not None:
            self.words.remove(row)
            self.table["live"][row] = False


def _overtaken(memory: Memory, known: Mapping[str, Memory]) -> Set[int]:
    """The turns of a superseded memory that do not say themselves what took its place."""
    successor = known.get(memory.superseded_by or "")
    return set(memory.sources).difference(successor.sources if successor else ())
