"""Tokens in a file: whose they are, in which namespace, and until when. The file holds their hashes only.

    [[token]]
    sha256 = "…"                      # of the token
    user = "ana"
    namespace = "acme"
    expires = 2027-01-01T00:00:00Z    # optional

A file that changes is read again, so that a token that is taken out of it is refused at once.
"""

from __future__ import annotations

import json
import logging
import secrets
import tomllib
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from mcp.server.auth.provider import AccessToken
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from persona_memory import InvalidInput
from persona_memory_mcp.people import NAMESPACE

log = logging.getLogger("persona_memory.mcp")

Name = Annotated[str, StringConstraints(min_length=1)]


class _Token(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    user: Name
    namespace: Name = "default"
    expires: AwareDatetime | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: list[_Token] = []


class TokenFile:
    """A file of tokens as the SDK's `TokenVerifier`.

    Raises:
        InvalidInput: the file cannot be read, or is malformed. One that becomes so later admits nobody.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = _state(path)
        self._tokens = _read(path)

    @property
    def namespaces(self) -> set[str]:
        """All namespaces that a token leads to."""
        return {token.namespace for token in self._tokens.values()}

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token stands for; None where it is unknown. The SDK refuses one that has expired."""
        self._refresh()
        found = self._tokens.get(_hash(token))
        if found is None:
            return None
        return AccessToken(
            token=token, client_id=found.namespace, scopes=[], subject=found.user, claims={NAMESPACE: found.namespace},
            expires_at=None if found.expires is None else int(found.expires.timestamp()),
        )  # fmt: skip

    def _refresh(self) -> None:
        state = _state(self.path)
        if state == self._seen:
            return
        self._seen = state
        try:
            self._tokens = _read(self.path)
        except InvalidInput as error:
            self._tokens = {}
            told = {"event.name": "persona_memory.tokens.unreadable"}
            log.warning("persona-memory: no token is accepted: %s", error, extra=told)


def add_token(path: Path, *, user_id: str, namespace: str = "default", expires: datetime | None = None) -> str:
    """Make a token, note it in the file, which is made where there is none, and return it. It is kept nowhere.

    Raises:
        InvalidInput: the file cannot be read or written, or is malformed.
    """
    token = f"pm_{secrets.token_urlsafe(32)}"
    fields = {"sha256": _hash(token), "user": user_id, "namespace": namespace}
    lines = ["[[token]]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items())]
    if expires is not None:
        lines.append(f"expires = {expires.isoformat(timespec='seconds')}")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        _parsed(path, text := "\n".join([before.rstrip(), "", *lines, ""]).lstrip())
        aside = path.with_name(f"{path.name}.new")  # a kill leaves the old file or the new one
        aside.touch(mode=0o600)
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise InvalidInput(f"cannot write {str(path)!r}: {error.strerror}") from error
    return token


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when the file does; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read(path: Path) -> dict[str, _Token]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InvalidInput(f"the tokens in {str(path)!r} cannot be read: {reason}") from error
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> dict[str, _Token]:
    try:
        tokens = _File.model_validate(tomllib.loads(text)).token
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{str(path)!r} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{str(path)!r}, {where}: {first['msg']}") from error
    by_hash = {token.sha256: token for token in tokens}
    if len(by_hash) < len(tokens):
        raise InvalidInput(f"{str(path)!r} holds a token twice; who it belongs to must be certain")
    return by_hash
