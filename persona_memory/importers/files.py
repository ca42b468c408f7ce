"""What all formats share: the message, reading JSON with the line of what is wrong, times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.ledger.people import checked, checked_thread
from persona_memory.types import Role

_Parsed = TypeVar("_Parsed", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """One message of a file.

    Attributes:
        user_id: whose memory it belongs to.
        message_id: None where the source has none; the ledger then aligns the thread with what it holds.
        at: in UTC; None where the source does not say.
    """

    user_id: str
    thread_id: str
    message_id: str | None
    role: Role
    speaker: str | None
    text: str
    at: datetime | None


def load_json(content: bytes, *, source: str, expected: str) -> Any:
    """The JSON document in `content`."""
    text = decode(content, source=source, line=1)
    if not text.strip():
        raise ImportFileError(source, None, f"the file is empty; expected {expected}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_json(error, source, 0, expected) from error


def load_json_lines(path: Path, *, expected: str) -> Iterator[tuple[int, Any]]:
    """(line number, value) of each line that is not blank, one at a time."""
    source, found = str(path), False
    with path.open("rb") as file:
        for number, content in enumerate(file, 1):
            line = decode(content, source=source, line=number).strip()
            if not line:
                continue
            found = True
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _not_json(error, source, number - 1, expected) from error
    if not found:
        raise ImportFileError(source, None, f"the file is empty; expected {expected}")


def readable(path: str | Path) -> Path:
    """The path, if it is a file that may be read."""
    path = Path(path)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImportFileError(str(path), None, f"cannot be read ({reason}); pass the path of a file") from error


def parse(model: type[_Parsed], value: Any, *, source: str, line: int | None, where: str, expected: str) -> _Parsed:
    """The value as the pydantic model, or an `ImportFileError` that names the first field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        named = f"{where}, field {field!r}" if field else where
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise ImportFileError(source, line, f"{named}: {message}; expected {expected}") from error


def storable(message: ImportedMessage, *, source: str, line: int | None, where: str) -> ImportedMessage:
    """The message, if a memory can hold it: known before the first one is stored."""
    try:
        checked(message.user_id)
        checked_thread(message.thread_id)
    except InvalidInput as error:
        raise ImportFileError(source, line, f"{where}: {error}") from error
    return message


def decode(content: bytes, *, source: str, line: int) -> str:
    """The text of UTF-8 bytes whose first line is `line`; a byte-order mark goes."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        broken = line + content[: error.start].count(b"\n")
        raise ImportFileError(source, broken, "not UTF-8; save the file as UTF-8 text") from error


def _not_json(error: Exception, source: str, before: int, expected: str) -> ImportFileError:
    if not isinstance(error, json.JSONDecodeError):  # a number that Python refuses to read, or RecursionError
        problem = "a number has too many digits" if isinstance(error, ValueError) else "nested too deeply"
        return ImportFileError(source, before + 1, f"{problem}; expected {expected}")
    problem = f"not valid JSON ({error.msg}, column {error.colno}); expected {expected}"
    return ImportFileError(source, before + error.lineno, problem)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > _FIRST_MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{value!r} is no time; write seconds since 1970 or ISO 8601") from error


_FIRST_MILLISECONDS = 1e11
"""Larger numbers are milliseconds: as seconds they would lie beyond the year 5000."""

Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""Seconds or milliseconds since 1970, or ISO 8601; UTC where no zone is given."""

Identifier = Annotated[str | None, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""A string, or a whole number that is read as one."""
