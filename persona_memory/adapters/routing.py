"""The router's arithmetic: does what is relevant fit the budget, and if not, what then."""

from __future__ import annotations

from collections.abc import Sequence

from persona_memory.errors import InvalidInput
from persona_memory.types import Route, RouteCase, RouteName

RENEW_AFTER = 48
"""Events after which an adapter that is in use is trained again."""


def decide(
    *,
    needed: int,
    budget: int,
    recent_overflows: Sequence[bool],
    n: int = 3,
    m: int = 5,
    trainable: bool,
    interpolates: bool,
    active_adapter: str | None,
    behind: int = 0,
    unfit: str = "",
) -> Route:
    """How the person's memory reaches the model this turn, with a reason in plain English.

    Nothing is consolidated for a base that takes no adapters, as it could never be served.

    Args:
        needed: tokens of everything that is relevant this turn; 0 when nothing is.
        budget: tokens that may be used.
        recent_overflows: for the turns before this one, oldest first, whether what was relevant did not fit.
        n: a consolidation is due when it has not fit for `n` of the last `m` turns, this one included.
        m: see `n`.
        trainable: adapters for the served base can be trained and run.
        interpolates: the served model can mix two streams at each decoding step.
        active_adapter: id of the person's evaluated, active adapter that fits what is served, or None.
        behind: events of the person that came after those that it was trained on.
        unfit: where there is an active adapter that does not fit: why, see `Adapter.unfit`.

    Raises:
        InvalidInput: numbers that make no sense.
    """
    if needed < 0 or budget < 0:
        raise InvalidInput(f"needed={needed!r} and budget={budget!r} are tokens; pass 0 or more")
    if not 1 <= n <= m:
        raise InvalidInput(f"n={n!r} of the last m={m!r} turns is impossible; pass 1 <= n <= m")
    earlier = list(recent_overflows)[-(m - 1) :] if m > 1 else []
    overflows, window = sum(earlier) + (needed > budget), len(earlier) + 1

    def route(
        name: RouteName, case: RouteCase, reason: str, *, adapter: str | None = None, consolidate: bool = False
    ) -> Route:
        return Route(name, reason, needed, budget, overflows, window, adapter, consolidate, case)

    if needed == 0:
        return route("none", "nothing", "nothing is known that is relevant")
    if needed <= budget:
        return route("context", "fits", f"all that is relevant fits: {needed} of {budget} tokens")
    short = f"{needed} tokens are relevant, {budget} fit"
    if not trainable:
        reason = f"{short}; the model in use takes no adapters, so the best that fits is used"
        return route("context_overflow", "untrainable", reason)
    if active_adapter is not None:
        renew = behind >= RENEW_AFTER
        later = f"; {behind} events came since it was trained, so it is to be trained again" if renew else ""
        if interpolates:
            how = f"adapter {active_adapter} knows the rest and is mixed with the best that fits at every token"
            return route("interpolated", "adapter", f"{short}; {how}{later}", adapter=active_adapter, consolidate=renew)
        how = f"adapter {active_adapter} is used beside the best that fits"
        return route("parametric", "adapter", f"{short}; {how}{later}", adapter=active_adapter, consolidate=renew)
    if unfit:
        short = f"{short}; the active adapter is {unfit}"
    often = f"it did not fit in {overflows} of the last {window} turns" if window > 1 else "it is the first turn"
    if overflows < n:
        reason = f"{short}; {often} (an adapter is trained at {n} of {m}), so the best that fits is used"
        return route("context_overflow", "seldom", reason)
    reason = f"{short}; {often}, so an adapter is to be trained, and until then the best that fits is used"
    return route("context_overflow", "often", reason, consolidate=True)
