"""THE table: which error is which status. The only file that knows both sides.

Every refusal leaves the server in one envelope, `{"success": false, "error": {"code", "message", "details"?,
"request_id"}}`, whether Quart answers or the raw device path. What is not in the table is a bug: it becomes a 500
with an incident id, its traceback is logged once, here, and its text is never shown.
"""

import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout
from werkzeug.exceptions import MethodNotAllowed as FrameworkMethodNotAllowed
from werkzeug.exceptions import NotFound as FrameworkNotFound

from visiona.domain.errors import (
    Conflict,
    DeviceBroke,
    DeviceOffline,
    DeviceTooSlow,
    Gone,
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PairingRefused,
    ServerStopping,
    StorageFull,
    TooLarge,
    TooMany,
    VisionaError,
)
from visiona.stores.errors import StoreUnavailable
from visiona.wire.errors import RemoteProtocolError

log = logging.getLogger(__name__)

Header = tuple[bytes, bytes]


class MethodNotAllowed(VisionaError):
    """The route exists, not with this method; `allowed` becomes the Allow header."""

    default_code = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, *, allowed: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.allowed = allowed


class NotOffered(VisionaError):
    """A route of the contract that this server does not offer."""

    default_code = "NOT_IMPLEMENTED"


class SignInFailed(VisionaError):
    """A person's way in broke off; why is in the log alone."""

    default_code = "SIGN_IN_FAILED"


class ProviderDown(VisionaError):
    """The identity provider cannot be asked now."""

    default_code = "IDENTITY_PROVIDER_UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Response(NamedTuple):
    """A whole answer, ready for any of the layers that can send one."""

    status: int
    headers: list[Header]
    body: bytes


STATUS: Mapping[type[VisionaError], int] = {
    Invalid: 400,
    SignInFailed: 400,
    NotSignedIn: 401,
    PairingRefused: 401,
    NotAllowed: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Gone: 410,
    TooLarge: 413,
    TooMany: 429,
    NotOffered: 501,
    DeviceBroke: 502,
    DeviceOffline: 503,
    ServerStopping: 503,
    ProviderDown: 503,
    DeviceTooSlow: 504,
    StorageFull: 507,
}

_PROTOCOL_CODES = {405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE", 501: "NOT_IMPLEMENTED"}

SECURITY_HEADERS: list[Header] = [
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
]
"""On every answer of the API: nothing of it may be cached, sniffed, framed or read from elsewhere."""


def error_response(error: BaseException, request_id: str) -> Response:
    """The answer to an error; logs it when it is a bug (so: call it once per failed request)."""
    error = one_error(error)
    match error:
        case VisionaError() if (status := status_of(error)) is not None:
            return _envelope(
                status, error.code, error.message, error.details, request_id, _extra_headers(error)
            )
        case StoreUnavailable():
            retry = [(b"Retry-After", str(max(1, round(error.retry_after_seconds))).encode())]
            message = "the store does not answer at the moment; try again shortly"
            return _envelope(503, "STORE_UNAVAILABLE", message, {}, request_id, retry)
        case RemoteProtocolError():
            code = _PROTOCOL_CODES.get(error.status, "VALIDATION_FAILED")
            return _envelope(error.status, code, str(error), {}, request_id, [])
        case HTTPException() if error.code is not None and error.code >= 400:
            return _of_framework(error, request_id)
        case _:
            return _bug(error, request_id)


def one_error(error: BaseException) -> BaseException:
    """The one error that speaks for a group: a bug, else a cancellation, else an answer.

    In this order, because a bug must not hide behind a clean 503, and a cancelled request has nobody to answer.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = list(leaves(error))
    bugs = [leaf for leaf in found if isinstance(leaf, Exception) and not is_answer(leaf)]
    cancellations = [leaf for leaf in found if not isinstance(leaf, Exception)]
    return (bugs or cancellations or found)[0]


def is_answer(error: BaseException) -> bool:
    """Whether the table has an answer for this error; everything else is a bug."""
    if isinstance(error, VisionaError):
        return status_of(error) is not None
    return isinstance(error, (StoreUnavailable, RemoteProtocolError, HTTPException))


def status_of(error: VisionaError) -> int | None:
    """The status of an error's class, or of the nearest class above it that the table names."""
    for kind in type(error).__mro__:
        if (status := STATUS.get(kind)) is not None:
            return status
    return None


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """What is in a group, and in the groups within."""
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from leaves(inner)
        else:
            yield inner


def _extra_headers(error: VisionaError) -> list[Header]:
    match error:
        case TooMany() | ProviderDown() | ServerStopping():
            return [(b"Retry-After", str(max(1, error.retry_after_seconds)).encode())]
        case NotSignedIn():
            return [(b"WWW-Authenticate", b'Bearer realm="visiona"')]
        case MethodNotAllowed() if error.allowed:
            return [(b"Allow", ", ".join(sorted(error.allowed)).encode())]
        case _:
            return []


def _of_framework(error: HTTPException, request_id: str) -> Response:
    """What Quart says by itself: no such route, wrong method, body too large or too slow."""
    match error:
        case FrameworkNotFound():
            return error_response(NotFound("there is nothing at this path"), request_id)
        case FrameworkMethodNotAllowed():
            allowed = frozenset(error.valid_methods or ())
            return error_response(
                MethodNotAllowed("this path has no such method", allowed=allowed), request_id
            )
        case RequestEntityTooLarge():
            return error_response(TooLarge("the body is larger than this route takes"), request_id)
        case RequestTimeout():
            return _envelope(408, "VALIDATION_FAILED", "the body took too long to arrive", {}, request_id, [])
        case _:
            return error_response(Invalid("the request cannot be understood"), request_id)


def _bug(error: BaseException, request_id: str) -> Response:
    incident_id = secrets.token_hex(8)
    log.error(
        "a request met a bug",
        exc_info=error,
        extra={"incident_id": incident_id, "request_id": request_id},
    )
    message = f"something went wrong on our side; the log has it as incident {incident_id}"
    return _envelope(500, "INTERNAL_ERROR", message, {"incident_id": incident_id}, request_id, [])


def _envelope(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, object],
    request_id: str,
    extra: list[Header],
) -> Response:
    inner: dict[str, object] = {"code": code, "message": message}
    if details:
        inner["details"] = dict(details)
    inner["request_id"] = request_id
    body = json.dumps({"success": False, "error": inner}, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [
        (b"Content-Type", b"application/json; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"X-Request-Id", request_id.encode()),
        *SECURITY_HEADERS,
        *extra,
    ]
    return Response(status, headers, body)
