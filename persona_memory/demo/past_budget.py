"""The demo's second act: what no longer fits the budget moves into weights, on the reference model, offline.

Ana and Ben speak the plain sentences of the made-up world that this small model can read, and a teacher of that world
writes what is trained. All else is the code that serves any person on any model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.rule import Rule
from rich.table import Table

from persona_memory import PersonaMemory, persona_graph, pictures
from persona_memory.demo import screen
from persona_memory.demo.screen import Checks
from persona_memory.demo.session import PAUSE, Clock
from persona_memory.errors import AdapterRetired
from persona_memory.protocols import Example
from persona_memory.types import Adapter, Turn
from persona_memory.world import Key, Question, Schedule, Session, history, person
from persona_memory.world.teacher import WorldTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_memory.parametric import LocalAdapters, Plan

BUDGET = 120
"""Tokens of memory that a prompt may hold: few, as these lives are short."""
SEEDS = {"ana": 3, "ben": 11}
SESSIONS, SAYINGS = 3, 8
"""Conversations a month, and what is said in each."""
CALM = {"ana": frozenset[int](), "ben": frozenset({1})}
"""In the second month much changes in Ana's life, and nothing in Ben's."""
OVERFLOWS = 3
"""Questions that are asked until what does not fit is trained."""


@dataclass(frozen=True, slots=True)
class Teachers:
    """The teacher of several people: each conversation goes to that of whoever said it."""

    teachers: Sequence[WorldTeacher]
    name: str = "world"

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        """See `Teacher`."""
        said = {turn.text for turn in conversation if turn.role == "user"}

        def shared(one: WorldTeacher) -> int:
            return sum(told.text in said for session in one.sessions for told in session.interactions)

        return await max(self.teachers, key=shared).teach(conversation)


def lives() -> dict[str, tuple[Session, ...]]:
    """What both say in two months, session by session."""
    return {
        user: history(
            person("test", seed),
            Schedule(periods=2, sessions=SESSIONS, sayings=SAYINGS, calm=CALM[user], questions=12, views=5),
            seed=seed,
            phrasing="plain",
            studied="train",
        )
        for user, seed in SEEDS.items()
    }


def play(console: Console, checks: Checks, *, home: Path, model: Path, plan: Plan) -> None:
    """Play the act.

    Args:
        home: a folder for its memory.
        model: the reference model's folder.
        plan: how adapters are trained.
    """
    import torch

    from persona_memory.parametric import BaseModel, LocalAdapters

    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    units = capabilities.get("amx_bf16", False)
    told, base = lives(), BaseModel.load(model, dtype="bfloat16" if units else "float32")
    size = base.model.num_parameters() / 1e6  # before adapters' slots are part of it
    teacher = Teachers([WorldTeacher(sessions, split="test") for sessions in told.values()])
    clock = Clock(_morning(told["ana"][0]))
    with (
        _progress(console) as progress,
        LocalAdapters(base, plan=plan, progress=progress) as adapters,
        PersonaMemory.open(home, clock=clock, quiet=timedelta(0), parametric=adapters, teacher=teacher) as memory,
    ):
        act = Act(console, checks, memory, adapters, clock, told)
        act.opening(size)
        act.first_month()
        act.overflow()
        act.training()
        act.remembered()
        act.routed()
        act.second_month()
        act.forgotten()


class Act:
    """One performance."""

    def __init__(
        self,
        console: Console,
        checks: Checks,
        memory: PersonaMemory,
        adapters: LocalAdapters,
        clock: Clock,
        told: Mapping[str, Sequence[Session]],
    ) -> None:
        self.console, self.check, self.memory, self.clock, self.told = console, checks, memory, clock, told
        self.model = adapters.chat_model(max_tokens=32)
        self.graph = persona_graph(memory, self.model, max_tokens=BUDGET, ask_questions=False)
        self.turns: dict[tuple[str, Key | None], list[str]] = {}
        """By person and fact, the turns that told of it."""

    def opening(self, size: float) -> None:
        """Say what is going to happen; the size in millions of parameters."""
        self.console.print()
        self.console.print(Rule("[bold]Past the budget[/]"))
        about = (
            f"From here on a real language model answers. It has {size:.1f} million parameters, was made for this on "
            "a made-up world, reads that world's plain sentences and nothing else, and stands for a large one. "
            f"{BUDGET} tokens of what is remembered fit into its prompt; what does not fit moves into weights: a LoRA "
            "adapter for each person."
        )
        self.console.print(escape(about), style="dim", highlight=False)

    def first_month(self) -> None:
        """Both tell of themselves."""
        for user in SEEDS:
            for session in self.told[user][:SESSIONS]:
                self._tell(user, session)
        self.memory.flush()

    def overflow(self) -> None:
        """Both ask, until too much did not fit too often."""
        for user in SEEDS:
            self._heading(f"[bold]{user.capitalize()}[/] asks, and more is relevant than fits")
            for number, question in enumerate(self._questions(user)[:OVERFLOWS]):
                self._ask(user, f"{user}-asks-{number}", question.text)

    def training(self) -> None:
        """What was queued is trained, examined, and served where it is good enough."""
        self._heading("What did not fit is trained, in a process of its own")
        begun = time.perf_counter()
        self.memory.flush()
        self.console.print(f"    two adapters in {time.perf_counter() - begun:.0f} s\n", highlight=False)
        for user in SEEDS:
            pictures.adapters(self.console, self.memory.adapters(user_id=user))
            passed = self._active(user) is not None
            self.check(passed, f"{user.capitalize()}'s adapter passed its examination and is served")

    def remembered(self) -> None:
        """Questions about the month without any history in the prompt: answered by the base, and by the adapter."""
        for user in SEEDS:
            adapter, questions = self._active(user), self._questions(user)
            if adapter is None:
                continue
            self._heading(f"[bold]{user.capitalize()}[/]'s month, with no history in the prompt")
            known = [self._alone(adapter.adapter_id, one.text) for one in questions]
            blank = [self._alone(None, one.text) for one in questions]
            rows = Table.grid(padding=(0, 2))
            for one, answer in zip(questions, known, strict=True):
                mark = "[green]✓[/]" if answer == one.answer else "[red]✗[/]"
                rows.add_row(" ", mark, escape(one.text), escape(answer))
            self.console.print(rows, highlight=False)
            right, before = (
                sum(answer == one.answer for one, answer in zip(questions, answers, strict=True))
                for answers in (known, blank)
            )
            self.check(
                2 * right >= len(questions) and right > before,
                f"{right} of {len(questions)} right from weights alone, 0 tokens of history (the base: {before})",
            )

    def routed(self) -> None:
        """Both ask once more: what does not fit is no longer left out."""
        for user in SEEDS:
            self._heading(f"[bold]{user.capitalize()}[/] asks again, and what does not fit is in the adapter")
            route = self._ask(user, f"{user}-asks-again", self._questions(user)[OVERFLOWS].text)
            beside = route in ("parametric", "interpolated")
            self.check(beside, f"{user.capitalize()}'s adapter answers beside the {BUDGET} tokens that fit")

    def second_month(self) -> None:
        """Much is new in Ana's life, nothing in Ben's: one adapter is trained again."""
        before = {user: len(self.memory.adapters(user_id=user)) for user in SEEDS}
        serving = self._serving("ben")
        for user in SEEDS:
            for session in self.told[user][SESSIONS:]:
                self._tell(user, session)
        self.memory.flush()
        self._heading("A month later: does anything surprise the adapters?")
        for user in SEEDS:
            self.memory.consolidate(user_id=user)
        self.memory.flush()
        for user in SEEDS:
            pictures.adapters(self.console, self.memory.adapters(user_id=user))
        now = {user: self.memory.adapters(user_id=user) for user in SEEDS}
        self.check(len(now["ana"]) > before["ana"], "much of what Ana said was new: hers was trained again")
        if now["ana"] and now["ana"][-1].state != "active":
            self.console.print("    [dim]the new one did not pass its examination: the one before still serves[/]")
        still = len(now["ben"]) == before["ben"] and self._serving("ben") == serving != ""
        self.check(still, "Ben said nothing new: nothing was trained, and his still serves")

    def forgotten(self) -> None:
        """Ana takes something back: what learnt from it is retired at once."""
        adapter = self._active("ana")
        if adapter is None:
            return
        question = next(one for one in self._questions("ana") if ("ana", one.key) in self.turns)
        self._heading("[bold]Ana[/] takes something back")
        screen.said(self.console, "cyan", "Ana", f"{question.text} Forget that.")
        self.memory.forget(self.turns["ana", question.key], user_id="ana")
        try:
            self._alone(adapter.adapter_id, question.text)
            refused = False
        except AdapterRetired as error:
            refused = True
            screen.marked(self.console, "dim", f"[dim]{escape(str(error))}[/]", sign="→")
        self.check(refused, "the adapter that had learnt it is retired at once, and its files are gone")
        self.console.print("    [dim]a worker trains the next one without it[/]")

    def _questions(self, user: str) -> list[Question]:
        """Plain questions about the first month."""
        asked = self.told[user][SESSIONS - 1].questions
        return [one for one in asked if one.kind in ("open", "need", "updated")]

    def _tell(self, user: str, session: Session) -> None:
        self.clock.now = max(self.clock.now, _morning(session))
        for place, told in enumerate(session.interactions):
            at = _morning(session) + place * PAUSE
            messages = [{"role": "assistant", "content": told.cue, "at": at}] if told.cue else []
            messages += [{"role": "user", "content": told.text, "at": at}]
            observed = self.memory.observe(messages, user_id=user, thread_id=f"{user}-{session.number}", resent=False)
            self.turns.setdefault((user, told.key), []).append(f"t{observed.new[-1]}")
        telling = [one.text for one in session.interactions if one.value is not None][:2]
        shown, more = " ".join(telling), len(session.interactions) - len(telling)
        day = f"{session.on.day} {session.on:%B}"
        screen.said(self.console, "cyan", user.capitalize(), f"{shown} … ({day}, and {more} more)")

    def _ask(self, user: str, thread: str, text: str) -> str:
        """A turn through the graph, shown with its route; returns the route's name."""
        config: Any = {"configurable": {"thread_id": thread}}
        state = self.graph.invoke({"messages": [("user", text)]}, config, context={"user_id": user})
        route = state["persona"]["route"]
        screen.said(self.console, "cyan", user.capitalize(), text)
        screen.said(self.console, "green", "model", str(state["messages"][-1].text))
        screen.marked(self.console, "dim", f"[dim]{route['name']}: {escape(route['reason'])}[/]", sign="→")
        return str(route["name"])

    def _alone(self, adapter_id: str | None, text: str) -> str:
        """What the base or an adapter answers with nothing but the question before it."""
        return str(self.model.model_copy(update={"adapter": adapter_id}).invoke([("user", text)]).text).strip()

    def _serving(self, user: str) -> str:
        active = self._active(user)
        return active.adapter_id if active else ""

    def _active(self, user: str) -> Adapter | None:
        return next((one for one in self.memory.adapters(user_id=user) if one.state == "active"), None)

    def _heading(self, markup: str) -> None:
        self.console.print()
        self.console.print(Rule(markup, align="left"))


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """Bars of the trainings that run; what `LocalAdapters(progress=…)` takes."""
    columns = (TextColumn("    training, {task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bars: dict[str, Any] = {}

        def watch(adapter_id: str, done: float, loss: float) -> None:
            if adapter_id not in bars:
                bars[adapter_id] = progress.add_task("", total=1.0)
            progress.update(bars[adapter_id], completed=done, description=f"loss {loss:.2f}", visible=done < 1)

        yield watch


def _morning(session: Session) -> datetime:
    return datetime.combine(session.on, time_of_day(9), tzinfo=UTC)
