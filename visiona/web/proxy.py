"""The device routes as raw ASGI, in front of the Quart app: for HTTP/2, and for connections that Hypercorn serves.

The same exchange core as the door, the same rules, one layer slower. Quart would buffer uploads, cut long answers
and cost a quarter of a millisecond; so device requests never reach it, and everything else passes to it untouched.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from visiona.domain.errors import VisionaError
from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Limits, Sweeper
from visiona.stores.errors import StoreUnavailable
from visiona.web.access_log import log_access
from visiona.web.hosts import check_host
from visiona.web.pages import answer_to
from visiona.web.proxy_access import Access
from visiona.web.proxy_answer import Message, Receive, Send
from visiona.web.proxy_crossing import Outside
from visiona.web.proxy_http import HttpExchange
from visiona.web.proxy_request import ProxyParts, header_getter, local_address_of, peer_of, raw_target
from visiona.web.proxy_websocket import WebSocketBridge
from visiona.web.request_ids import request_id_from
from visiona.web.targets import Target, check_form, device_target
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.addresses import client_address

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


class Proxy:
    """An ASGI app around another one, which takes the device routes out."""

    def __init__(
        self,
        site: ASGIApp,
        access: Access,
        sweeper: Sweeper,
        *,
        outside: Outside | None = None,
        limits: Limits | None = None,
        cameras: Cameras | None = None,
    ) -> None:
        self._site = site
        self._parts = ProxyParts(access, sweeper, limits or Limits(), outside or Outside(), cameras)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] not in {"http", "websocket"}:
            await self._site(scope, receive, send)
            return
        arrived_at, target = trio.current_time(), None
        try:
            host = header_getter(scope)(b"host")
            check_host(host, self._parts.outside.host, lambda: local_address_of(scope))
            target = _target(scope)
            if target is None:
                await self._site(scope, receive, send)
                return
            await self._to_device(scope, receive, send, target)
        except (VisionaError, RemoteProtocolError, StoreUnavailable) as error:
            request_id = request_id_from(_text(header_getter(scope)(b"x-request-id")))
            status = await refuse(error, scope, send, request_id)
            self._log_refusal(scope, status, request_id, trio.current_time() - arrived_at, target)

    def drain(self, error: VisionaError) -> None:
        """What has no end is cut, for the server stops."""
        for exchange in list(self._parts.endless):
            exchange.give_up(error)

    def _log_refusal(
        self, scope: Message, status: int, request_id: str, seconds: float, target: Target | None
    ) -> None:
        log_access(
            method=scope.get("method", "GET"),
            path=raw_target(scope).decode("ascii", "replace"),
            status=status,
            seconds=seconds,
            request_id=request_id,
            address=client_address(peer_of(scope), scope["headers"], self._parts.outside.trusted_proxies),
            device_id=target.device_id if target is not None else None,
        )

    async def _to_device(self, scope: Message, receive: Receive, send: Send, target: Target) -> None:
        if scope["type"] == "http":
            await HttpExchange(self._parts, scope, receive, send).run(target)
        else:
            await WebSocketBridge(self._parts, scope, receive, send).run(target)


def _target(scope: Message) -> Target | None:
    method = scope.get("method", "GET").encode("latin-1")
    raw = raw_target(scope)
    check_form(method, raw)
    return device_target(method, raw, header_getter(scope))


async def refuse(error: Exception, scope: Message, send: Send, request_id: str) -> int:
    """Answers a request that did not come to an exchange, or to whose exchange nothing was answered; its status."""
    status, headers, body = answer_to(error, request_id, header_getter(scope))
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    lowered = [(name.lower(), value) for name, value in headers]
    await send({"type": f"{kind}.start", "status": status, "headers": lowered})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})
    await trio.lowlevel.checkpoint()
    return status


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value is not None else None
