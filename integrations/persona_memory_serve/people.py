"""The REST API: what is known of a person, and what can be done about it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials as Credentials
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool

from persona_memory import ErasureReceipt, Hit, Knowledge, Memory, Observed, Profile, Route
from persona_memory_serve.access import MAX_USER_ID, USER_ID, Whose, bearer
from persona_memory_serve.errors import MISSING, Error, Refused
from persona_memory_serve.keys import hash_of
from persona_memory_serve.sessions import LINK_SECONDS, Sessions
from persona_memory_serve.tenants import Tenant

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Something that was sent cannot be used.", "model": Error},
    401: {"description": "The key is missing or unknown.", "model": Error},
    404: {"description": "Nothing is known of this person, or there is no such memory.", "model": Error},
    "default": {"description": "Asked too often, too large, or the memory is out of reach.", "model": Error},
}

router = APIRouter(prefix="/v1/users/{user_id}", tags=["People"], responses=_ERRORS)

UserId = Annotated[
    str, Path(max_length=MAX_USER_ID, pattern=USER_ID, description="The person, as your application names them.")
]
ThreadId = Annotated[str | None, Field(min_length=1, max_length=512)]


def known(user_id: UserId, tenant: Whose) -> Tenant:
    """The tenant, if they know the person; somebody of another tenant is nobody here.

    Raises:
        Refused: they do not (404).
    """
    if not tenant.memory.knows(user_id=user_id):
        raise Refused(404, f"nothing is known of user {user_id!r}", type=MISSING, code="user_not_found")
    return tenant


Knowing = Annotated[Tenant, Depends(known)]


def _written(value: object) -> object:
    """A time as text: a number could be seconds or milliseconds."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d[T ]", value):
        raise ValueError("write it as 2026-05-01T09:00:00Z")
    if not isinstance(value, str | datetime):
        raise ValueError("write it as text, such as 2026-05-01T09:00:00Z")
    return value


def _possible(moment: datetime) -> datetime:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is before the year 1, or after 9999") from None
    return moment


Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_possible)]


class Message(BaseModel):
    """One message, as OpenAI has it."""

    role: Literal["user", "assistant", "system", "developer", "tool", "other"]
    content: str | list[dict[str, Any]] | None
    id: str | None = None
    name: str | None = None
    created_at: Moment | None = None


class Said(BaseModel):
    """Messages to make durable."""

    messages: list[Message]
    thread_id: ThreadId = None
    speaker: str | None = Field(None, description="The person's name, where several humans share the thread.")
    resent: StrictBool | None = Field(
        None, description="False: messages without ids are new, even if they repeat the last ones."
    )


def _whole(value: Any) -> Any:
    """3.0 is an integer to JSON Schema, and to whoever reads our document."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Asked(BaseModel):
    """A message that is about to be answered."""

    query: str
    thread_id: ThreadId = None
    max_tokens: Annotated[int, Field(ge=0, le=1_000_000, strict=True), BeforeValidator(_whole)] = 800


class Recalled(BaseModel):
    """What is remembered for a message: what, why, at which cost."""

    text: str = Field(description="For a prompt with one place for it: profile and memories together.")
    profile_text: str
    memory_text: str
    tokens: int
    hits: tuple[Hit, ...]
    left_out: tuple[Hit, ...]
    route: Route
    degraded: str | None


class Memories(BaseModel):
    """A list of memories, in the order in which they were learnt."""

    object: Literal["list"] = "list"
    data: list[Memory]
    pending: int = Field(description="Turns that were not learnt yet when it was asked; 0: these are all memories.")
    parked: int = Field(description="Turns that could not be learnt again and again; `persona-memory jobs` says why.")


@router.get("/profile")
def profile(user_id: UserId, tenant: Knowing, as_of: Moment | None = None) -> Profile:
    """The profile with its evidence, now or as of a past moment."""
    return tenant.memory.profile(user_id=user_id, as_of=as_of)


@router.get("/knowledge")
def knowledge(user_id: UserId, tenant: Knowing) -> Knowledge:
    """What the person knows of each topic, and what is still unknown about them."""
    return tenant.memory.knowledge(user_id=user_id)


@router.get("/memories")
def memories(
    user_id: UserId,
    tenant: Knowing,
    superseded: Annotated[bool, Query(description="Also what is no longer true.")] = False,
) -> Memories:
    """The person's memories, and how much is still to be learnt."""
    turns = tenant.memory.progress(user_id=user_id)  # before: what is learnt by then is in the list
    found = tenant.memory.memories(user_id=user_id, superseded=superseded)
    return Memories(data=found, pending=turns.get("pending", 0), parked=turns.get("parked", 0))


@router.post("/recall")
async def recall(user_id: UserId, tenant: Knowing, asked: Asked) -> Recalled:
    """What is remembered for a message, as guarded text within a budget, with the reasons."""
    found = await tenant.memory.arecall(
        asked.query, user_id=user_id, thread_id=asked.thread_id, max_tokens=asked.max_tokens
    )
    return Recalled.model_validate(found, from_attributes=True)


@router.post("/observe")
async def observe(user_id: UserId, tenant: Whose, said: Said) -> Observed:
    """Make messages durable: when this is answered, nothing loses them. A resent message is stored once."""
    messages = [one.model_dump(exclude_none=True) | {"content": one.content} for one in said.messages]
    return await tenant.memory.aobserve(
        messages, user_id=user_id, thread_id=said.thread_id or "default", speaker=said.speaker, resent=said.resent
    )


@router.get("/export")
def export(user_id: UserId, tenant: Knowing) -> dict[str, Any]:
    """Everything that is stored of the person; `persona-memory import openai` reads its messages back."""
    return tenant.memory.export(user_id=user_id)


class Link(BaseModel):
    """Where a person sees their own memory, and nobody else's."""

    path: str = Field(description="Of this server; put its public address before it, and send the person there.")
    seconds: int = Field(description="How long it can be followed.")


@router.post("/link")
def link(
    request: Request, user_id: UserId, tenant: Whose, credentials: Annotated[Credentials | None, Depends(bearer)]
) -> Link:
    """A link for the person who is logged in to your application: it shows them their memory."""
    signing: Sessions = request.app.state.sessions
    token = signing.token(user_id, hash_of("" if credentials is None else credentials.credentials))
    return Link(path=f"/ui/enter?{urlencode({'token': token})}", seconds=LINK_SECONDS)


@router.delete("")
async def delete(user_id: UserId, tenant: Knowing) -> ErasureReceipt:
    """Erase everything of the person; the receipt says what went."""
    return await tenant.memory.adelete_user(user_id=user_id)


@router.delete("/memories/{memory_id}")
async def forget(user_id: UserId, memory_id: str, tenant: Knowing) -> ErasureReceipt:
    """Erase a memory and the words it came from; a turn ("t12") or a profile field, too."""
    return await tenant.memory.aforget([memory_id], user_id=user_id)
