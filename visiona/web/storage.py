"""`PUT /storage/{key}?…`: the bytes of a model's file, streamed to where files are kept.

In front of Quart, which would gather the body as fast as it comes and ends it at its limit. Here a little is taken
when what came before it is written: a slow disk slows the client down, and a file of any size takes the same memory.

A link is for one file (upload_links.py). The body is the whole file, or with `Content-Range: bytes a-b/size` the part
that comes next; `Content-Range: bytes */size` and no body asks how much is here. What broke off can be continued.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import trio
from werkzeug.exceptions import HTTPException, RequestTimeout

from visiona.domain.errors import Invalid, VisionaError
from visiona.services.model_files import bringing, wanted_file
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.interfaces import FileRef, FileStore, Upload
from visiona.stores.interfaces import Stores
from visiona.web.access_log import CLIENT_LEFT, log_access
from visiona.web.dates import dated
from visiona.web.errors import SECURITY_HEADERS, Header, MethodNotAllowed, error_response
from visiona.web.proxy_answer import Message, Receive, Send
from visiona.web.proxy_request import header_getter, peer_of
from visiona.web.request_ids import request_id_from
from visiona.web.upload_links import STORAGE_PATH, UploadLinks
from visiona.wire.http1.addresses import client_address

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

DRAIN_SECONDS = 2.0
"""What a client still sends after it was refused is taken for so long: a connection that is closed on it would lose
the answer on its way."""

MIN_BYTES_PER_SECOND = 4096
"""What a client has to send for the time it is waited for, when all it saved up is gone: one that drips holds its file
and its connection for ever. A modem of 1998 is faster."""

WRITE_BYTES = 131072
"""Gathered for one write, which is a turn of a thread: HTTP/2 brings 16 KiB at a time, and waits for each."""

_PART = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")


class Left(Exception):
    """The client went away in the middle."""


class _Body:
    """A request's body as it comes.

    Attributes:
        is_over: all of it has come, or the client left: there is nothing to wait for.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_over = False

    async def receive(self) -> Message:
        """See the ASGI specification."""
        message = await self._receive()
        self.is_over = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Takes what a client still sends, for a moment."""
        with trio.move_on_after(DRAIN_SECONDS):
            while not self.is_over:
                await self.receive()


class Span(NamedTuple):
    """Which bytes of a file a request brings: from `start` on, or for None all of them; `length` 0 only asks."""

    start: int | None
    length: int


class Storage:
    """An ASGI app around another one, which takes the uploads out.

    Args:
        idle_seconds: how long a client may send nothing in the middle of its body. Each piece earns some of it back.
        trusted_proxies: whose word is believed on where a request comes from.
    """

    def __init__(
        self,
        site: ASGIApp,
        stores: Stores,
        files: FileStore,
        links: UploadLinks,
        now: Callable[[], datetime],
        idle_seconds: float = 30.0,
        trusted_proxies: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._site, self._stores, self._files, self._links = site, stores, files, links
        self._now, self._idle_seconds, self._trusted_proxies = now, idle_seconds, trusted_proxies

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http" or not scope["path"].startswith(STORAGE_PATH):
            await self._site(scope, receive, send)
            return
        arrived_at = trio.current_time()
        request_id = request_id_from(_text(header_getter(scope)(b"x-request-id")))
        status = CLIENT_LEFT
        try:
            status = await self._answer(scope, receive, send, request_id)
        except Left:
            # Hypercorn waits for an answer, also where nobody takes it.
            await _send(send, 400, [], b"")
        finally:
            log_access(
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=trio.current_time() - arrived_at,
                request_id=request_id,
                address=client_address(peer_of(scope), scope["headers"], self._trusted_proxies),
            )

    async def _answer(self, scope: Message, receive: Receive, send: Send, request_id: str) -> int:
        body_of = _Body(receive)
        try:
            received, size = await self._take(scope, body_of)
        except (VisionaError, StoreUnavailable, HTTPException) as error:
            status, headers, body = error_response(error, request_id)
            await _send(send, status, headers, body, before_end=body_of.drain)
            return status
        status = 200 if received == size else 202
        data = {"received_bytes": received, "size": size, "complete": received == size}
        body = json.dumps({"success": True, "data": data}, separators=(",", ":")).encode()
        headers = [(b"content-type", b"application/json; charset=utf-8"), *SECURITY_HEADERS]
        headers.append((b"x-request-id", request_id.encode()))
        await _send(send, status, headers, body, before_end=body_of.drain)
        return status

    async def _take(self, scope: Message, body: "_Body") -> tuple[int, int]:
        """How much is here now, and how much there is of the file."""
        if scope["method"] != "PUT":
            raise MethodNotAllowed("this path has no such method", allowed=frozenset({"PUT"}))
        ref = self._links.file(scope["path"].removeprefix(STORAGE_PATH), _query(scope), self._now())
        await wanted_file(self._stores, ref)
        span = _span(scope, ref)
        received = await self._files.received(ref)
        if (span.length == 0 and received < ref.size) or await self._files.has(ref):
            # Before the answer, and all of it: when a good one comes in the middle of its body over HTTP/2, curl goes
            # round in circles for good.
            async with aclosing(self._pieces(body, span.length)) as pieces:
                async for _ in pieces:
                    pass
            return received, ref.size
        # Who asks for a file that is here whole and not in its place yet, for the server was killed then, gives it that.
        start = span.start if span.length else received
        async with bringing(self._files, ref, start) as upload:
            async with aclosing(self._pieces(body, span.length)) as pieces:
                await _write(upload, pieces)
            if upload.offset == ref.size:
                # It may have been deleted while it came, and would lie there for a day.
                await wanted_file(self._stores, ref)
                await upload.commit()
            return upload.offset, ref.size

    async def _pieces(self, body: "_Body", length: int) -> AsyncGenerator[bytes, None]:
        left, is_more, patience_seconds = length, True, self._idle_seconds
        while is_more:
            # Of this time alone: while we write, nobody can send.
            since = trio.current_time()
            with trio.move_on_after(patience_seconds) as waiting:
                message = await body.receive()
            patience_seconds -= trio.current_time() - since
            if waiting.cancelled_caught:
                raise RequestTimeout
            if message["type"] == "http.disconnect":
                raise Left
            piece, is_more = message.get("body", b""), message.get("more_body", False)
            patience_seconds += len(piece) / MIN_BYTES_PER_SECOND
            patience_seconds = min(patience_seconds, self._idle_seconds)
            left -= len(piece)
            if left < 0:
                raise Invalid("the body is longer than was said")
            if piece:
                yield piece
        if left:
            raise Invalid(f"the body ended {left} bytes early; continue from where it ended")


async def _write(upload: Upload, pieces: AsyncGenerator[bytes, None]) -> None:
    """Writes what comes, a little of it gathered; what came before somebody stopped is written too."""
    gathered = bytearray()
    try:
        async for piece in pieces:
            gathered += piece
            if len(gathered) >= WRITE_BYTES:
                data = bytes(gathered)
                gathered.clear()
                await upload.write(data)
    except (Left, HTTPException, VisionaError):
        await upload.write(bytes(gathered))
        raise
    await upload.write(bytes(gathered))


def _span(scope: Message, ref: FileRef) -> Span:
    get_header = header_getter(scope)
    if (_text(get_header(b"content-encoding")) or "identity") != "identity":
        raise Invalid("Content-Encoding: send the file as it is")
    text, length = _text(get_header(b"content-range")), _text(get_header(b"content-length"))
    span = Span(None, ref.size) if text is None else _part(text, ref)
    # Without a length it comes in chunks, and is counted.
    if length is not None and int(length) != span.length:
        raise Invalid(f"Content-Length: {span.length} bytes were announced and {length} are sent")
    return span


def _part(text: str, ref: FileRef) -> Span:
    match = _PART.fullmatch(text)
    if match is None or int(match[3]) != ref.size:
        raise Invalid(f"Content-Range: write bytes FIRST-LAST/{ref.size}, or bytes */{ref.size}")
    if match[1] is None:
        return Span(0, 0)
    first, last = int(match[1]), int(match[2])
    if not first <= last < ref.size:
        raise Invalid(f"Content-Range: the file has bytes 0 to {ref.size - 1}")
    return Span(first, last + 1 - first)


def _query(scope: Message) -> dict[str, str]:
    query: bytes = scope["query_string"]
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Invalid("the query cannot be read") from error
    return dict(pairs)


async def _send(
    send: Send,
    status: int,
    headers: list[Header],
    body: bytes,
    before_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """An answer whose end waits until the client has sent its request, or for a moment."""
    lowered = [(name.lower(), value) for name, value in headers if name.lower() != b"content-length"]
    lowered.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": dated(lowered)})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if before_end is not None:
        await before_end()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value is not None else None
