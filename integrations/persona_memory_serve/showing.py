"""How the inspector's pages are written: everything that was stored is text, whatever it says."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" browsers hide a form's origin, too
    "cache-control": "no-store",
}

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _visible(value: Any) -> Any:
    """The value without characters that act on what shows them."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else _CONTROL.sub("\ufffd", value)


def _when(moment: datetime) -> Markup:
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M}</time>').format(moment.isoformat(), moment)


def _words(name: str) -> str:
    """An identifier as people read it."""
    return name.rpartition(".")[2].replace("_", " ").capitalize()


def _value(value: Any) -> str:
    """A profile value as a line of text; a list as its items, a line each."""
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _figure(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


_environment = Environment(
    loader=PackageLoader("persona_memory_serve"),
    autoescape=True,
    finalize=_visible,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(when=_when, words=_words, as_text=_value, figure=_figure)
_templates = Jinja2Templates(env=_environment)


def form_token(request: Request) -> str:
    """What each form of this session carries, and no other site can know."""
    if "form" not in request.session:
        request.session["form"] = secrets.token_urlsafe(32)
    return str(request.session["form"])


def page(request: Request, template: str, *, status: int = 200, **shown: Any) -> Response:
    """A page. `base` is where the inspector is mounted, `form` what its forms carry."""
    here = {
        "base": request.scope["root_path"],
        "form": form_token(request),
        "here": template.removesuffix(".html"),
        "keys": request.app.state.access.keys is not None,
        "seeing": None,
        "visiting": None,
    }
    return _templates.TemplateResponse(request, template, {**here, **shown}, status_code=status)


def back(request: Request, to: str, **query: str) -> Response:
    """To a page of the inspector, which is then asked for by GET."""
    asked = f"?{urlencode(query)}" if query else ""
    return RedirectResponse(f"{request.scope['root_path']}/{to}{asked}", 303)


class Guarded:
    """Puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers: Iterable[tuple[bytes, bytes]] = [(n.encode(), v.encode()) for n, v in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self.headers]
            await send(message)

        await self.app(scope, receive, guarded)
