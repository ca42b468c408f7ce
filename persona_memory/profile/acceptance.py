"""Which of an optimiser's proposals hold. Conservative: a wrong profile does more harm than a late one.

An edit is accepted when all of this is true (METHODS §1, AI PERSONA):

* the field exists, the value fits it, and the person's policy does not close it;
* it cites evidence, all of which was shown to the optimiser, and at least one citation is the person's own words
  (the others are taken out of the evidence: neither the assistant's guesses nor another human's words are facts
  about the person);
* an inference does not touch what only a statement can set (demographics; sensitive fields, unless the person's policy
  allows inferring them), is at least `LEAST_CONFIDENCE` sure, and does not overwrite or remove what was stated or set
  by the host (stated beats inferred); adding to a list overwrites nothing;
* what contradicts the present value rests on newer evidence than that value does, and is not dated a day or more
  before it (an old chat, imported later; what has no date of its own was said when it was stored, whatever the clock
  said then). A value that the host set without a sequence number is compared by time, and gives way only to a
  statement that was made after it;
* neither the field was emptied nor the value taken out, by the host or by a plain statement, after all of its evidence:
  what is learnt again brings nothing back;
* in one round, inferences overwrite or remove at most `LARGEST_SHARE` of the fields that are filled (at least one):
  most updates of a person change little.

What changes nothing is dropped quietly; all else that is not accepted is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from persona_memory.errors import InvalidInput
from persona_memory.profile.fold import apply
from persona_memory.profile.schema import FieldSpec, ProfileSchema, fold_key
from persona_memory.types import Policy, Profile, ProfileEdit, ProfileEntry, Turn

Emptied = Mapping[tuple[str, str | None], int]
"""By (field, folded value), or (field, None) for all of the field: the event that took it out."""

LEAST_CONFIDENCE: Final = 0.5
LARGEST_SHARE: Final = 0.2
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The edits that hold, in the order to store them, and the others with the reason."""

    edits: tuple[ProfileEdit, ...] = ()
    refused: tuple[tuple[ProfileEdit, str], ...] = ()


@dataclass(slots=True)
class _Round:
    """One call of `accept`: the profile so far, and how much of it inferences have changed."""

    profile: Profile
    before: Mapping[str, ProfileEntry]
    schema: ProfileSchema
    policy: Policy
    turns: Mapping[int, Turn] | None
    shown: Collection[int]
    closed: frozenset[str]
    allowance: int
    now: datetime | None
    emptied: Emptied
    edits: list[ProfileEdit] = field(default_factory=list)
    refused: list[tuple[ProfileEdit, str]] = field(default_factory=list)


def accept(
    proposals: Sequence[ProfileEdit],
    *,
    profile: Profile,
    schema: ProfileSchema,
    policy: Policy,
    shown: Collection[int] | Mapping[int, Turn],
    now: datetime | None = None,
    emptied: Emptied = MappingProxyType({}),
) -> Accepted:
    """The proposals that hold for this profile, each with checked value and evidence.

    Args:
        proposals: an optimiser's answer. They are taken in the order of their newest evidence, so that the result does
            not hang on the order in which a model wrote them down.
        shown: what the optimiser saw, by sequence number. Given as turns, only those of role "user" count as the
            person's own words; given as bare numbers, all of them do.
        now: what claims to be said later counts as said now. None: times are taken as they are.
        emptied: what was taken out before, see `last_emptied`.
    """
    turns = shown if isinstance(shown, Mapping) else None
    changeable = max(1, int(LARGEST_SHARE * len(profile.entries)))
    state = _Round(
        profile, profile.entries, schema, policy, turns, set(shown), schema.closed(policy), changeable, now, emptied
    )
    for proposal in sorted(proposals, key=lambda edit: max(edit.evidence, default=0)):
        try:
            _judge(state, proposal)
        except _Refused as refusal:
            state.refused.append((proposal, str(refusal)))
    return Accepted(tuple(state.edits), tuple(state.refused))


def last_emptied(edits: Iterable[ProfileEdit]) -> Emptied:
    """By field and value, the number of the event that took it out last: the host's, or a plain statement."""
    found: dict[tuple[str, str | None], int] = {}
    for edit in edits:
        if edit.op == "remove" and edit.basis != "inferred" and edit.evidence:
            for key in _keys(edit.value) or (None,):
                found[edit.field, key] = max(found.get((edit.field, key), 0), *edit.evidence)
    return found


class _Refused(Exception):
    """Why a proposal does not hold; never leaves this file."""


def _judge(state: _Round, proposal: ProfileEdit) -> None:
    spec = _open_field(state, proposal)
    own = replace(proposal, evidence=_own_words(state, proposal))
    if max(own.evidence) < state.emptied.get((own.field, None), 0):
        raise _Refused("the field was emptied after that was said")
    _check_basis(state, own, spec)
    value = _checked_value(state, own)
    if own.op != "remove" and any(max(own.evidence) < state.emptied.get((own.field, key), 0) for key in _keys(value)):
        raise _Refused("the value was taken out after that was said")
    entry = state.profile.entries.get(own.field)
    if entry is not None and _contradicts(own.op, value, entry):
        _check_contradiction(state, own, entry, spec)
    for edit in _steps(own, value, entry, spec):
        if _changes(edit, state.profile.entries.get(edit.field), spec):
            state.profile = apply(state.profile, edit, state.schema)
            state.edits.append(edit)


def _open_field(state: _Round, edit: ProfileEdit) -> FieldSpec:
    spec = state.schema.find(edit.field)
    if spec is None:
        raise _Refused("the profile has no such field")
    if edit.field in state.closed:
        raise _Refused("the person's policy closes this field")
    return spec


def _own_words(state: _Round, edit: ProfileEdit) -> tuple[int, ...]:
    if not edit.evidence:
        raise _Refused("no evidence is cited")
    unseen = sorted(set(edit.evidence) - set(state.shown))
    if unseen:
        raise _Refused(f"turns {unseen} are cited but were not shown")
    turns = state.turns
    own = [seq for seq in edit.evidence if turns is None or turns[seq].role == "user"]
    if not own:
        raise _Refused("the evidence is not in the person's own words")
    return tuple(sorted(set(own)))


def _check_basis(state: _Round, edit: ProfileEdit, spec: FieldSpec) -> None:
    if not 0 <= edit.confidence <= 1:
        raise _Refused(f"confidence {edit.confidence!r} is not between 0 and 1")
    if edit.basis == "host":
        raise _Refused("only the host sets values of the host")
    if edit.basis == "stated":
        return
    if spec.stated_only:
        raise _Refused("this field is learnt from plain statements only")
    if spec.sensitive and not state.policy.allow_sensitive_inference:
        raise _Refused("this field is sensitive and is learnt from plain statements only")
    if edit.confidence < LEAST_CONFIDENCE:
        raise _Refused(f"an inference that is only {edit.confidence:.2f} sure")


def _checked_value(state: _Round, edit: ProfileEdit) -> Any:
    if edit.value is None:
        if edit.op != "remove":
            raise _Refused("it has no value")
        return None
    try:
        return state.schema.normalise(edit.field, edit.value)
    except InvalidInput as error:
        raise _Refused(str(error)) from None


def _steps(edit: ProfileEdit, value: Any, entry: ProfileEntry | None, spec: FieldSpec) -> Iterator[ProfileEdit]:
    """The edit as the ledger keeps it: one item per "add" or "remove".

    A list that is set to more than it holds now is added to, so that what was stated stays stated.
    """
    items = value if isinstance(value, tuple) else (value,)
    if not spec.many:
        yield replace(edit, value=value, op="set" if edit.op == "add" else edit.op)
    elif edit.op == "set" and (entry is None or _contradicts("set", value, entry)):
        yield replace(edit, value=items)
    else:
        yield from (replace(edit, value=item, op="add" if edit.op == "set" else edit.op) for item in items)


def _contradicts(op: str, value: Any, entry: ProfileEntry) -> bool:
    """Whether something that is known now would no longer be."""
    have, given = _keys(entry.value), _keys(value)
    if op == "remove":
        return value is None or bool(have & given)
    if op == "add" and isinstance(entry.value, tuple):
        return False
    return bool(have - given)


def _check_contradiction(state: _Round, edit: ProfileEdit, entry: ProfileEntry, spec: FieldSpec) -> None:
    if edit.basis == "inferred" and entry.basis != "inferred":
        raise _Refused("what was stated or set by the host beats an inference")
    # Several items of a list may change in one turn, so a list is compared with what it was before this round.
    rests_on = state.before.get(edit.field) if spec.many else entry
    if rests_on is not None and not _newer(state, edit, rests_on):
        raise _Refused("it contradicts the present value without newer evidence")
    if edit.basis == "inferred":
        if not state.allowance:
            raise _Refused("too many inferred changes at once")
        state.allowance -= 1


def _newer(state: _Round, edit: ProfileEdit, entry: ProfileEntry) -> bool:
    """Later in the log, and not dated to an older day: an old chat may be imported after a new one."""
    said = [] if state.turns is None else [state.turns[seq] for seq in edit.evidence]
    known_at = entry.at if state.now is None else min(entry.at, state.now)
    if not entry.evidence:
        return any(turn.at > known_at for turn in said)
    of_now = not said or any(not turn.dated or turn.at > known_at - DAY for turn in said)
    return max(edit.evidence) > max(entry.evidence) and of_now


def _changes(edit: ProfileEdit, entry: ProfileEntry | None, spec: FieldSpec) -> bool:
    """Whether the edit does anything worth a line in the history.

    A value that is said again counts when it turns an inference into a statement, or confirms a field that ages.
    """
    if entry is None:
        return edit.op != "remove" and bool(_keys(edit.value))
    have, given = _keys(entry.value), _keys(edit.value)
    if edit.op == "remove":
        return edit.value is None or bool(have & given)
    if (edit.op == "add" and given - have) or (edit.op == "set" and given != have):
        return True
    firmer = entry.basis == "inferred" and edit.basis == "stated"
    confirms = spec.stale_after_days is not None and max(edit.evidence) > max(entry.evidence, default=0)
    return firmer or (confirms and edit.at > entry.at)


def _keys(value: object) -> frozenset[str]:
    """What a value holds, as strings that can be compared."""
    items = value if isinstance(value, tuple) else () if value is None else (value,)
    return frozenset(map(fold_key, items))
