"""The demo: a real `create_agent` with the middleware talks with two people over months, offline.

Nothing is faked: the people's messages are written for the demo, and so are some replies; what is learnt, recalled,
kept apart and forgotten is done by the same code that serves any agent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from persona_memory import PersonaMemory, pictures
from persona_memory.demo.conversations import PEOPLE, SESSIONS, Exchange, Probe, Session
from persona_memory.demo.offline_model import plain_reply
from persona_memory.errors import MissingExtra
from persona_memory.types import Memory, ProfileEdit

FORGOTTEN = ("Rua das Flores", b"Rua das Flores")
SHOWN = 5


@dataclass(slots=True)
class Clock:
    """The time of the story."""

    now: datetime

    def __call__(self) -> datetime:
        """The moment of the story, UTC."""
        return self.now


@dataclass(slots=True)
class Known:
    """What was known of a person after their last session, to show what a session added."""

    memories: dict[str, Memory]
    edits: int


def play(console: Console, *, home: Path | None = None, pause: float = 0.0) -> bool:
    """Play all sessions; returns whether everything that should be recalled was, and nothing that should not.

    Args:
        home: a folder to keep the demo's memory in; by default it is thrown away.
        pause: seconds between two messages on the screen.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = home or Path(scratch)
        clock = Clock(SESSIONS[0].at)
        with PersonaMemory.open(folder, clock=clock, quiet=timedelta(0)) as memory:
            stage = Stage(console, memory, clock, pause)
            stage.opening(folder)
            for session in SESSIONS:
                stage.session(session)
            stage.people()
            stage.closing(folder)
        console.print(f"played in {time.perf_counter() - started:.0f} s", style="dim")
    return stage.failed == 0


class Stage:
    """One performance: an agent with the middleware, and what the audience sees."""

    def __init__(self, console: Console, memory: PersonaMemory, clock: Clock, pause: float) -> None:
        self.console, self.memory, self.clock, self.pause = console, memory, clock, pause
        self.reply: str | None = None
        self.agent = _agent(memory, lambda: self.reply)
        self.known = {user: Known({}, 0) for user in PEOPLE}
        self.failed = self.checked = 0

    def opening(self, folder: Path) -> None:
        """Say what is going to happen."""
        self.console.print(Rule("persona-memory"))
        self.console.print(
            f"Two people talk with one agent from March to September: {len(SESSIONS)} conversations, each a thread of "
            "its own. Offline: no key, no server; facts are found by plain rules. After each conversation you see what "
            "was learnt, and in a new thread what is recalled and why.\n",
            style="dim",
        )
        self.console.print(f"memory: {folder / 'memory.db'}", style="dim", markup=False, highlight=False)

    def session(self, session: Session) -> None:
        """One conversation, what was learnt from it, and questions in a new thread."""
        name = session.user_id.capitalize()
        self.console.print()
        self.console.print(Rule(f"[bold]{name}[/] · {session.at:%d %B %Y} · {escape(session.title)}", align="left"))
        for place, exchange in enumerate(session.exchanges):
            self.clock.now = max(self.clock.now, session.said_at(place))
            self._exchange(session, exchange)
        self.memory.flush()
        self._learnt(session.user_id)
        for number, probe in enumerate(session.probes, 1):
            self._probe(session, probe, number)
        self.memory.flush()

    def people(self) -> None:
        """What is known of each person in the end, with its evidence."""
        for user in PEOPLE:
            self.console.print()
            self.console.print(Rule(f"What is known of [bold]{user.capitalize()}[/] in the end"))
            pictures.profile(self.console, self.memory.profile(user_id=user))
            self.console.print()
            pictures.knowledge(self.console, self.memory.knowledge(user_id=user))
            self.console.print()
            pictures.memories(self.console, self.memory.memories(user_id=user, superseded=True))

    def closing(self, folder: Path) -> None:
        """Erasure, checked in the files' bytes; and the sum of the checks."""
        self.console.print()
        self.console.print(Rule("Forgotten, and apart"))
        text, raw = FORGOTTEN
        files = sorted(path for path in folder.glob("memory.db*") if path.is_file())
        held = [path.name for path in files if raw in path.read_bytes()]
        self._check(not held, f"the address that Ana asked to forget ({text!r}) is in none of the files' bytes")
        receipt = self.memory.delete_user(user_id="ben")
        left = b"peanuts" in b"".join(path.read_bytes() for path in files if path.exists())
        pictures.receipt(self.console, receipt)
        self._check(
            not left and "ben" not in self.memory.users(), "Ben asked to be deleted, and nothing of him is left"
        )
        self._check(bool(self.memory.memories(user_id="ana")), "what is remembered of Ana is untouched")
        style = "bold green" if not self.failed else "bold red"
        self.console.print(f"\n{self.checked - self.failed} of {self.checked} checks held", style=style)

    def _exchange(self, session: Session, exchange: Exchange) -> None:
        self._say("cyan", session.user_id.capitalize(), exchange.user)
        self.reply = exchange.assistant
        self._say("green", "agent", self._ask(session.user_id, session.thread_id, exchange.user))

    def _ask(self, user: str, thread: str, text: str) -> str:
        config: Any = {"configurable": {"thread_id": thread}}
        answer = self.agent.invoke({"messages": [("user", text)]}, config, context={"user_id": user})
        return str(answer["messages"][-1].text)

    def _probe(self, session: Session, probe: Probe, number: int) -> None:
        """A question in a new thread: what was recalled for it and why, and whether that is right."""
        user, thread = session.user_id, f"{session.thread_id}/probe-{number}"
        found = self.memory.recall(probe.question, user_id=user)
        self.reply = None
        answer = self._ask(user, thread, probe.question)
        self.console.print(f"\n  [bold]new thread[/] [cyan]{user.capitalize()}[/] {escape(probe.question)}")
        for hit in found.hits[:SHOWN]:
            why = " ".join(f"{name} {value:.2f}" for name, value in hit.parts.items() if value > 0)
            text = " ".join(hit.text.split())
            shown = escape(text if len(text) < 90 else text[:89] + "…")
            self.console.print(f"    [dim]{hit.at:%d %b}  {hit.score:.2f} = {why}[/]  {shown}", highlight=False)
        self.console.print(f"    [dim]{found.route.name}: {escape(found.route.reason)}[/]", highlight=False)
        self._say("green", "  agent", answer)
        held = found.text.casefold()
        if probe.recalls:
            self._check(all(word.casefold() in held for word in probe.recalls), f"recalled: {', '.join(probe.recalls)}")
        if probe.never:
            self._check(not any(word.casefold() in held for word in probe.never), f"kept out: {', '.join(probe.never)}")

    def _learnt(self, user: str) -> None:
        """What this session added to memory and profile."""
        before = self.known[user]
        memories = {memory.id: memory for memory in self.memory.memories(user_id=user, superseded=True)}
        history = self.memory.history(user_id=user)
        self.console.print("  [bold]learnt[/]")
        for memory in memories.values():
            if memory.id not in before.memories:
                self.console.print(f"    [yellow]+[/] {escape(memory.text)} [dim]({memory.kind}, {_from(memory)})[/]")
            elif not memory.current and before.memories[memory.id].current:
                self.console.print(f"    [red]~[/] no longer true: [strike]{escape(memory.text)}[/]")
        for gone in before.memories.keys() - memories.keys():
            self.console.print(f"    [red]−[/] forgotten: a memory ({gone}) and the words that it came from")
        for edit in history[before.edits :]:
            self.console.print(f"    [magenta]profile[/] {_edit(edit)}", highlight=False)
        self.known[user] = Known(memories, len(history))

    def _say(self, colour: str, who: str, text: str) -> None:
        time.sleep(self.pause)
        self.console.print(f"  [{colour}]{who:<7}[/] {escape(text)}", highlight=False)

    def _check(self, held: bool, what: str) -> None:
        self.checked += 1
        self.failed += not held
        self.console.print(f"    {'[green]✓[/]' if held else '[red]✗[/]'} {escape(what)}", highlight=False)


def _agent(memory: PersonaMemory, reply: Callable[[], str | None]) -> Any:
    """A `create_agent` with the middleware; its model plays the written reply, else answers plainly."""
    try:
        from langchain.agents import create_agent

        from persona_memory_langchain import PersonaMemoryMiddleware
    except ImportError as error:
        raise MissingExtra("the demo", "langchain") from error
    from langgraph.checkpoint.memory import InMemorySaver

    from persona_memory.testing import ScriptedChatModel

    model = ScriptedChatModel(answers=lambda messages, _: reply() or plain_reply(messages))
    middleware = PersonaMemoryMiddleware(memory, ask_questions=False)
    return create_agent(model, middleware=[middleware], context_schema=dict, checkpointer=InMemorySaver())


def _from(memory: Memory) -> str:
    return "from " + ", ".join(f"t{seq}" for seq in memory.sources)


def _edit(edit: ProfileEdit) -> str:
    value = ", ".join(map(str, edit.value)) if isinstance(edit.value, list | tuple) else str(edit.value)
    sign = {"set": "=", "add": "+=", "remove": "-="}[edit.op]
    evidence = ", ".join(f"t{seq}" for seq in edit.evidence)
    return f"{edit.field} {sign} {escape(value)} [dim]({edit.basis}, {edit.confidence:.2f}, {evidence})[/]"
