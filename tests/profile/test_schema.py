"""A profile's fields come from a pydantic model, and only values that fit are kept."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field

from persona_memory.errors import InvalidInput
from persona_memory.profile.persona import Persona
from persona_memory.profile.schema import default_schema, schema_of
from persona_memory.types import Policy


class Plan(Enum):
    """What a customer pays for."""

    FREE = "free"
    PRO = "pro"


class Work(BaseModel):
    """A host's own section."""

    editor: str | None = Field(None, description="the editor they use", json_schema_extra={"question": "Which editor?"})
    plan: Plan | None = None
    tools: list[Annotated[str, AfterValidator(str.lower)]] = []
    budget: Annotated[int, Field(gt=0)] | None = Field(None, json_schema_extra={"sensitive": True, "question": None})
    level: Literal["junior", "senior"] | None = Field(
        None, json_schema_extra={"stated_only": True, "stale_after_days": 90}
    )


class Customer(Persona):
    """The default profile with a section of the host's."""

    work: Work = Work()


def test_nested_models_become_dotted_paths_in_order() -> None:
    """A host's section stands behind the default ones, its fields in the order written."""
    names = schema_of(Customer).names()
    assert names[: len(default_schema().names())] == default_schema().names()
    assert names[-5:] == ("work.editor", "work.plan", "work.tools", "work.budget", "work.level")


def test_what_a_field_says_of_itself_is_kept() -> None:
    """Description, question, sensitivity and age come from the model."""
    schema = schema_of(Customer)
    editor, budget, level = (schema.field(f"work.{name}") for name in ("editor", "budget", "level"))
    assert (editor.description, editor.question, editor.many) == ("the editor they use", "Which editor?", False)
    assert (budget.sensitive, budget.question) == (True, None)
    assert (level.stated_only, level.stale_after_days, level.choices) == (True, 90.0, ("junior", "senior"))
    assert schema.field("work.tools").many
    assert schema.field("work.tools").question == "What are your tools?"


@pytest.mark.parametrize(
    ("path", "given", "kept"),
    [
        ("demographics.age", "34", 34),
        ("demographics.name", "  Ana ", "Ana"),
        ("demographics.name", 7, "7"),
        ("work.plan", "pro", "pro"),
        ("work.tools", ["Vim", "VIM ", "Git"], ("vim", "git")),
        ("work.tools", "Make", "make"),
        ("preference.likes", {"tea"}, ("tea",)),
    ],
)
def test_values_are_coerced_to_plain_data(path: str, given: Any, kept: Any) -> None:
    """What a model or an LLM writes becomes JSON-like data; lists lose what is said twice."""
    assert schema_of(Customer).normalise(path, given) == kept


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("demographics.age", 200, "less than or equal to 130"),
        ("work.plan", "gold", "one of free, pro"),
        ("work.budget", -1, "work.budget"),
        ("preference.likes", "", "preference.likes"),
        ("preference.likes", ["tea", None], "None"),
        ("demographics.nam", "Ana", "demographics.name"),
        ("age", 34, "demographics.age"),
        ("zzz", 1, "known fields are"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(path: str, value: Any, says: str) -> None:
    """The error names the field, the value and what would fit, or the nearest known fields."""
    with pytest.raises(InvalidInput, match=says):
        schema_of(Customer).normalise(path, value)


def test_a_policy_closes_sections_fields_and_names() -> None:
    """A category is a section, a dotted path, or a field's own name, in any letter case."""
    schema = default_schema()
    assert schema.closed(Policy(never_infer=("health",))) == {"health.allergies", "health.conditions"}
    assert schema.closed(Policy(never_infer=("Religion", "demographics.age"))) == {
        "beliefs.religion",
        "demographics.age",
    }
    assert schema.matching("nothing of the kind") == ()


def test_the_default_schema_has_the_sections_of_the_paper_and_marks_what_is_sensitive() -> None:
    """Demographics are stated only; health, belief and orientation are sensitive and never asked for."""
    schema = default_schema()
    assert {spec.section for spec in schema.fields} >= {"demographics", "personality", "pattern", "preference"}
    sensitive = {spec.path for spec in schema.fields if spec.sensitive}
    assert sensitive == {
        "demographics.orientation", "health.allergies", "health.conditions", "beliefs.religion", "beliefs.politics",
    }  # fmt: skip
    assert all(schema.field(path).question is None for path in sensitive)
    assert all(s.stated_only for s in schema.fields if s.section == "demographics" and not s.sensitive)


def test_a_model_that_contains_itself_is_refused() -> None:
    """A schema has to end somewhere."""

    class Node(BaseModel):
        child: Node | None = None

    Node.model_rebuild()
    with pytest.raises(InvalidInput, match="contains itself"):
        schema_of(Node)


@pytest.mark.parametrize("model", [dict, str, 3])
def test_only_pydantic_models_make_schemas(model: Any) -> None:
    """Anything else is refused with what to pass instead."""
    with pytest.raises(InvalidInput, match="BaseModel"):
        schema_of(model)


def test_types_that_pydantic_cannot_check_and_wrong_ages_are_refused() -> None:
    """The error names the field."""

    class Odd(BaseModel, arbitrary_types_allowed=True):
        thing: object | None = None
        clock: type[Plan] | None = None

    class Aged(BaseModel):
        mood: str | None = Field(None, json_schema_extra={"stale_after_days": -1})

    assert schema_of(Odd).names() == ("thing", "clock")
    with pytest.raises(InvalidInput, match="stale_after_days"):
        schema_of(Aged)


@given(st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_checking_twice_changes_nothing(values: list[str]) -> None:
    """What was normalised is normal."""
    schema = default_schema()
    try:
        once = schema.normalise("preference.likes", values)
    except InvalidInput:
        return
    assert schema.normalise("preference.likes", once) == once
    assert len({value.casefold() for value in once}) == len(once)
