"""The circuit breaker: a language model that answers nobody is left alone, and tried again by one job at a time.

It belongs to one worker: another process may have another model, or another way to it, and finds out for itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from persona_memory import telemetry
from persona_memory.errors import ModelUnavailable
from persona_memory.learning.context import Clock
from persona_memory.types import Outage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Breaker:
    """Counts failures in a row of everybody's calls.

    Args:
        down_after: failures in a row after which the model is taken to be down. Where the question could be at fault
            (a timeout), they have to be of two people at least.
        delay: the pause after so many failures in a row.

    Attributes:
        failures: in a row; 0 after an answer.
        outage: while the model is down.
    """

    down_after: int
    delay: Callable[[int], timedelta]
    clock: Clock
    failures: int = 0
    outage: Outage | None = None
    _people: set[str] = field(default_factory=set)

    def free(self, *, running: int) -> int | None:
        """How many jobs may ask the model now: None for any number.

        Args:
            running: jobs that ask it at this moment.
        """
        if self.outage is None:
            return None
        return 0 if running or self.clock() < self.outage.until else 1

    def answered(self) -> None:
        """The model has answered, whether or not the answer can be used."""
        if self.outage is not None:
            log.info("persona-memory: the language model answers again", extra=telemetry.event("breaker.closed"))
        self.failures, self.outage = 0, None
        self._people.clear()

    def failed(self, user_id: str, error: ModelUnavailable) -> None:
        """The model gave no answer to a question about this person."""
        now = self.clock()
        asked_before = self.outage is not None and now < self.outage.until  # when it was not known yet
        if not asked_before:
            self.failures += 1
            self._people.add(user_id)
        down = self.failures >= self.down_after and (error.certain or len(self._people) > 1)
        if self.outage is None and not down:
            return
        until = now + max(self.delay(self.failures), error.pause or timedelta())
        if self.outage is None:
            self.outage = Outage(error.kind, self.failures, now, until)
            log.warning(
                "persona-memory: the language model answers nobody (%s, failures in a row: %d); learning waits, and "
                "one job tries it again from time to time", error.kind, self.failures,
                extra=telemetry.event("breaker.opened", {telemetry.ERROR: error.kind}),
            )  # fmt: skip
            return
        if asked_before:
            until = max(self.outage.until, now + (error.pause or timedelta()))
        self.outage = replace(self.outage, reason=error.kind, failures=self.failures, until=until)
