"""Every error of the server in one shape, OpenAI's, so that its clients show what is meant."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from persona_memory import InvalidInput, LedgerError, NotFound, PersonaMemoryError

INVALID, MISSING, SERVER = "invalid_request_error", "not_found_error", "server_error"


class ErrorBody(BaseModel):
    """What went wrong, and what to do."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Error(BaseModel):
    """An error."""

    error: ErrorBody


class Refused(Exception):
    """A request that is answered with an error.

    Args:
        message: what is wrong and what to do, for whoever wrote the client.
    """

    def __init__(
        self, status: int, message: str, *, type: str, code: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.headers = status, headers
        self.body = ErrorBody(message=message, type=type, code=code)
        super().__init__(code)


def told(status: int, body: ErrorBody, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The error as a response."""
    return JSONResponse(Error(error=body).model_dump(), status, None if headers is None else dict(headers))


def add_handlers(app: FastAPI) -> None:
    """Bring everything that a route may raise into the one shape."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return told(error.status, error.body, error.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        kind = MISSING if error.status_code == 404 else INVALID
        return told(error.status_code, ErrorBody(message=str(error.detail), type=kind), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"])
        return told(400, ErrorBody(message=f"{place}: {first['msg']}", type=INVALID, param=place, code="invalid_value"))

    @app.exception_handler(PersonaMemoryError)
    async def ours(request: Request, error: PersonaMemoryError) -> JSONResponse:
        if isinstance(error, InvalidInput):
            return told(400, ErrorBody(message=str(error), type=INVALID, code="invalid_value"))
        if isinstance(error, NotFound):
            return told(404, ErrorBody(message=str(error), type=MISSING, code="not_found"))
        code = "memory_unavailable" if isinstance(error, LedgerError) else "memory_failed"
        return told(503, ErrorBody(message=str(error), type=SERVER, code=code))
