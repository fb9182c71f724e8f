"""The few pages of the sign-in itself: something failed, or goes round in circles. No script, one way on.

A program that asks for these routes gets the JSON envelope instead.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from html import escape
from typing import Final

from quart import Response, request

from visiona.domain.errors import NotAllowed, TooMany, VisionaError
from visiona.stores.errors import StoreUnavailable
from visiona.web.bff.errors import GoesInCircles
from visiona.web.bff.place import Place
from visiona.web.bff.requests import redirect
from visiona.web.errors import ProviderDown, error_response
from visiona.web.site import current_request_id

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34em;padding:0 1em}"
    "h1{font-size:1.4em}small{opacity:.7}"
)

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1><p>{message}</p><p><a href="{href}">{link}</a></p>
<p><small>request {request_id}</small></p></main></body></html>
"""

POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but the style above; not even a script that got in would run."""

_ONWARD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={href}">
<title>Signed in</title><style>{style}</style></head>
<body><main><p><a href="{href}">Signed in</a></p></main></body></html>
"""

_FOR_DEVICES: Final = re.compile(r"(?:api|ws)(?:[/?#]|$)")

Handler = Callable[[], Awaitable[Response]]


def onward(path: str, place: Place) -> Response:
    """Sends a person who has just signed in to a local path.

    What a redirect leads to counts as asked for by the identity provider's site (Fetch, `Sec-Fetch-Site`), and a
    device's pages may not be asked for by another site's. So to those it is a page of ours that leads on.
    """
    if not is_for_device(path, place):
        return redirect(path)
    body = _ONWARD.format(href=escape(path), style=_STYLE)
    response = Response(body, status=200, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


def is_for_device(path: str, place: Place) -> bool:
    """Whether a local path can lead to a device (web/targets.py)."""
    return _FOR_DEVICES.match(path.removeprefix(place.home)) is not None


def shown_to_people(place: Place) -> Callable[[Handler], Handler]:
    """Makes a route answer what it refuses as a page, where a person opened it."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer() -> Response:
            try:
                return await handler()
            except (VisionaError, StoreUnavailable) as error:
                if not _is_person():
                    raise
                return _page(error, place)

        return answer

    return decorate


def _is_person() -> bool:
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in request.headers.get("Accept", "")


def _page(error: VisionaError | StoreUnavailable, place: Place) -> Response:
    request_id = current_request_id()
    envelope = error_response(error, request_id)
    title, link, href = _words(error, place)
    message = (
        error.message if isinstance(error, VisionaError) else "the server cannot read its store just now"
    )
    body = _PAGE.format(
        title=escape(title),
        style=_STYLE,
        message=escape(message[:1].upper() + message[1:]) + ".",
        href=escape(href),
        link=escape(link),
        request_id=escape(request_id),
    )
    response = Response(body, status=envelope.status, content_type="text/html; charset=utf-8")
    for name, value in envelope.headers:
        if name.lower() == b"retry-after":
            response.headers["Retry-After"] = value.decode()
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _words(error: VisionaError | StoreUnavailable, place: Place) -> tuple[str, str, str]:
    """The title, what the link says, and where it goes."""
    match error:
        case GoesInCircles():
            return "Signing in goes round in circles", "Try once more", place.login_path + "?again=1"
        case NotAllowed():
            return "You cannot sign in here", "Back to the start", place.home
        case TooMany() | ProviderDown() | StoreUnavailable():
            return "Signing in is not possible just now", "Try again", place.login_path
        case _:
            return "That sign-in did not work", "Sign in again", place.login_path
