"""The fields that a profile can have, made from any pydantic model; the one place where values are checked."""

from __future__ import annotations

import difflib
import functools
import json
import types
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from persona_memory.errors import InvalidInput
from persona_memory.memo import Memo
from persona_memory.types import Policy

LISTS = (list, tuple, set, frozenset, Sequence, AbstractSet)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of the profile dictionary.

    Attributes:
        path: dotted path, e.g. "demographics.name"; its first part is the section.
        description: what the field holds, for people and for the LLM that fills it.
        adapter: checks and coerces one value (of list fields: one item).
        many: the field is a list.
        sensitive: learnt only from a plain statement, unless the person's policy allows inference; never asked for.
        stated_only: learnt only from a plain statement, whatever the policy says.
        question: what to ask when the field is empty; None: it is never asked for.
        question_stale: what to ask when the value is old, with "{value}" in it.
        stale_after_days: age in days after which the value should be confirmed; None: it does not age.
        choices: the values that are allowed; empty: no fixed set.
    """

    path: str
    description: str
    adapter: TypeAdapter[Any] = field(repr=False, compare=False)
    many: bool = False
    sensitive: bool = False
    stated_only: bool = False
    question: str | None = None
    question_stale: str | None = None
    stale_after_days: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The first part of the path, e.g. "demographics"."""
        return self.path.split(".", 1)[0]

    def categories(self) -> frozenset[str]:
        """Names that close this field when a policy lists them: its path, every part of it and every prefix of it."""
        parts = self.path.casefold().split(".")
        return frozenset(parts) | {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


@dataclass(frozen=True, slots=True)
class ProfileSchema:
    """The fields of a profile, in order of their usefulness within each section."""

    fields: tuple[FieldSpec, ...]
    _by_path: dict[str, FieldSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_path = {spec.path: spec for spec in self.fields}
        if len(by_path) < len(self.fields):
            twice = sorted({s.path for s in self.fields if sum(o.path == s.path for o in self.fields) > 1})
            raise InvalidInput(f"profile fields are defined twice: {', '.join(twice)}; give each its own name")
        object.__setattr__(self, "_by_path", by_path)

    def __contains__(self, path: object) -> bool:
        return path in self._by_path

    def names(self) -> tuple[str, ...]:
        """The dotted paths of all fields, in order."""
        return tuple(self._by_path)

    def find(self, path: str) -> FieldSpec | None:
        """The field of this path, or None where the schema has none."""
        return self._by_path.get(path)

    def field(self, path: str) -> FieldSpec:
        """The field of this path.

        Raises:
            InvalidInput: no such field; the message names the nearest known ones.
        """
        spec = self._by_path.get(path)
        if spec is None:
            raise InvalidInput(f"{path!r} is no field of the profile; {self._nearest(path)}")
        return spec

    def _nearest(self, path: str) -> str:
        leaf = path.rsplit(".", 1)[-1]
        near = difflib.get_close_matches(path, self._by_path, n=3, cutoff=0.5)
        near += [name for name in self._by_path if name.rsplit(".", 1)[-1] == leaf and name not in near]
        known = near or list(self._by_path)
        return f"{'the nearest are' if near else 'known fields are'}: {', '.join(known)}"

    def normalise(self, path: str, value: Any) -> Any:
        """The value as plain JSON data that the field accepts; of list fields a list becomes a tuple of its items.

        A single value given for a list field is checked as one item and stays single.

        Raises:
            InvalidInput: no such field, or the value does not fit it.
        """
        spec = self.field(path)
        if not spec.many or not isinstance(value, list | tuple | set | frozenset):
            return _one(spec, value)
        items = [_one(spec, item) for item in value]
        return tuple(
            {fold_key(item): item for item in reversed(items)}[key] for key in dict.fromkeys(map(fold_key, items))
        )

    def matching(self, category: str) -> tuple[str, ...]:
        """The fields that a policy's category means: a section, a dotted path, or a field's own name."""
        wanted = category.strip().casefold()
        return tuple(spec.path for spec in self.fields if wanted in spec.categories())

    def closed(self, policy: Policy) -> frozenset[str]:
        """The fields that the person's policy closes: nothing is learnt of them, not even what is stated."""
        return frozenset(path for category in policy.never_infer for path in self.matching(category))


def fold_key(value: Any) -> str:
    """A string that is equal for values that count as the same: letter case and outer spaces are ignored."""
    if isinstance(value, str):
        return FOLDED[value]
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).casefold()


FOLDED = Memo(lambda value: " ".join(value.casefold().split()), most=4096, longest=80)
"""Values as they are compared, in this process: each edit of a list looks at all of it. An erasure clears it."""


def _one(spec: FieldSpec, value: Any) -> Any:
    try:
        checked = spec.adapter.validate_python(value.strip() if isinstance(value, str) else value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        expected = f"one of {', '.join(spec.choices)}" if spec.choices else spec.description
        raise InvalidInput(
            f"{value!r} does not fit the profile field {spec.path!r}: {problem}; expected: {expected}"
        ) from None
    if checked is None or checked == "":
        raise InvalidInput(
            f"{value!r} does not fit the profile field {spec.path!r}: it is empty; remove the field instead"
        )
    return spec.adapter.dump_python(checked, mode="json")


def schema_of(model: type[BaseModel]) -> ProfileSchema:
    """The schema of a pydantic model: nested models become sections, list fields hold many values.

    Each field's `description` and, in `json_schema_extra`, the keys `sensitive`, `stated_only`, `question`,
    `question_stale` and `stale_after_days` are used. A question that is not given is made from the field's name; None
    means never to ask. Constraints and validators inside annotations (`Annotated`, `Field`) are applied to each value;
    validators that are written as methods of the model are not, because a profile is filled one field at a time.

    Raises:
        InvalidInput: not a pydantic model, a model that contains itself, one without fields, or a type that pydantic
            cannot check.
    """
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise InvalidInput(f"{model!r} is no pydantic model; pass a class that derives from pydantic.BaseModel")
    fields = tuple(_walk(model, "", ()))
    if not fields:
        raise InvalidInput(f"{model.__name__} has no fields; a profile schema needs at least one")
    return ProfileSchema(fields)


@functools.lru_cache(maxsize=1)
def default_schema() -> ProfileSchema:
    """The schema of `persona_memory.profile.persona.Persona`: AI PERSONA's sections and what else people tell."""
    from persona_memory.profile.persona import Persona

    return schema_of(Persona)


def _walk(model: type[BaseModel], prefix: str, above: tuple[type[BaseModel], ...]) -> Iterator[FieldSpec]:
    if model in above:
        raise InvalidInput(f"{model.__name__} contains itself at {prefix!r}; a profile schema must end somewhere")
    for name, info in model.model_fields.items():
        kind, path = _plain(info.annotation), f"{prefix}{name}"
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _walk(kind, f"{path}.", (*above, model))
        else:
            yield _spec(path, kind, info)


def _plain(annotation: Any) -> Any:
    """The annotation without `None` and, where nothing but metadata is around it, without `Annotated`."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _plain(kinds[0]) if len(kinds) == 1 else Union[tuple(kinds)]  # noqa: UP007 (built at run time)
    return annotation


def _spec(path: str, kind: Any, info: FieldInfo) -> FieldSpec:
    many = get_origin(kind) in LISTS or kind in LISTS
    item = (get_args(kind) or (Any,))[0] if many else Annotated[kind, *info.metadata] if info.metadata else kind
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    words = path.rsplit(".", 1)[-1].replace("_", " ")
    return FieldSpec(
        path=path,
        description=info.description or words,
        adapter=_adapter(path, item),
        many=many,
        sensitive=bool(extra.get("sensitive", False)),
        stated_only=bool(extra.get("stated_only", False)),
        question=_text(extra.get("question", f"What {'are' if many else 'is'} your {words}?")),
        question_stale=_text(extra.get("question_stale", f"{'Are' if many else 'Is'} your {words} still: {{value}}?")),
        stale_after_days=_days(path, extra.get("stale_after_days")),
        choices=_choices(item),
    )


def _adapter(path: str, item: Any) -> TypeAdapter[Any]:
    plain = get_args(item)[0] if get_origin(item) is Annotated else item
    try:  # an LLM writes 5 where "5" is meant; models and dataclasses bring a configuration of their own
        return TypeAdapter(item, config=ConfigDict(coerce_numbers_to_str=True) if plain is str else None)
    except PydanticUserError as error:
        raise InvalidInput(
            f"the profile field {path!r} has a type that pydantic cannot check: {error.message}"
        ) from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _days(path: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise InvalidInput(f"stale_after_days of {path!r} is {value!r}; give a positive number of days")
    return float(value)


def _choices(item: Any) -> tuple[str, ...]:
    if get_origin(item) is Annotated:
        item = get_args(item)[0]
    if get_origin(item) is Literal:
        return tuple(str(choice) for choice in get_args(item))
    if isinstance(item, type) and issubclass(item, Enum):
        return tuple(str(member.value) for member in item)
    return ()
