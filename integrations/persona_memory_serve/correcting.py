"""What can be done in the inspector: correct, forget, erase, and see to a parked job. Each by one of our own forms."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import Response

from persona_memory_serve.sessions import Ours, Seeing
from persona_memory_serve.showing import back, page

router = APIRouter(dependencies=[Ours])


@router.post("/correct")
async def correct(
    request: Request,
    seeing: Seeing,
    field: Annotated[str, Form()],
    value: Annotated[str, Form(max_length=10_000)] = "",
    many: Annotated[bool, Form()] = False,
) -> Response:
    """Replace a field's value by what the person says; of a list field, each line is an item."""
    memory, lines = seeing.memory, [line for line in value.splitlines() if line.strip()]
    if not lines:
        raise HTTPException(400, "Write what is right. To have nothing there, choose “Forget”.")
    if many:
        await memory.aset_field(field, lines, user_id=seeing.user_id)
    else:
        await memory.afeedback(value.strip(), field=field, user_id=seeing.user_id)
    return back(request, "profile", user=seeing.user_id, corrected=field)


@router.post("/forget")
async def forget(request: Request, seeing: Seeing, what: Annotated[str, Form()]) -> Response:
    """Erase a memory, a turn ("t12") or a field, with the words it came from; shows the receipt."""
    receipt = await seeing.memory.aforget([what], user_id=seeing.user_id)
    return page(request, "receipt.html", seeing=seeing, receipt=receipt)


@router.post("/erase")
async def erase(request: Request, seeing: Seeing, typed: Annotated[str, Form()] = "") -> Response:
    """Erase everything of the person, whose id was typed; shows the receipt."""
    if typed != seeing.user_id:
        raise HTTPException(400, "What you typed is not the id of this person. Nothing was erased.")
    receipt = await seeing.memory.adelete_user(user_id=seeing.user_id)
    return page(request, "receipt.html", visiting=seeing.visitor, receipt=receipt)


@router.post("/job")
def job(
    request: Request,
    seeing: Seeing,
    number: Annotated[int, Form()],
    what: Annotated[Literal["retry", "discard"], Form()],
) -> Response:
    """Try a parked job again, or drop it."""
    act = seeing.memory.retry_job if what == "retry" else seeing.memory.discard_job
    act(number, user_id=seeing.user_id)
    return back(request, "work", user=seeing.user_id, done=what)
