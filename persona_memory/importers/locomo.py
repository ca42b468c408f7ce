"""LoCoMo's locomo10.json: ten long, dated dialogues between two people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from persona_memory.errors import ImportFileError
from persona_memory.importers.files import ImportedMessage, load_json, parse, readable, storable

_FILE = 'LoCoMo\'s locomo10.json, a list of {"sample_id": …, "conversation": {"speaker_a": …, "session_1": […], …}}'
_TURN = '{"speaker": …, "dia_id": …, "text": …}'
_DATE = re.compile(r"(\d{1,2}):(\d{2}) (am|pm) on (\d{1,2}) ([A-Z][a-z]+), (\d{4})")
_SESSION = re.compile(r"session_([1-9][0-9]{0,5})")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

BETWEEN_TURNS = timedelta(seconds=5)
"""Turns of a session are dated this far apart, as only the session has a date."""


LAST_YEAR = 9000
"""Later ones are no dates: turns that follow would lie beyond what Python's calendar knows."""


class _Sample(BaseModel):
    sample_id: str
    conversation: dict[str, Any]


class _Speakers(BaseModel):
    speaker_a: str
    speaker_b: str


class _Turn(BaseModel):
    speaker: str
    dia_id: str
    text: str
    blip_caption: str | None = None


def read_locomo(path: str | Path, *, captions: bool = True) -> Iterator[ImportedMessage]:
    """All turns, dialogue by dialogue and session by session.

    The sample's id ("conv-26") is the user, a session is a thread ("conv-26/session_1"), "dia_id" ("D1:3") the message
    id; speaker_a is the person (role "user"), speaker_b somebody else (role "other"). A shared image is told by its
    caption.

    Args:
        captions: False leaves those of images out: most published figures are for the dialogue alone.

    Raises:
        ImportFileError: the file is not LoCoMo's.
    """
    path = readable(path)
    source = str(path)
    document = load_json(path.read_bytes(), source=source, expected=_FILE)
    if not isinstance(document, list):
        raise ImportFileError(source, None, f"found {type(document).__name__}, not a list; expected {_FILE}")
    for place, value in enumerate(document, 1):
        where = f"dialogue {place}"
        sample = parse(_Sample, value, source=source, line=None, where=where, expected=_FILE)
        yield from _dialogue(sample, source, captions=captions)


def _dialogue(sample: _Sample, source: str, *, captions: bool) -> Iterator[ImportedMessage]:
    talk, name = sample.conversation, sample.sample_id
    speakers = parse(_Speakers, talk, source=source, line=None, where=name, expected=_FILE)
    numbers = sorted(int(found[1]) for key in talk if (found := _SESSION.fullmatch(key)))
    for number in numbers:
        session = f"session_{number}"
        where = f"{name}, {session}"
        turns = talk[session]
        if not isinstance(turns, list):
            raise ImportFileError(source, None, f"{where}: found {type(turns).__name__}; expected a list of {_TURN}")
        if not turns:
            continue
        began = _date(talk.get(f"{session}_date_time"), source, f"{where}_date_time")
        for place, value in enumerate(turns):
            turn = parse(_Turn, value, source=source, line=None, where=f"{where}, turn {place + 1}", expected=_TURN)
            if turn.speaker not in (speakers.speaker_a, speakers.speaker_b):
                known = f"{speakers.speaker_a!r} or {speakers.speaker_b!r}"
                problem = f"{where}, turn {place + 1}: the speaker is {turn.speaker!r}; expected {known}"
                raise ImportFileError(source, None, problem)
            image = f" [shares an image: {turn.blip_caption}]" if captions and turn.blip_caption else ""
            told = ImportedMessage(
                user_id=name,
                thread_id=f"{name}/{session}",
                message_id=turn.dia_id,
                role="user" if turn.speaker == speakers.speaker_a else "other",
                speaker=turn.speaker,
                text=turn.text + image,
                at=began + place * BETWEEN_TURNS,
            )
            yield storable(told, source=source, line=None, where=where)


def _date(value: Any, source: str, where: str) -> datetime:
    """A session's beginning from "1:56 pm on 8 May, 2023", taken to be UTC; month names do not depend on the locale."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        if found is None:
            raise ValueError
        hour, minute, half, day, month, year = found.groups()
        if not 1 <= int(hour) <= 12 or int(year) > LAST_YEAR:
            raise ValueError
        hours = int(hour) % 12 + (12 if half == "pm" else 0)
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), hours, int(minute), tzinfo=UTC)
    except ValueError as error:
        problem = f"{where}: {value!r} is no date; expected one like '1:56 pm on 8 May, 2023'"
        raise ImportFileError(source, None, problem) from error
