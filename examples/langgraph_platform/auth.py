"""Who is talking: put the check of your own login here. What it returns as identity is whose memory a run reaches."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()

TOKENS = {"token-of-ana": "ana", "token-of-ben": "ben"}


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """The user of a token; nobody else comes in."""
    user = TOKENS.get((authorization or "").removeprefix("Bearer "))
    if user is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail="unknown token")
    return {"identity": user}


@auth.on
async def own(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Auth.types.FilterType:
    """Threads and runs belong to who began them."""
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}
