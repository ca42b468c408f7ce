"""How people speak of a field of their profile: plainly, by the way, of a change, of somebody else, of what is not so.

In the templates {a} stands for the value, or for its first part where a value has two ("dog|Rex": {a} and {b}).
"""

from __future__ import annotations

from dataclasses import dataclass

from persona_memory.evaluation.people.person import Value


@dataclass(frozen=True, slots=True)
class Wording:
    """One field: its possible values and what is said of them.

    Attributes:
        pool: possible values.
        shape: how the profile writes a value.
        many: the field is a list.
        plain: statements in so many words.
        paraphrase: the same told by the way, clear to any human listener.
        change: a new value takes an old one's place; empty for what does not change.
        ended: of a list, an item is no longer true.
        friend, supposed, past: the value is somebody else's, imagined, or long gone.
        question: what the person asks whose answer needs the field, without saying anything of it.
        hint: says what the answer has to fit, without the value.
    """

    field: str
    pool: tuple[str, ...]
    plain: tuple[str, ...]
    paraphrase: tuple[str, ...]
    question: str
    hint: str
    change: tuple[str, ...] = ()
    friend: tuple[str, ...] = ()
    supposed: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    shape: str = "{a}"
    many: bool = False

    def say(self, template: str, entry: str) -> str:
        """The template about this entry of the pool."""
        first, _, second = entry.partition("|")
        article = "an" if first[:1].lower() in "aeiou" else "a"
        capitals = {"A": first[:1].upper() + first[1:], "B": second[:1].upper() + second[1:]}
        return template.format(a=first, b=second, an=f"{article} {first}", **capitals)

    def value(self, entry: str) -> Value:
        """The entry as the profile holds it."""
        written = self.say(self.shape, entry)
        return int(written) if written.isdigit() else written
