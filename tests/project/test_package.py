"""The package as it is built, installed and imported."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {"persona_memory": ROOT / "persona_memory"} | {
    f"persona_memory_{host}": ROOT / "integrations"
    for host in ("langchain", "langgraph", "mcp", "openai", "serve", "vllm")
}
HEAVY = [
    "fastapi",
    "httpx2",
    "langchain",
    "langgraph.graph",
    "mcp",
    "peft",
    "qdrant_client",
    "qdrant_edge",
    "scipy",
    "torch",
    "transformers",
]


def run_python(code: str, *, path: Path = ROOT) -> str:
    """What a fresh interpreter prints, with `path` in front of its import path."""
    start = f"import sys; sys.path[:0] = [{str(path)!r}]; "
    done = subprocess.run([sys.executable, "-I", "-c", start + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_all_packages_with_their_types(wheel: Path) -> None:
    """Whoever installs the wheel gets the library, its integrations, their types and the licence."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in PACKAGES:
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [name for name in names if name.startswith(("tests/", "docs/", "integrations/"))] == []


def test_the_wheel_imports_by_itself(wheel: Path, tmp_path: Path) -> None:
    """The built package needs nothing of the source tree."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    where = run_python("import persona_memory; print(persona_memory.__file__)", path=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path)


def test_importing_the_library_loads_nothing_heavy() -> None:
    """`import persona_memory` loads none of the heavy packages, and takes well under 2 s on any machine."""
    code = f"""
import json, time
start = time.perf_counter()
import persona_memory
seconds = time.perf_counter() - start
print(json.dumps([seconds, [name for name in {HEAVY!r} if name in sys.modules]]))"""
    seconds, loaded = json.loads(run_python(code.replace("\nimport json", "import json", 1)))
    print(f"import persona_memory: {seconds:.3f} s")
    assert loaded == []
    assert seconds < 2


def imports_of(package: str) -> Iterator[tuple[str, str]]:
    """(file, imported module) of every absolute import in a package, those in functions included."""
    for file in sorted((PACKAGES[package] / (package if package != "persona_memory" else "")).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield str(file.relative_to(ROOT)), node.module
            elif isinstance(node, ast.Import):
                yield from ((str(file.relative_to(ROOT)), alias.name) for alias in node.names)


distributions = cache(importlib.metadata.packages_distributions)


@cache
def distribution_of(module: str) -> str | None:
    """The normalised name of the distribution that brings a module; None for Python's own and for what is absent."""
    candidates = distributions().get(module.partition(".")[0], [])
    if len(set(candidates)) > 1:  # a namespace package such as langgraph: the file decides
        paths = {module.replace(".", "/") + end for end in (".py", "/__init__.py")}
        files = {name: {str(file) for file in importlib.metadata.files(name) or ()} for name in candidates}
        candidates = [name for name in candidates if files[name] & paths]
    return normalised(candidates[0]) if candidates else None


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """The normalised names of all distributions that pyproject.toml asks for, extras for development left out."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [
        *PYPROJECT["project"]["dependencies"],
        *(dep for name in extras for dep in extras[name] if name != "docs"),
    ]
    return {normalised(match[0]) for dep in wanted if (match := re.match(r"[\w.-]+", dep))}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_direct_import_is_declared(package: str) -> None:
    """What the code imports is named in pyproject.toml, not left to come along with something else."""
    own = {"persona-memory", None}
    missing = {
        (file, module)
        for file, module in imports_of(package)
        if module.partition(".")[0] not in PACKAGES
        and (name := distribution_of(module)) not in own
        and name not in declared()
    }
    assert missing == set()


def test_all_brings_every_extra_of_a_user() -> None:
    """`persona-memory[all]` names each extra except those for development."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    (every,) = extras["all"]
    assert set(re.findall(r"\w+", every.partition("[")[2])) == set(extras) - {"all", "dev", "docs"}


def test_constraints_pin_every_declared_dependency() -> None:
    """Each dependency has one tested version in constraints.txt, and no line names an index."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    assert {normalised(name) for name in pins} >= declared() - {"persona-memory"}
    assert "+" not in "".join(pins.values())


def test_the_tools_of_make_check_are_locked() -> None:
    """Each with the version of constraints.txt and a hash for each of its files, and no line names an index."""
    text = (ROOT / "requirements-check.txt").read_text()
    locked = dict(
        re.findall(r"^([\w.-]+)==(\S+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE)
    )
    assert len(locked) == text.count("==")
    assert set(re.findall(r"^\w[\w.-]*$", (ROOT / "requirements-check.in").read_text(), re.MULTILINE)) <= set(locked)
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    known = {normalised(name): version for name, version in pins.items()}
    assert {name: version for name, version in locked.items() if known.get(normalised(name), version) != version} == {}
    assert "://" not in text
