"""Who sits in front of the inspector: a signed cookie, links for people, and proof that a form was ours."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import Response

from persona_memory import InvalidInput, PersonaMemory
from persona_memory_serve.access import MAX_USER_ID, USER_ID, Access
from persona_memory_serve.errors import Refused
from persona_memory_serve.keys import hash_of
from persona_memory_serve.settings import Settings
from persona_memory_serve.showing import back
from persona_memory_serve.tenants import Tenant

COOKIE = "persona_memory_ui"
HOURS = 8
"""How long somebody stays signed in."""
LINK_SECONDS = 300
"""How long a person's link can be followed."""


class Sessions:
    """Signs sessions, and links that let one person see their own memory.

    A session holds the hash of a key, never a key: taking the key back ends it.

    Raises:
        InvalidInput: the secret is too short to keep anybody out.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.session_secret is not None and len(settings.session_secret) < 32:
            raise InvalidInput(
                "session_secret has fewer than 32 characters; make one with `openssl rand -base64 32`, or leave it out"
            )
        self.secret = settings.session_secret or secrets.token_urlsafe(32)
        self.https = settings.https
        self._links = URLSafeTimedSerializer(self.secret, salt="persona-memory-link")

    def token(self, user_id: str, hashed: str) -> str:
        """What a link needs to let this person in, for `LINK_SECONDS`; `hashed` is of the key that asked for it."""
        return self._links.dumps([hashed, user_id])

    def read(self, token: str) -> tuple[str, str]:
        """The hash and the person of a link.

        Raises:
            HTTPException: it is too old, or not ours (403).
        """
        try:
            hashed, user_id = self._links.loads(token, max_age=LINK_SECONDS)
        except BadData as error:
            raise HTTPException(
                403, "This link is no longer valid. Go back to where you found it and follow it again."
            ) from error
        return str(hashed), str(user_id)


class SignIn(Exception):
    """Nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks.

    Attributes:
        user_id: the one person that they may see; None for an operator, who sees everybody of the tenant.
    """

    tenant: Tenant
    user_id: str | None


async def visitor(request: Request) -> Visitor:
    """Who is signed in.

    Raises:
        SignIn: nobody is, or their key was taken back.
        Refused: they have asked too often (429).
    """
    access: Access = request.app.state.access
    hashed = request.session.get("key", "" if access.keys is None else None)
    if hashed is None:
        raise SignIn
    try:
        tenant = await access.tenant_of(hashed)
    except Refused as refused:
        raise SignIn from None if refused.status == 401 else refused
    return Visitor(tenant, request.session.get("user"))


Visiting = Annotated[Visitor, Depends(visitor)]


@dataclass(frozen=True, slots=True)
class Seen:
    """A person, with whoever looks at them."""

    visitor: Visitor
    user_id: str

    @property
    def memory(self) -> PersonaMemory:
        """Their tenant's memory."""
        return self.visitor.tenant.memory


def seen(visiting: Visiting, user: Annotated[str, Query(max_length=MAX_USER_ID, pattern=USER_ID)]) -> Seen:
    """The person that a page is about.

    Raises:
        HTTPException: nothing is known of them, or they are not for this visitor's eyes (404 both).
    """
    if visiting.user_id not in (None, user) or not visiting.tenant.memory.knows(user_id=user):
        raise HTTPException(404, "Nothing is known of this person.")
    return Seen(visiting, user)


Seeing = Annotated[Seen, Depends(seen)]


def ours(request: Request, form: Annotated[str, Form()] = "") -> None:
    """Let only our own forms through: sent by this session's page, from this very site.

    Raises:
        HTTPException: another site, or nobody's form, has sent it (403).
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    same = site == "same-origin" if site else urlsplit(origin).netloc == request.headers.get("host")
    known = str(request.session.get("form", ""))
    if not (same and known and hmac.compare_digest(known.encode(), form.encode())):
        raise HTTPException(
            403, "This form is not from this page, or too old. Nothing was changed; load the page anew."
        )


Ours = Depends(ours)

router = APIRouter()


@router.post("/sign-in", dependencies=[Ours])
async def sign_in(request: Request, key: Annotated[str, Form()] = "") -> Response:
    """Sign an operator in with a key of their tenant."""
    access: Access = request.app.state.access
    try:
        await access.tenant(key.strip())
    except Refused as refused:
        if refused.status != 401:
            raise
        raise HTTPException(401, "This is no key of this server. `persona-memory api-key` makes one.") from None
    return _entered(request, hash_of(key.strip()))


@router.post("/enter", dependencies=[Ours])
def enter(request: Request, token: Annotated[str, Form()] = "") -> Response:  # nosec B107 # no token: refused
    """Let a person in whom their application has sent here."""
    return _entered(request, *request.app.state.sessions.read(token))


@router.post("/sign-out", dependencies=[Ours])
def sign_out(request: Request) -> Response:
    """End the session."""
    request.session.clear()
    return back(request, "sign-in")


def _entered(request: Request, hashed: str, user_id: str | None = None) -> Response:
    request.session.clear()
    request.session.update({"key": hashed, "user": user_id})
    return back(request, "")
