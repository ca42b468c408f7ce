"""What is still unknown about a person, as questions that are ready to be asked, and when not to ask them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from persona_memory.types import Policy, Profile, ProfileGap

if TYPE_CHECKING:
    from persona_memory.profile.schema import FieldSpec, ProfileSchema

OFTEN_ENOUGH: Final = 3
"""A question that was offered this often without an answer is not offered again."""


@dataclass(frozen=True, slots=True)
class QuestionEvent:
    """What became of a question.

    Attributes:
        outcome: "offered" to the host's agent in this thread, "rejected" or "answered" by the person.
        seq: its place in the person's sequence.
    """

    field: str
    thread_id: str | None
    outcome: Literal["offered", "rejected", "answered"]
    seq: int
    at: datetime | None = None


def profile_gaps(
    profile: Profile, schema: ProfileSchema, policy: Policy, *, now: datetime, sensitive: bool = False
) -> tuple[ProfileGap, ...]:
    """The fields that are empty or too old at `now` and have a question, most useful (the schema's order) first.

    Fields that the policy closes are never among them, sensitive ones only with `sensitive=True`. Empty fields come
    before old ones: an old value is still of use.
    """
    closed = schema.closed(policy)
    open_fields = [spec for spec in schema.fields if spec.path not in closed and (sensitive or not spec.sensitive)]
    empty = [
        ProfileGap(spec.path, spec.question, "empty")
        for spec in open_fields
        if spec.question is not None and spec.path not in profile.entries
    ]
    return (*empty, *(gap for spec in open_fields if (gap := _stale(spec, profile, now)) is not None))


def _stale(spec: FieldSpec, profile: Profile, now: datetime) -> ProfileGap | None:
    entry = profile.entries.get(spec.path)
    if entry is None or spec.stale_after_days is None or spec.question is None or spec.question_stale is None:
        return None
    if now - entry.at <= timedelta(days=spec.stale_after_days):
        return None
    value = ", ".join(map(str, entry.value)) if isinstance(entry.value, tuple) else str(entry.value)
    return ProfileGap(spec.path, spec.question_stale.replace("{value}", value), "stale")


def next_question(
    gaps: Sequence[ProfileGap],
    history: Sequence[QuestionEvent],
    *,
    thread_id: str,
    now: datetime,
    pause: timedelta = timedelta(0),
) -> ProfileGap | None:
    """The one question that may be offered in this thread now, or None.

    At most one per thread; never the field that was offered last, in whatever thread; never one that was rejected, once
    and for all; an empty field that was answered (though nothing came of it) or offered `OFTEN_ENOUGH` times is let be.

    Args:
        gaps: as `profile_gaps` gives them; the first that may be asked is taken.
        history: what became of earlier questions, oldest first.
        pause: least time since the last offer that has a time.
    """
    if any(event.thread_id == thread_id for event in history):
        return None
    offered = [event for event in history if event.outcome == "offered"]
    last = offered[-1] if offered else None
    if last is not None and last.at is not None and now - last.at < pause:
        return None
    let_be = _let_be(history)
    for gap in gaps:
        if (last is None or gap.field != last.field) and (gap.field, gap.reason) not in let_be:
            return gap
    return None


def _let_be(history: Sequence[QuestionEvent]) -> frozenset[tuple[str, str]]:
    """(field, reason) pairs that are not asked for any more."""
    rejected = {event.field for event in history if event.outcome == "rejected"}
    answered = {event.field for event in history if event.outcome == "answered"}
    offered = [event.field for event in history if event.outcome == "offered"]
    tired = {field for field in offered if offered.count(field) >= OFTEN_ENOUGH} - answered
    never = rejected | tired
    return frozenset({(field, "empty") for field in never | answered} | {(field, "stale") for field in never})


_TELL = r"(?:say|answer|tell(?: you)?|share|disclose|discuss|talk about|get into|go into)"
_TELLING = r"(?:answering|sharing|telling(?: you)?|saying|discussing|talking about)"
_END = r"(?=\s*(?:[.,!;]|$))"
_REJECTION = re.compile(
    r"\b(?:"
    + "|".join(
        (
            rf"(?:rather|prefer) not(?: to)? {_TELL}",
            rf"i(?:'d| would)? (?:rather|prefer) not{_END}",
            r"(?:don't|do not|stop|quit) (?:ever )?ask(?:ing)?(?: me)?(?: about)? (?:that|this|it|again|such|personal)",
            rf"(?:stop|quit) asking(?: me)?(?: (?:personal )?questions)?{_END}",
            r"none of your (?:business|concern)",
            r"(?:that|it|this)(?:'s| is) (?:a bit |too |kind of |rather |very |quite )?(?:private|personal)",
            rf"i (?:don't|do not|won't|will not)(?: (?:want|wish|care|like) to)? {_TELL} (?:that|this|it)",
            rf"i (?:don't|do not) (?:want|wish) to {_TELL}{_END}",
            rf"(?:i'm|i am) not (?:comfortable|happy|okay|ok)(?: with)? {_TELLING}",
            rf"i (?:don't|do not) feel comfortable {_TELLING}",
            r"no comment",
            r"(?:skip|drop) (?:that|this|the) (?:question|one|topic|subject)",
            r"you (?:don't|do not) need to know (?:that|this)",
        )
    )
    + r")",
    re.IGNORECASE,
)
_WHOLE_REJECTION = re.compile(r"^\W*(?:pass|skip|next|skip (?:it|that|this)|private)\W*$", re.IGNORECASE)


def is_rejection(text: str) -> bool:
    """Whether a reply says that the person does not want to answer a question (plain English)."""
    plain = text.replace("\u2019", "'")
    return bool(_WHOLE_REJECTION.match(plain) or _REJECTION.search(plain))
