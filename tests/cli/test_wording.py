"""Hints name options at the command line, arguments in Python, and a command that installs."""

from __future__ import annotations

import json
import warnings
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from persona_memory.cli.wording import as_options
from persona_memory.installing import pip_install
from persona_memory.retrieval import embeddings

from .conftest import Cli


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('or pass embeddings="provider:model".', "or pass --embeddings provider:model."),
        ("whose they are: user_id=…", "whose they are: --user …"),
        ("of sqlite:///file:x?mode=ro and resent=False", "of sqlite:///file:x?mode=ro and resent=False"),
    ],
)
def test_arguments_become_options(said: str, shown: str) -> None:
    """Those that the command line has; other text stays."""
    assert as_options(said) == shown


def test_the_hint_of_missing_embeddings_names_the_option(cli: Cli, ana: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python it names the argument."""
    monkeypatch.setattr(embeddings, "weights_folder", lambda: None)
    monkeypatch.setattr(embeddings, "_warned", False)
    monkeypatch.delenv("PERSONA_MEMORY_EMBEDDINGS")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        said = cli("recall", "--user", ana, "Porto").err
    assert "or pass --embeddings provider:model; --embeddings hashing keeps it as it is" in said
    monkeypatch.setattr(embeddings, "_warned", False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embeddings.default_embedder()
    assert 'embeddings="provider:model"' in str(caught[0].message)


class _Installed:
    def __init__(self, noted: str | None) -> None:
        self._noted = noted

    def read_text(self, name: str) -> str | None:
        return self._noted if name == "direct_url.json" else None


@pytest.mark.parametrize(
    ("editable", "command"), [(True, 'pip install -e "{}[offline]"'), (False, 'pip install "{}[offline]"')]
)
def test_from_a_checkout_the_hint_names_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool, command: str
) -> None:
    """As long as it is there: the package's own name means nothing before it is released."""
    noted = json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True} if editable else {}})
    monkeypatch.setattr("importlib.metadata.distribution", lambda _: _Installed(noted))
    assert pip_install("offline") == 'pip install "persona-memory[offline]"'
    (tmp_path / "pyproject.toml").touch()
    assert pip_install("offline") == command.format(tmp_path)


@pytest.mark.parametrize("noted", [None, json.dumps({"url": "https://example.org/p.whl", "archive_info": {}})])
def test_from_a_registry_the_hint_names_the_package(monkeypatch: pytest.MonkeyPatch, noted: str | None) -> None:
    """Or from wherever a wheel came."""
    monkeypatch.setattr("importlib.metadata.distribution", lambda _: _Installed(noted))
    assert pip_install("edge", options="--upgrade") == 'pip install --upgrade "persona-memory[edge]"'


def test_source_that_was_never_installed_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PYTHONPATH only."""

    def nowhere(name: str) -> _Installed:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", nowhere)
    assert pip_install("all") == 'pip install "persona-memory[all]"'
