"""What an attack came to, and the table of all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

WRITING = "seconds of writing"


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, and how to break it again.

    Attributes:
        seed: of the trial.
        problem: what was found.
    """

    seed: int
    problem: str


@dataclass(slots=True)
class Trial:
    """One try at breaking something.

    Attributes:
        faults: kills, full disks, jumps of a clock … that really happened.
        problems: promises that were broken.
        counts: figures that are added up over the trials, by name.
    """

    seed: int
    faults: int = 0
    problems: list[str] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)

    def check(self, holds: bool, problem: str) -> None:
        """Note the problem unless it holds."""
        if not holds:
            self.problems.append(problem)


@dataclass(slots=True)
class Outcome:
    """All trials of an attack."""

    attack: str
    trials: int = 0
    faults: int = 0
    violations: list[Violation] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, trial: Trial) -> None:
        """Count a trial in."""
        self.trials += 1
        self.faults += trial.faults
        self.violations += [Violation(trial.seed, problem) for problem in trial.problems]
        for name, count in trial.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def figures(self) -> str:
        """The figures in a row; of turns that were written in a known time, how many a second."""
        shown = [f"{count:,.0f} {name}" for name, count in sorted(self.counts.items())]
        if writing := self.counts.get(WRITING):
            shown.insert(0, f"{self.counts['turns'] / writing:,.0f} turns/s")
        return ", ".join([*shown, f"{self.seconds:,.0f} s in all"])


def play(attack: str, trials: Iterable[Callable[[], Trial]], *, total: int, until: float | None = None) -> Outcome:
    """Run the trials one after the other and say on stderr how far they are.

    Args:
        until: moment of `time.monotonic` after which no further trial begins.
    """
    outcome, begun = Outcome(attack), time.monotonic()
    for run in trials:
        if until is not None and time.monotonic() > until:
            break
        trial = run()
        outcome.add(trial)
        for problem in trial.problems:
            print(f"{attack}, seed {trial.seed}: {problem}", file=sys.stderr, flush=True)
        if outcome.trials % 10 == 0 or outcome.trials == total:
            done = f"{attack}: {outcome.trials} of {total}, {outcome.faults} faults"
            print(f"{done}, {len(outcome.violations)} violations", file=sys.stderr, flush=True)
    outcome.seconds = time.monotonic() - begun
    return outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """One row an attack, as Markdown."""
    rows = [
        f"| {one.attack} | {one.trials} | {one.faults} | {len(one.violations)} | {one.figures()} |" for one in outcomes
    ]
    return "\n".join(["| attack | trials | faults | violations | figures |", "|---|--:|--:|--:|---|", *rows])
