"""How an extra is installed: the one place that words the command, for errors, warnings and the command line."""

from __future__ import annotations

import json

NAME = "persona-memory"


def pip_install(extra: str, *, options: str = "") -> str:
    """The command that brings an extra, from where this persona-memory was installed.

    From a checkout it names the folder, as pip noted it (PEP 610): `pip install -e "/home/me/persona-memory[offline]"`;
    else the package: `pip install "persona-memory[offline]"`.
    """
    flags, source = _source()
    return " ".join(filter(None, ("pip install", options, flags, f'"{source}[{extra}]"')))


def _source() -> tuple[str, str]:
    """pip's flags, and the folder or the package to install."""
    from importlib.metadata import PackageNotFoundError, distribution  # only for who reads a hint
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        noted = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return "", NAME
    folder = Path(url2pathname(urlsplit(noted.get("url", "")).path))
    if "dir_info" not in noted or not (folder / "pyproject.toml").is_file():
        return "", NAME
    return "-e" if noted["dir_info"].get("editable") else "", str(folder)
