"""Who may come in: the tenant behind a request's key, and how often."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.concurrency import run_in_threadpool

from persona_memory import InvalidInput
from persona_memory_serve.errors import INVALID, Refused
from persona_memory_serve.keys import ApiKeys, hash_of
from persona_memory_serve.tenants import Tenant, Tenants

bearer = HTTPBearer(auto_error=False, description="A key that `persona-memory api-key` has made, where keys are used.")

USER_ID = r"^[^\x00-\x1f\x7f\ufffd]*[^\s\x00-\x1f\x7f\ufffd][^\x00-\x1f\x7f\ufffd]*$"
"""What can be a user's id: no control characters, more than white space.

U+FFFD is what a server makes of bytes that are no UTF-8: ids that differ must not become one.
"""

MAX_USER_ID = 512


class Access:
    """Decides for each request whose it is, and whether it may be served now.

    Args:
        keys: None where everybody who reaches the server is the same tenant, `namespace`.
        rate: as for `Settings`.

    Raises:
        InvalidInput: the rate cannot be read.
    """

    def __init__(self, tenants: Tenants, *, keys: ApiKeys | None, namespace: str, rate: str | None) -> None:
        self.tenants, self.keys, self.namespace = tenants, keys, namespace
        self._rate = _rate(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def tenant(self, key: str | None) -> Tenant:
        """The tenant.

        Raises:
            Refused: the key is missing or unknown (401), or has asked too often (429).
        """
        return await self.tenant_of(hash_of(key or ""))

    async def tenant_of(self, hashed: str) -> Tenant:
        """The same by `hash_of` the key, which is what a session keeps of it.

        Raises:
            Refused: as `tenant`.
        """
        namespace, counted = self.namespace, ""
        if self.keys is not None:
            namespace, counted = self.keys.namespace_of_hash(hashed) or "", hashed
            if not namespace:
                raise Refused(
                    401,
                    "send a key of this server as `Authorization: Bearer pm-…`; `persona-memory api-key` makes one",
                    type=INVALID,
                    code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        self._count(counted)
        known = next((one for one in self.tenants.known() if one.namespace == namespace), None)
        return await run_in_threadpool(self.tenants.of, namespace) if known is None else known

    def _count(self, counted: str) -> None:
        if self._rate is None or self._limiter.hit(self._rate, counted):
            return
        free = self._limiter.get_window_stats(self._rate, counted).reset_time
        raise Refused(
            429,
            f"more than {self._rate}; try again in a moment",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            headers={"Retry-After": str(max(1, round(free - time.time())))},
        )


def _rate(rate: str | None) -> RateLimitItem | None:
    try:
        return None if rate is None else parse(rate)
    except ValueError as error:
        raise InvalidInput(f"the rate is {rate!r}; pass one such as 600/minute or 10/second") from error


async def whose(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Tenant:
    """The tenant whose request it is."""
    access: Access = request.app.state.access
    return await access.tenant(None if credentials is None else credentials.credentials)


Whose = Annotated[Tenant, Depends(whose)]
