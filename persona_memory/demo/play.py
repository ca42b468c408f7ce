"""The demo: a real `create_agent` with the middleware talks with two people over months, offline.

Nothing is faked: the people's messages are written for the demo, and so are some replies; what is learnt, recalled,
kept apart and forgotten is done by the same code that serves any agent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from persona_memory import PersonaMemory, pictures
from persona_memory.demo import screen
from persona_memory.demo.conversations import PEOPLE, SESSIONS
from persona_memory.demo.offline_model import context_lines, plain_reply
from persona_memory.demo.screen import Checks, Snapshot
from persona_memory.demo.session import Clock, Exchange, Probe, Session
from persona_memory.errors import MissingExtra
from persona_memory.types import Hit
from persona_memory.world.shipped import shipped_model

FORGOTTEN = ("Rua das Flores", b"Rua das Flores")

PAST_BUDGET = "past-budget"
"""Folder of the second act's memory, in the first's."""

NEAR_BEST = 0.85
"""Share of the best hit's score from which the offline model may quote a hit."""


@dataclass(slots=True)
class Model:
    """What the offline model is to say next, and what it was given.

    Attributes:
        reply: a reply that was written for the demo; None: it answers from its prompt.
        ranked: what was recalled, best first.
        context: what its last prompt said about the person, a line each.
    """

    reply: str | None = None
    ranked: Sequence[str] = ()
    context: Sequence[str] = ()

    def __call__(self, messages: Sequence[BaseMessage]) -> str:
        """The reply to this prompt."""
        self.context = context_lines(messages)
        return self.reply or plain_reply(messages, ranked=self.ranked)


def play(console: Console, *, home: Path | None = None, pause: float = 0.0, short: bool = False) -> bool:
    """Play both acts; returns whether everything that should be recalled was, and nothing that should not.

    Args:
        home: a folder to keep the demo's memory in; by default it is thrown away.
        pause: seconds between two messages on the screen.
        short: the first act only.
    """
    started, checks = time.perf_counter(), Checks(console)
    with tempfile.TemporaryDirectory() as scratch:
        folder = home or Path(scratch)
        clock = Clock(SESSIONS[0].at)
        with PersonaMemory.open(folder, clock=clock, quiet=timedelta(0)) as memory:
            stage = Stage(console, checks, memory, clock, pause)
            stage.opening(home, len(SESSIONS))
            for session in SESSIONS:
                stage.session(session)
            stage.people()
            stage.closing(folder)
        if not short:
            past_the_budget(console, checks, folder / PAST_BUDGET)
    told = f"{checks.held} of {checks.made} checks held"
    console.print(f"\n{told}", style="bold green" if checks.held == checks.made else "bold red", highlight=False)
    console.print(f"played in {time.perf_counter() - started:.0f} s", style="dim")
    if home is not None:
        console.print(f"look around: persona-memory show --user ana --home {home}", style="dim", soft_wrap=True)
    return checks.held == checks.made


def past_the_budget(console: Console, checks: Checks, home: Path) -> None:
    """The second act, where what it needs is installed."""
    try:
        from persona_memory.demo import past_budget
        from persona_memory.parametric import SMALL
    except MissingExtra as error:
        console.print(f"\nThe second act trains adapters: {escape(str(error))}", style="dim", soft_wrap=True)
        return
    past_budget.play(console, checks, home=home, model=shipped_model(), plan=SMALL)


class Stage:
    """One performance: an agent with the middleware, and what the audience sees."""

    def __init__(self, console: Console, checks: Checks, memory: PersonaMemory, clock: Clock, pause: float) -> None:
        self.console, self.check, self.memory, self.clock, self.pause = console, checks, memory, clock, pause
        self.model = Model()
        self.agent = _agent(memory, self.model)
        self.known = {user: Snapshot({}, {}, ()) for user in PEOPLE}

    def opening(self, home: Path | None, count: int) -> None:
        """Say what is going to happen, and how to read it."""
        self.console.print(Rule("persona-memory"))
        place = "in a folder that is thrown away at the end" if home is None else f"in {home}"
        for text in (
            f"Two people talk with one agent from March to September: {count} conversations, each a thread of its own. "
            "No key, no server, no language model: what people say is written for the demo, and so are the replies "
            f"during a conversation; facts are found by plain rules. The memory is real, {place}.",
            "After each conversation you see what was learnt (t12 is the turn that it comes from). Then questions are "
            "asked in a new thread: what is recalled and why, an answer of the offline agent, which can only quote the "
            "best of it, and a check of what stood in the context that any model would have been given.",
            screen.LEGEND,
        ):
            self.console.print(escape(text), style="dim", highlight=False)
            self.console.print()

    def session(self, session: Session) -> None:
        """One conversation, what was learnt from it, and questions in a new thread."""
        name = session.user_id.capitalize()
        self.console.print()
        self.console.print(Rule(f"[bold]{name}[/] · {_day(session.at)} · {escape(session.title)}", align="left"))
        for place, exchange in enumerate(session.exchanges):
            self.clock.now = max(self.clock.now, session.said_at(place))
            self._exchange(session, exchange)
        self.memory.flush()
        self._learnt(session.user_id)
        for number, probe in enumerate(session.probes, 1):
            self._probe(session, probe, number)
        self.memory.flush()
        self.known[session.user_id] = self._snapshot(session.user_id)

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
        """Erasure, checked in the files' bytes."""
        self.console.print()
        self.console.print(Rule("Forgotten, and apart"))
        text, raw = FORGOTTEN
        files = sorted(path for path in folder.glob("memory.db*") if path.is_file())
        held = [path.name for path in files if raw in path.read_bytes()]
        self.check(not held, f"the address that Ana asked to forget (“{text}”) is in none of the files' bytes")
        self.console.print("\n  Ben asks to be deleted.")
        receipt = self.memory.delete_user(user_id="ben")
        left = b"peanuts" in b"".join(path.read_bytes() for path in files if path.exists())
        pictures.receipt(self.console, receipt)
        self.check(not left and "ben" not in self.memory.users(), "nothing of Ben is left, not even in the bytes")
        self.check(bool(self.memory.memories(user_id="ana")), "what is remembered of Ana is untouched")

    def _exchange(self, session: Session, exchange: Exchange) -> None:
        self._say("cyan", session.user_id.capitalize(), exchange.user)
        self.model.reply = exchange.assistant
        self._say("green", "agent", self._ask(session.user_id, session.thread_id, exchange.user))

    def _ask(self, user: str, thread: str, text: str) -> str:
        config: Any = {"configurable": {"thread_id": thread}}
        answer = self.agent.invoke({"messages": [("user", text)]}, config, context={"user_id": user})
        return str(answer["messages"][-1].text)

    def _probe(self, session: Session, probe: Probe, number: int) -> None:
        """A question in a new thread: what was recalled for it and why, and whether that is right."""
        user, thread = session.user_id, f"{session.thread_id}/probe-{number}"
        found = self.memory.recall(probe.question, user_id=user)
        self.model.reply = None
        self.model.ranked = [hit.text for hit in found.hits if hit.score >= NEAR_BEST * found.hits[0].score]
        answer = self._ask(user, thread, probe.question)
        self.console.print("\n  [dim]in a new thread[/]")
        self._say("cyan", user.capitalize(), probe.question)
        screen.recalled(self.console, found)
        self._say("green", "agent", answer)
        self._check_context(probe, found.hits)

    def _check_context(self, probe: Probe, hits: Sequence[Hit]) -> None:
        """Whether the model was given what it should have been, and nothing that it should not."""
        for wanted, words in ((True, probe.recalls), (False, probe.never)):
            places = {word: _place(word, hits, self.model.context) for word in words}
            found = ", ".join(f"“{escape(word)}” [dim]({escape(place)})[/]" for word, place in places.items() if place)
            lacking = ", ".join(f"“{escape(word)}”" for word, place in places.items() if not place)
            if wanted and words:
                self.check(not lacking, f"missing in the context: {lacking}" if lacking else f"in the context: {found}")
            elif words:
                wrong = f"in the context, though it must not be: {found}"
                self.check(not found, wrong if found else f"not in the context: {lacking}")

    def _learnt(self, user: str) -> None:
        """Show what this session changed of what is stored."""
        now = self._snapshot(user)
        screen.learnt(self.console, self.known[user], now)

    def _snapshot(self, user: str) -> Snapshot:
        memories = {memory.id: memory for memory in self.memory.memories(user_id=user, superseded=True)}
        turns = {
            (one["timestamp"], one["thread_id"], one["role"]): str(one["content"])
            for one in self.memory.export(user_id=user)["messages"]
        }
        return Snapshot(memories, turns, self.memory.history(user_id=user))

    def _say(self, colour: str, who: str, text: str) -> None:
        time.sleep(self.pause)
        screen.said(self.console, colour, who, text)


def _agent(memory: PersonaMemory, model: Callable[[Sequence[BaseMessage]], str]) -> Any:
    """A `create_agent` with the middleware; its model plays the written reply, else answers plainly."""
    try:
        from langchain.agents import create_agent

        from persona_memory_langchain import PersonaMemoryMiddleware
    except ImportError as error:
        raise MissingExtra("the demo", "langchain") from error
    from langgraph.checkpoint.memory import InMemorySaver

    from persona_memory.testing import ScriptedChatModel

    scripted = ScriptedChatModel(answers=lambda messages, _: model(messages))
    middleware = PersonaMemoryMiddleware(memory, ask_questions=False)
    return create_agent(scripted, middleware=[middleware], context_schema=dict, checkpointer=InMemorySaver())


def _place(word: str, hits: Sequence[Hit], context: Sequence[str]) -> str | None:
    """The best-scored line of the model's context that holds the word; None where none does."""
    ranked = {screen.flat(hit.text): place for place, hit in enumerate(hits)}
    lines = [line for line in context if word.casefold() in line.casefold()]
    if not lines:
        return None
    best = min(lines, key=lambda line: ranked.get(line.partition(": ")[2], len(ranked)))
    return screen.around(best, word)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
