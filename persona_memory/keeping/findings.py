"""What one check finds, and what of it could be repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from persona_memory.errors import EncryptionError, PersonaMemoryError
from persona_memory.types import Check

Mend = Callable[[], object]
"""Repairs one problem; False where it could not."""


class Findings:
    """Collects the problems of one check.

    Args:
        name: of the check.
        repair: whether to repair what can be.
    """

    def __init__(self, name: str, *, repair: bool = False) -> None:
        self.name, self.repair = name, repair
        self._problems: list[str] = []
        self._repaired: list[str] = []
        self._skipped: str | None = None

    def found(self, problem: str, mend: Mend | None = None) -> None:
        """Note a problem; with `mend`, repair it where that is wished."""
        self._problems.append(problem)
        if self.repair and mend is not None and mend() is not False:
            self._repaired.append(problem)

    @contextmanager
    def about(self, whom: str) -> Iterator[None]:
        """What does not open of one person is a problem, and keeps nobody else from being looked at."""
        try:
            yield
        except EncryptionError as error:
            self.found(f"{whom}: it cannot be looked at: {error}")

    def skip(self, why: str) -> None:
        """Note that there is nothing to look at, or nobody who can."""
        self._skipped = why

    def check(self) -> Check:
        """All of it."""
        return Check(self.name, tuple(self._problems), tuple(self._repaired), self._skipped)


def looked(name: str, look: Callable[[Findings], None], *, repair: bool = False) -> Check:
    """The result of a check; one that fails itself is a problem, too, and keeps no other from being made."""
    findings = Findings(name, repair=repair)
    try:
        look(findings)
    except (PersonaMemoryError, OSError) as error:
        findings.found(f"it cannot be looked at: {error}")
    return findings.check()
