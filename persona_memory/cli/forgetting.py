"""Forgetting from the command line: what is meant is shown first, what went and what was learnt again afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import typer
from rich.markup import escape

from persona_memory import ErasureReceipt, Memory, PersonaMemory, pictures
from persona_memory.cli.output import note, out
from persona_memory.cli.peeking import Peek
from persona_memory.errors import NotFound
from persona_memory.types import ProfileEdit

RULES = "rules"


def forget_all(memory: PersonaMemory, user: str, *, ask: bool) -> ErasureReceipt:
    """Erase the person, after asking if so wished; prints and returns the receipt."""
    if ask:
        said, known = sum(memory.progress(user_id=user).values()), len(memory.memories(user_id=user, superseded=True))
        out.print(f"{said} turns, {known} memories, the profile and everything else of {escape(user)}")
        typer.confirm(f"Erase everything of {user!r}?", abort=True)
    receipt = memory.delete_user(user_id=user)
    pictures.receipt(out, receipt)
    return receipt


def forget_some(
    memory: PersonaMemory, peek: Peek, user: str, ids: Sequence[str], *, ask: bool, learn: bool, model: str | None
) -> ErasureReceipt:
    """Erase memories and turns; learn again what still stands of their words; prints and returns the receipt.

    Raises:
        NotFound: the person has no such memory or turn; nobody was asked, and nothing was erased.
    """
    before = {one.id: one for one in memory.memories(user_id=user, superseded=True)}
    fields = _by_field(memory.history(user_id=user))
    turns = _turns(peek, user, ids, before, fields)
    losing = peek.losing(user, ids)
    again = peek.texts(user, losing.keys() - turns.keys())
    if ask:
        for one in ids:
            _line(f"{one}  {_shown(one, before, fields, turns)}")
        for beside in before.values():
            if beside.id not in ids and not turns.keys().isdisjoint(beside.sources):
                _line(f"rests on the same words, and may go with them: {beside.text} ({beside.id})")
        for seq, text in again.items():
            _line(f"says it again, and loses it: {_rest(seq, text, losing[seq])}")
        typer.confirm(f"Erase {', '.join(ids)} of {user!r}?", abort=True)
    receipt = memory.forget(ids, user_id=user)
    pictures.receipt(out, receipt)
    turns |= again
    left = peek.texts(user, list(turns))
    changed = {seq: left.get(seq, "") for seq, text in turns.items() if left.get(seq) != text}
    for seq, rest in changed.items():
        _line(f"gone: {_rest(seq, turns[seq], rest)}")
    _learn_again(memory, peek, user, before, changed.keys(), learn=learn, model=model)
    return receipt


def _turns(
    peek: Peek, user: str, ids: Sequence[str], known: Mapping[str, Memory], fields: Mapping[str, list[ProfileEdit]]
) -> dict[int, str]:
    """The texts of the turns that are meant: named themselves, or as what a memory or a field rests on."""
    named = {int(one[1:]) for one in ids if one[:1] == "t" and one[1:].isdigit()}
    sources = {seq for one in ids if one in known for seq in known[one].sources}
    sources |= {seq for one in ids for edit in fields.get(one, ()) for seq in edit.evidence}
    found = peek.texts(user, sorted(named | sources))
    there = known.keys() | fields.keys() | {f"t{seq}" for seq in named & found.keys()}
    if missing := sorted(set(ids) - there):
        raise NotFound(
            f"user {user!r} has no memory, turn or profile field {missing!r}; nothing was erased. "
            "`persona-memory show` and `recall` print the ids"
        )
    return found


def _learn_again(
    memory: PersonaMemory,
    peek: Peek,
    user: str,
    before: Mapping[str, Memory],
    changed: Set[int],
    *,
    learn: bool,
    model: str | None,
) -> None:
    """Learn what stands of the words again, and say what is known no longer, what still is, and what waits."""
    learner = peek.learner(user)
    if learn and model is None and learner not in (None, RULES):
        note(f"not learnt again here, because {learner} has learnt from {user!r} before: name it with --model")
    elif learn:
        memory.flush(user_id=user)
    if waiting := memory.progress(user_id=user).get("pending", 0):
        note(f"turns that wait to be learnt again: {waiting}; the next worker does it")
        return
    now = memory.memories(user_id=user, superseded=True)
    known = {one.text for one in now}
    for one in before.values():
        if one.text not in known:
            _line(f"gone: {one.text}")
    for one in now:
        if not changed.isdisjoint(one.sources):
            _line(f"learnt again from what is left: {one.text}")


def _shown(
    one: str, known: Mapping[str, Memory], fields: Mapping[str, list[ProfileEdit]], turns: Mapping[int, str]
) -> str:
    if one in fields:
        history = ", ".join(_value(edit) for edit in fields[one])
        return f"the profile field, with its history and the sentences that state it ({history})"
    if one not in known:
        return f"“{turns[int(one[1:])]}”"
    words = ", ".join(f"t{seq}" for seq in known[one].sources)
    return f"{known[one].text}, with its words in {words}" if words else known[one].text


def _rest(seq: int, text: str, rest: str) -> str:
    """A turn, and what is left of it, if anything is."""
    return f"“{text}” (t{seq})" + (f"; what is left of it: “{rest}”" if rest else "")


def _by_field(history: Sequence[ProfileEdit]) -> dict[str, list[ProfileEdit]]:
    found: dict[str, list[ProfileEdit]] = {}
    for edit in history:
        found.setdefault(edit.field, []).append(edit)
    return found


def _value(edit: ProfileEdit) -> str:
    values = edit.value if isinstance(edit.value, tuple | list) else (edit.value,)
    return f"{edit.op} {' and '.join(map(str, values))}"


def _line(text: str) -> None:
    out.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)
