"""Saying no on the relay port: one envelope, one way to send it.

The answer is the API's error envelope, and the connection closes after it. Nothing here names which token it was.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus

import trio

from visiona.domain.errors import Details
from visiona.tunnel.pipe import Pipe
from visiona.wire.errors import RemoteProtocolError

SEND_SECONDS = 2.0
"""For a refusal to leave; whoever does not read it does not need it."""

LINGER_SECONDS = 1.0
LINGER_BYTES = 64 * 1024
"""How much of what is still coming is read and dropped, so that closing does not destroy the answer on its way."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection gets no tunnel.

    Attributes:
        retry_after_seconds: when it makes sense to come again; None: not by waiting.
        allow: the one method that would do, for 405.
    """

    status: int
    code: str
    message: str
    retry_after_seconds: int | None = None
    allow: str | None = None
    details: Details | None = None


def broken_request(error: RemoteProtocolError) -> Refusal:
    """The refusal of a request that breaks the protocol."""
    return Refusal(error.status, "VALIDATION_FAILED", str(error))


def render(refusal: Refusal, request_id: str) -> bytes:
    """The whole answer, head and body."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message, "request_id": request_id}
    if refusal.details:
        error["details"] = refusal.details
    return answer(
        refusal.status,
        json.dumps({"success": False, "error": error}, separators=(",", ":")).encode(),
        request_id,
        retry_after_seconds=refusal.retry_after_seconds,
        allow=refusal.allow,
    )


def answer(
    status: int,
    body: bytes,
    request_id: str,
    *,
    retry_after_seconds: int | None = None,
    allow: str | None = None,
) -> bytes:
    """A small JSON answer after which the connection closes."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
        f"X-Request-Id: {request_id}",
    ]
    if retry_after_seconds is not None:
        lines.append(f"Retry-After: {retry_after_seconds}")
    if allow is not None:
        lines.append(f"Allow: {allow}")
    if status == HTTPStatus.UPGRADE_REQUIRED:
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send_and_close(pipe: Pipe, data: bytes) -> None:
    """Sends an answer and closes the pipe, whatever state it is in; takes a few seconds at the most."""
    try:
        with trio.move_on_after(SEND_SECONDS + LINGER_SECONDS):
            await pipe.send_all(memoryview(data)[pipe.send_nowait(data) :], SEND_SECONDS)
            await pipe.send_eof()
            await _drop_what_comes(pipe)
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        # The newcomer left before it was told: nobody is missing the answer.
        return
    finally:
        with trio.CancelScope(shield=True):
            await pipe.aclose()


async def _drop_what_comes(pipe: Pipe) -> None:
    dropped = 0
    with trio.move_on_after(LINGER_SECONDS):
        while dropped < LINGER_BYTES and (data := await pipe.receive_some()):
            dropped += len(data)
