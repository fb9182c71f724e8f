"""The Quart app: API blueprints behind one guard, one error table, one access line a request.

Requests to devices do not come here; they are taken before Quart (door.py, proxy.py).
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from quart import Blueprint, Response, g, has_request_context, request, websocket
from quart_trio import QuartTrio

from visiona.domain.errors import NotFound
from visiona.services.audit import Origin, RefusalNotes, set_origin
from visiona.stores.errors import StoreUnavailable
from visiona.web.access_log import log_access
from visiona.web.callers import Callers
from visiona.web.credentials import CredentialReader
from visiona.web.dates import date_text
from visiona.web.door_handover import BREAK_STREAM
from visiona.web.errors import SECURITY_HEADERS, error_response, one_error
from visiona.web.guards import guard
from visiona.web.refused import note_refusal
from visiona.web.request_ids import request_id_from
from visiona.web.settings import WebSettings
from visiona.wire.http1.addresses import client_address

log = logging.getLogger(__name__)

BODY_SECONDS = 20
"""For a client to send a JSON body of at most a mebibyte; slower than a modem is an attack (H-11)."""


SEND_SECONDS = 75.0
"""For a client to make room for one piece of an answer; more than the connection gives it to take one off the wire
(door_handover.py), for HTTP/2 has windows of its own that a client may never open."""


class Site(QuartTrio):
    """Quart, with every error answered from the one table.

    The framework would show a handler the first exception of a group that it knows, and so lose a bug beside an
    ordinary refusal; and it would answer a bug in HTML.
    """

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """See the ASGI specification; whatever was begun to be sent is sent.

        The server says "disconnected" while it finishes the last piece of an answer, quart-trio cancels the request
        at that word, and the server would be stopped within: the connection stayed open after `Connection: close`,
        and a kept one lost its idle timer (Hypercorn 0.18, quart-trio 0.12).
        """
        with trio.CancelScope() as answering:

            async def send_whole(message: ASGISendEvent) -> None:
                with trio.move_on_after(SEND_SECONDS, shield=True) as sending:
                    await send(message)
                if sending.cancelled_caught:
                    answering.cancel()
                    await trio.lowlevel.checkpoint()

            try:
                await super().__call__(scope, receive, send_whole)
            except* StoreUnavailable as group:
                # The head is out, so it can be answered no more: half an answer must not pass for the whole.
                log.warning("an answer broke off: %s", one_error(group))
                if (breaker := scope.get("state", {}).get(BREAK_STREAM)) is not None:
                    await breaker(send)

    async def handle_user_exception(self, error: BaseException) -> Response:
        """Answers what a route, a guard or the routing raised; cancellations go on."""
        error = one_error(error)
        if not isinstance(error, Exception):
            raise error
        note_refusal(error)
        return _error_answer(error)

    async def handle_exception(self, error: BaseException) -> Response:
        """Answers what failed after the route: a bug in finishing an answer."""
        return _error_answer(one_error(error))


def build_site(
    settings: WebSettings,
    callers: Callers,
    blueprints: Iterable[Blueprint],
    refusals: RefusalNotes | None = None,
) -> Site:
    """Assembles the app from the blueprints of web/api.

    Args:
        refusals: told of what is refused, for the audit log.
    """
    # No static folder and no templates: what people see comes with the console.
    site = Site("visiona.web", static_folder=None, template_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = settings.body_limit_bytes
    site.config["BODY_TIMEOUT"] = BODY_SECONDS
    site.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # `//api` and `/api/devices/` are other paths, not other spellings to be redirected.
    site.url_map.merge_slashes = False
    site.url_map.strict_slashes = True
    site.before_request(_note_arrival(settings.trusted_proxies, refusals))
    site.before_request(_need_one_slash)
    site.before_request(guard(callers, CredentialReader.from_web(settings)))
    site.after_request(_finish)
    for blueprint in blueprints:
        site.register_blueprint(blueprint)
    return site


def current_request_id() -> str:
    """The id of the current request; the same all the way through."""
    if "request_id" not in g:
        headers = request.headers if has_request_context() else websocket.headers
        g.request_id = request_id_from(headers.get("X-Request-Id"))
    request_id: str = g.request_id
    return request_id


def _note_arrival(
    trusted_proxies: Sequence[IPv4Network | IPv6Network], refusals: RefusalNotes | None
) -> Callable[[], Awaitable[None]]:
    async def note() -> None:
        g.arrived = trio.current_time()
        g.address = _address(trusted_proxies)
        # For this request alone: each is a task of its own.
        set_origin(Origin(address=g.address, request_id=current_request_id(), refusals=refusals))

    return note


async def _need_one_slash() -> None:
    # Werkzeug takes `//api` and `/%2Fapi` for `/api`, whatever `merge_slashes` says; who stands in front of us may not (H-07).
    if request.scope["path"].startswith("//"):
        request.url_rule = None
        raise NotFound("there is nothing at this path")


def _address(trusted_proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    client = request.scope.get("client")  # absent where there is no socket
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    return client_address(client[0] if client else "", headers, trusted_proxies)


async def _finish(response: Response) -> Response:
    for name, value in SECURITY_HEADERS:
        response.headers.setdefault(name.decode(), value.decode())
    response.headers.setdefault("Date", date_text())
    response.headers["X-Request-Id"] = current_request_id()
    actor = g.get("actor")
    log_access(
        method=request.method,
        path=request.path,
        status=response.status_code,
        seconds=trio.current_time() - g.get("arrived", trio.current_time()),
        request_id=current_request_id(),
        address=g.get("address", ""),
        user_id=actor.user_id if actor is not None else None,
    )
    return response


def _error_answer(error: BaseException) -> Response:
    status, headers, body = error_response(error, current_request_id())
    response = Response(body, status=status)
    for name, value in headers:
        response.headers[name.decode()] = value.decode()
    return response
