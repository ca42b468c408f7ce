"""`persona-memory eval`: the list, tables in narrow terminals, files, runs that were interrupted."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from persona_memory.cli import evaluating
from persona_memory.cli.evaluating import _state
from persona_memory.cli.reports import print_report
from persona_memory.evaluation import EVALUATIONS, Report, Row, Score, Settings, Table, fsrs
from persona_memory.evaluation.cache import DAY_S, unfinished, vectors
from persona_memory.evaluation.provenance import commit

from .conftest import Cli

REVIEWS = "card_id,review_rating,review_time,review_duration\n" + "".join(
    f"{card},{1 + (day * card) % 4},2025-03-{day:02}T0{card}:00:00+00:00,1000\n"
    for day in range(1, 30, 2)
    for card in range(1, 9)
)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text(REVIEWS, encoding="utf-8")
    return path


def wide_report() -> Report:
    scores = {f"@{depth}": Score(0.7071, 0.69, 0.723) for depth in (5, 10, 25, 50)}
    rows = (Row("BM25", scores, "baseline"), Row("ours", scores, "ours"), Row("without neighbours", scores, "ablation"))
    table = Table("recall of turns [all]", tuple(scores), rows, plot="@10")
    return Report("x", "A wide one", (table,), ("A note.",), prompts={"What the judge is asked": "Is [it]\nright?"})


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_figure_is_broken_in_a_narrow_terminal(width: int) -> None:
    """What does not fit beside the rest goes below it, with the same rows; brackets are no markup."""
    console = Console(width=width, record=True, file=io.StringIO())
    print_report(console, wide_report())
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert sum(line.count(".707 [.690, .723]") for line in lines) == 12
    assert all(any(f"@{depth}" in line for line in lines) for depth in (5, 10, 25, 50))
    assert max(map(len, lines)) <= width
    assert "recall of turns [all]" in lines
    assert lines[lines.index("What the judge is asked:") + 1].strip() == "Is [it]"


def test_without_a_name_all_evaluations_are_listed(cli: Cli) -> None:
    """With what each needs."""
    listed = cli("eval").out
    assert all(name in listed for name in EVALUATIONS)
    assert "locomo10.json" in listed


def test_one_run_gives_tables_json_markdown_and_plots(cli: Cli, reviews: Path, tmp_path: Path) -> None:
    """The same figures in each."""
    pytest.importorskip("matplotlib")
    common = ("eval", "fsrs", "--data", reviews, "--cache", tmp_path / "cache")
    (tmp_path / "plots").mkdir()
    shown = cli(*common, "--markdown", tmp_path / "out.md", "--plot", tmp_path / "plots")
    assert (shown.code, "FSRS-6, default parameters" in shown.out) == (0, True)
    told = json.loads(cli(*common, "--json").out)
    loss = Score(**told["tables"][0]["rows"][2]["cells"]["log loss"]).show()
    assert loss in shown.out
    assert loss in (tmp_path / "out.md").read_text(encoding="utf-8")
    assert (tmp_path / "plots" / "fsrs-1.png").stat().st_size > 5000
    assert str(tmp_path) not in told["provenance"]["command"]


def test_a_quick_run_says_so_in_its_title(cli: Cli, reviews: Path, tmp_path: Path) -> None:
    """With the part that it looks at, wherever its tables go."""
    common = ("eval", "fsrs", "--data", reviews, "--cache", tmp_path / "cache", "--markdown", tmp_path / "out.md")
    assert "(quick: first 1,500 reviews)" in " ".join(cli(*common, "--quick").out.split())
    assert "(quick: first 1,500 reviews)\n" in (tmp_path / "out.md").read_text(encoding="utf-8")
    assert "quick" not in cli(*common).out
    assert "quick" not in (tmp_path / "out.md").read_text(encoding="utf-8").partition("```")[0]


def test_every_evaluation_knows_what_a_quick_run_looks_at() -> None:
    """In one line."""
    for extra in ("torch", "transformers", "safetensors"):
        pytest.importorskip(extra)
    for name in EVALUATIONS:
        assert import_module(f"persona_memory.evaluation.{name}").QUICK_PART.startswith("first "), name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nonsense",), "there are: assistments"), (("fsrs", "--data", "."), "there is no .csv in"),
     (("beam", "--data", "/nowhere"), "does not exist; beam needs"),
     (("personamem", "--data", "."), "--model provider:name"),
     (("beam", "--data", ".", "--people", "3"), "beam does not choose its people: leave --people out"),
     (("reference", "--seeds", "3"), "reference does not choose its seeds"),
     (("safety", "--people", "0"), "--people 0 measures nothing")],
)  # fmt: skip
def test_what_cannot_run_says_so_in_one_line(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    """And no figure is printed."""
    done = cli("eval", *arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


@pytest.mark.parametrize("name", ["memorise", "safety", "drift", "meta"])
def test_a_run_is_as_large_as_is_asked(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is not asked for keeps the evaluation's own size."""
    for extra in ("torch", "transformers", "safetensors"):
        pytest.importorskip(extra)
    module, seen = import_module(f"persona_memory.evaluation.{name}"), list[Any]()

    class Enough(Exception):
        """No need to measure."""

    def sized(settings: Settings, size: Any) -> Any:
        seen.extend([size, own_sized(settings, size)])
        raise Enough

    own_sized = Settings.sized
    monkeypatch.setattr(Settings, "sized", sized)
    with pytest.raises(Enough):
        module.run(Settings(data=tmp_path, people=7))
    own, asked = seen
    assert (asked.people, asked.seeds) == (7, own.seeds)
    assert own.people != 7


def test_what_cannot_be_written_is_refused_before_the_run(cli: Cli, tmp_path: Path) -> None:
    """The data are not even read; a file that stands there already stays as it is."""
    notes = tmp_path / "notes.md"
    notes.write_text("mine")
    common = ("eval", "fsrs", "--data", tmp_path / "none.csv")
    Path(tmp_path / "none.csv").write_text("no reviews")
    for option, path in (("--markdown", tmp_path), ("--markdown", tmp_path / "no" / "out.md")):
        done = cli(*common, option, path)
        assert (done.code, f"cannot write {str(path)!r}" in done.err) == (1, True)
    assert "no reviews" in cli(*common, "--markdown", notes).err
    assert notes.read_text() == "mine"
    assert "no reviews" in cli(*common, "--markdown", tmp_path / "new.md").err
    assert not (tmp_path / "new.md").exists()


def test_a_plot_into_a_file_is_refused_before_the_run(cli: Cli, reviews: Path) -> None:
    """Instead of after hours."""
    pytest.importorskip("matplotlib")
    done = cli("eval", "fsrs", "--data", reviews, "--plot", reviews)
    assert (done.code, done.out, "cannot write" in done.err) == (1, "", True)


def test_a_plot_makes_no_folder(cli: Cli, reviews: Path, tmp_path: Path) -> None:
    """The name of a picture is not taken for one."""
    pytest.importorskip("matplotlib")
    done = cli("eval", "fsrs", "--data", reviews, "--plot", tmp_path / "x.png")
    assert (done.code, done.out, "there is no folder" in done.err) == (1, "", True)
    assert not (tmp_path / "x.png").exists()


def test_data_that_are_needed_are_asked_for(cli: Cli) -> None:
    """Not looked for in the working folder."""
    done = cli("eval", "fsrs")
    assert (done.code, done.out) == (2, "")
    assert "pass it with --data" in " ".join(done.err.replace("│", "").split())


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "has no reviews"), (b"[]", "has no reviews"), (b"\x84\x00", "is no CSV in UTF-8"),
     (b"a,b\n1,2", "line 2: no review"), ("\n".join(REVIEWS.splitlines()[:4]).encode(), "at least 20 are needed")],
)  # fmt: skip
def test_what_is_no_file_of_reviews_is_named_with_its_folder(
    cli: Cli, tmp_path: Path, content: bytes, said: str
) -> None:
    """Or has too few of them."""
    (tmp_path / "mine.csv").write_bytes(content)
    done = cli("eval", "fsrs", "--data", tmp_path)
    assert (done.code, done.out, said in done.err) == (1, "", True), done.err
    assert "at least" in said or str(tmp_path / "mine.csv") in done.err


def test_a_run_that_was_interrupted_at_once_says_that_nothing_is_kept(
    cli: Cli, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, not with a chat's last words. Before it stands that the run had begun: no bar showed it."""

    def interrupted(settings: Settings) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(fsrs, "run", interrupted)
    stopped = cli("eval", "fsrs", "--data", reviews, "--cache", tmp_path / "cache")
    begun, last = stopped.err.splitlines()
    assert (stopped.code, begun) == (130, "measuring fsrs")
    assert "interrupted; no part of the evaluation was done yet" in last


def test_without_a_terminal_lines_say_how_far_a_run_is(
    cli: Cli, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part when it begins, then now and then; nothing of it on stdout."""

    def slow(settings: Settings) -> Report:
        for _ in settings.watch.track(range(3), "cards", total=3):
            pass
        return Report("fsrs", "Cards", ())

    monkeypatch.setattr(fsrs, "run", slow)
    common = ("eval", "fsrs", "--data", reviews, "--cache", tmp_path / "cache")
    assert cli(*common).err.splitlines() == ["measuring fsrs", "cards: 3 to do", "cards: done"]
    monkeypatch.setattr(evaluating, "EVERY_S", 0.0)
    told = cli(*common)
    assert told.err.splitlines()[2:] == ["cards: 1 of 3", "cards: 2 of 3", "cards: 3 of 3", "cards: done"]
    assert "to do" not in told.out


def test_what_no_run_will_read_again_goes(cli: Cli, reviews: Path, tmp_path: Path) -> None:
    """Runs interrupted a month ago and vectors half written; what is younger, or whole, stays."""
    cache = tmp_path / "cache"
    for folder in (unfinished(cache), vectors(cache)):
        folder.mkdir(parents=True)
    days = {
        unfinished(cache) / "fsrs-a.jsonl": 31, unfinished(cache) / "fsrs-b.jsonl": 29, vectors(cache) / "a.npy": 400,
        vectors(cache) / "a.12.npy": 2, vectors(cache) / "b.13.npy": 0,
    }  # fmt: skip
    for path, age in days.items():
        path.touch()
        os.utime(path, (time.time() - age * DAY_S,) * 2)
    cli("eval", "fsrs", "--data", reviews, "--cache", cache)
    assert [path.name for path in days if path.exists()] == ["fsrs-b.jsonl", "a.npy", "b.13.npy"]


def test_a_run_of_another_commit_is_not_gone_on_with(
    cli: Cli, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted run has done counts for the same code only."""

    def interrupted(settings: Settings) -> Report:
        settings.checkpoint.get("half", lambda: 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(fsrs, "run", interrupted)
    common = ("eval", "fsrs", "--data", reviews, "--cache", tmp_path / "cache")
    stopped = cli(*common)
    assert (stopped.code, "1 part is done and kept: the same command goes on" in stopped.err) == (130, True)
    assert "1 part is already done" in cli(*common).err
    monkeypatch.chdir(reviews.parent)
    assert "1 part is already done" in cli(*common[:3], reviews.name, *common[4:]).err
    with monkeypatch.context() as other:
        other.setattr("persona_memory.cli.evaluating.code", lambda: "another")
        assert "already done" not in cli(*common).err
    with monkeypatch.context() as other:
        other.setattr("persona_memory.cli.evaluating.__version__", "another")
        assert "already done" not in cli(*common).err
    reviews.write_text(REVIEWS + REVIEWS.splitlines()[-1] + "\n", encoding="utf-8")
    assert "already done" not in cli(*common).err


def test_a_folder_whose_files_changed_is_other_data(tmp_path: Path) -> None:
    """Size and time of what lies in it count; of the working folder only where it is."""
    (tmp_path / "questions.csv").write_text("a")
    before = list(_state(tmp_path))
    (tmp_path / "questions.csv").write_text("ab")
    now = list(_state(tmp_path))
    assert now != before
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "chat.json").write_text("{}")
    with_chat = list(_state(tmp_path))
    assert with_chat != now
    (tmp_path / "1" / "chat.json").write_text("{ }")
    assert list(_state(tmp_path)) != with_chat
    assert len(list(_state(Path()))) == 1


def test_a_repository_that_does_not_know_the_source_is_not_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package inside somebody's repository has no commit."""

    def git(*words: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *author, *words], check=True, capture_output=True)

    source = tmp_path / "provenance.py"
    monkeypatch.setattr("persona_memory.evaluation.provenance.__file__", str(source))
    source.write_text("")
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    assert commit() == "unknown"
    git("add", source.name)
    git("commit", "-m", "ours")
    assert commit() != "unknown"
