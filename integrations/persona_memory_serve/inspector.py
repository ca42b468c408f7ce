"""The inspector under /ui: what is known of a person, where it comes from, and what would be recalled."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from persona_memory import InvalidInput, Memory, NotFound, PersonaMemoryError
from persona_memory_serve import correcting, sessions
from persona_memory_serve.access import MAX_USER_ID, Access
from persona_memory_serve.charting import WIDTH, chart
from persona_memory_serve.errors import Refused
from persona_memory_serve.sessions import COOKIE, HOURS, Ours, Seeing, Sessions, SignIn, Visiting
from persona_memory_serve.showing import Guarded, back, page

ROWS = 100
"""Rows of a long list that are shown at once."""

router = APIRouter()


def inspector(access: Access, signing: Sessions) -> FastAPI:
    """The application, to be mounted at /ui."""
    app = FastAPI(openapi_url=None)
    app.state.access, app.state.sessions = access, signing
    for rooms in (sessions.router, correcting.router, router):
        app.include_router(rooms)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")))
    app.add_middleware(
        SessionMiddleware, secret_key=signing.secret, session_cookie=COOKIE, max_age=HOURS * 3600, path="/ui",
        same_site="strict", https_only=signing.https,
    )  # fmt: skip
    app.add_middleware(Guarded)
    _add_handlers(app)
    return app


@router.get("/sign-in")
def sign_in(request: Request) -> Response:
    """Where an operator names a key."""
    return page(request, "sign-in.html")


@router.get("/enter")
def enter(request: Request, token: str = "") -> Response:  # nosec B107 # no token: refused
    """Where a person's link leads. A button follows: what fetches links ahead of people signs nobody in."""
    request.app.state.sessions.read(token)
    return page(request, "enter.html", token=token)


@router.get("/")
def people(
    request: Request,
    visiting: Visiting,
    find: Annotated[str, Query(max_length=MAX_USER_ID)] = "",
    after: Annotated[str, Query(max_length=MAX_USER_ID)] = "",
) -> Response:
    """The tenant's people, some at a time: there may be millions. A person is led to their own page."""
    if visiting.user_id is not None:
        if visiting.tenant.memory.knows(user_id=visiting.user_id):
            return back(request, "profile", user=visiting.user_id)
        return page(request, "nothing.html", visiting=visiting)
    found = visiting.tenant.memory.users(holding=find, after=after, limit=ROWS + 1)
    shown, more = found[:ROWS], len(found) > ROWS
    return page(request, "people.html", visiting=visiting, find=find, after=after, rows=shown, more=more)


@router.get("/profile")
def profile(
    request: Request,
    seeing: Seeing,
    step: Annotated[int | None, Query(ge=1)] = None,
    day: Annotated[date | None, Query(alias="as_of")] = None,
    corrected: str = "",
) -> Response:
    """The profile with evidence and history: now, after one of its changes, or at the end of a day (UTC)."""
    memory, user_id = seeing.memory, seeing.user_id
    history = memory.history(user_id=user_id)
    moments = sorted({edit.at for edit in history})
    as_of = None
    if day is not None:
        as_of = datetime.combine(day, time.max, UTC)
    elif step is not None and step < len(moments):
        as_of = moments[step - 1]
    shown = memory.profile(user_id=user_id, as_of=as_of)
    said: defaultdict[int, list[Memory]] = defaultdict(list)
    for one in memory.memories(user_id=user_id, superseded=True):
        for seq in one.sources:
            said[seq].append(one)
    edits = defaultdict(list)
    for edit in history:
        if as_of is None or edit.at <= as_of:
            edits[edit.field].append(edit)
    sections: defaultdict[str, list[Any]] = defaultdict(list)
    for entry in shown.entries.values():
        sections[entry.field.partition(".")[0]].append(entry)
    until = len(moments) if as_of is None else sum(moment <= as_of for moment in moments)
    return page(
        request, "profile.html", seeing=seeing, sections=sections, edits=edits, said=said, moments=moments,
        step=until, as_of=as_of, day=day, corrected=corrected if corrected in shown.entries else None,
    )  # fmt: skip


@router.get("/knowledge")
def knowledge(request: Request, seeing: Seeing) -> Response:
    """What the person knows of each topic, and what is still unknown about the person."""
    return page(request, "knowledge.html", seeing=seeing, known=seeing.memory.knowledge(user_id=seeing.user_id))


@router.get("/memories")
def memories(request: Request, seeing: Seeing, part: Annotated[int, Query(ge=1)] = 1) -> Response:
    """Memories by the time they hold for, newest first, with what is no longer true."""
    found = seeing.memory.memories(user_id=seeing.user_id, superseded=True)
    texts = {one.id: one.text for one in found}
    found.sort(key=lambda one: one.valid_from, reverse=True)
    return page(request, "memories.html", seeing=seeing, texts=texts, **_part(found, part))


@router.get("/recall")
def ask(request: Request, seeing: Seeing) -> Response:
    """Where a message can be tried."""
    return page(request, "recall.html", seeing=seeing, message="", max_tokens=800, found=None)


@router.post("/recall", dependencies=[Ours])
async def recall(
    request: Request,
    seeing: Seeing,
    message: Annotated[str, Form(max_length=20_000)] = "",
    max_tokens: Annotated[int, Form(ge=0, le=1_000_000)] = 800,
) -> Response:
    """What would be recalled for a message, and why. Posted: an address ends up in logs."""
    found = await seeing.memory.arecall(message, user_id=seeing.user_id, max_tokens=max_tokens)
    return page(request, "recall.html", seeing=seeing, message=message, max_tokens=max_tokens, found=found)


@router.get("/routes")
def routes(request: Request, seeing: Seeing, part: Annotated[int, Query(ge=1)] = 1) -> Response:
    """How the last turns reached the model, as a chart and a table."""
    found = seeing.memory.routes(user_id=seeing.user_id)
    drawn = chart(found) if found else None
    return page(
        request, "routes.html", seeing=seeing, chart=drawn, width=WIDTH, names=Counter(one.name for one in found),
        mean=round(sum(one.tokens for one in found) / max(1, len(found))),
        over=sum(bar.turn.needed > bar.turn.budget for bar in drawn.bars) if drawn else 0, **_part(found[::-1], part),
    )  # fmt: skip


@router.get("/work")
def work(request: Request, seeing: Seeing, done: Literal["retry", "discard"] | None = None) -> Response:
    """What is learnt, parked and trained, and what it costs."""
    memory, whose = seeing.memory, {"user_id": seeing.user_id}
    return page(
        request, "work.html", seeing=seeing, jobs=memory.jobs(**whose), adapters=memory.adapters(**whose)[::-1],
        progress=memory.progress(**whose), spent=memory.spent(**whose), outages=memory.outages(), done=done,
    )  # fmt: skip


@router.get("/data")
def data(request: Request, seeing: Seeing) -> Response:
    """Export, erasure and the receipts of what was erased."""
    return page(request, "data.html", seeing=seeing, receipts=seeing.memory.receipts(user_id=seeing.user_id)[::-1])


@router.get("/export")
def export(seeing: Seeing) -> Response:
    """Everything that is stored of the person, as a file."""
    return JSONResponse(
        seeing.memory.export(user_id=seeing.user_id),
        headers={"content-disposition": 'attachment; filename="memory.json"'},
    )


def _part(found: Sequence[Any], part: int) -> dict[str, Any]:
    """The rows of one part of a list, and which parts there are."""
    parts = max(1, math.ceil(len(found) / ROWS))
    part = min(part, parts)
    return {"rows": found[(part - 1) * ROWS : part * ROWS], "count": len(found), "part": part, "parts_count": parts}


def _add_handlers(app: FastAPI) -> None:
    """Every error as a page."""

    def told(request: Request, status: int, said: str) -> Response:
        return page(request, "error.html", status=status, code=status, said=said)

    @app.exception_handler(SignIn)
    async def nobody(request: Request, error: SignIn) -> Response:
        return back(request, "sign-in")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return told(request, error.status_code, str(error.detail))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return told(request, error.status, error.body.message)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return told(request, 400, f"{first['loc'][-1]}: {first['msg']}")

    @app.exception_handler(PersonaMemoryError)
    async def ours(request: Request, error: PersonaMemoryError) -> Response:
        status = 400 if isinstance(error, InvalidInput) else 404 if isinstance(error, NotFound) else 503
        return told(request, status, str(error))
