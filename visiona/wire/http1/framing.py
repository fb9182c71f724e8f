"""How long a message's body is (RFC 9112 §6), decided once, from the head, and never again.

Where the RFC lets a recipient repair or choose, this refuses: a body that two parsers could cut differently is a
smuggled request.
"""

from dataclasses import dataclass

from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import list_members
from visiona.wire.http1.head import RequestHead, ResponseHead

MAX_LENGTH_DIGITS = 18
"""Keeps every Content-Length below 2^63, which is as far as Go agents count."""


@dataclass(frozen=True, slots=True)
class NoBody:
    """Nothing follows the head."""


@dataclass(frozen=True, slots=True)
class Sized:
    """Exactly so many bytes follow."""

    length: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """Chunks follow, then trailers."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """Everything until the peer ends the stream belongs to the body; only answers can be so."""


Framing = NoBody | Sized | Chunked | UntilClose

NO_BODY = NoBody()
CHUNKED = Chunked()
UNTIL_CLOSE = UntilClose()


def request_framing(head: RequestHead) -> NoBody | Sized | Chunked:
    """The framing of a request's body.

    Raises:
        RemoteProtocolError: kind `framing`: 501 for a transfer coding besides chunked, else 400.
    """
    coding = head.get(b"transfer-encoding")
    length = head.get(b"content-length")
    if coding is None:
        return NO_BODY if length is None else _sized(head, length, status=400)
    _check_coding(head, length, status=400)
    if coding.lower() == b"chunked":
        return CHUNKED
    members = list_members(coding)
    if members[-1:] == [b"chunked"] and b"chunked" not in members[:-1]:
        raise _broken("only the transfer coding chunked is known", status=501)
    raise _broken("chunked is not the last transfer coding", status=400)


def response_framing(head: ResponseHead, request_method: bytes) -> Framing:
    """The framing of an answer's body, which depends on the request's method too.

    Raises:
        RemoteProtocolError: kind `framing`, status 502.
    """
    coding = head.get(b"transfer-encoding")
    length = head.get(b"content-length")
    body: Framing = UNTIL_CLOSE
    if coding is not None:
        _check_coding(head, length, status=502)
        if coding.lower() != b"chunked":
            raise _broken("only the transfer coding chunked is known", status=502)
        body = CHUNKED
    elif length is not None:
        body = _sized(head, length, status=502)
    status = head.status
    if request_method == b"HEAD" or status < 200 or status in {204, 304}:
        return NO_BODY
    return body


def expects_continue(head: RequestHead) -> bool:
    """Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).

    Raises:
        RemoteProtocolError: kind `expectation`, status 417: any other expectation.
    """
    expectation = head.get(b"expect")
    if expectation is None or head.version == b"1.0":
        return False
    if expectation.lower() != b"100-continue":
        raise RemoteProtocolError("only 100-continue can be expected here", kind="expectation", status=417)
    return True


def _sized(head: RequestHead | ResponseHead, length: bytes, *, status: int) -> Sized:
    if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
        raise _broken("Content-Length is not a plain number", status=status)
    if len(head.get_all(b"content-length")) > 1:
        raise _broken("Content-Length twice", status=status)
    return Sized(int(length))


def _check_coding(head: RequestHead | ResponseHead, length: bytes | None, *, status: int) -> None:
    if length is not None:
        raise _broken("Content-Length beside Transfer-Encoding", status=status)
    if head.version == b"1.0":
        raise _broken("Transfer-Encoding in HTTP/1.0", status=status)
    if len(head.get_all(b"transfer-encoding")) > 1:
        raise _broken("Transfer-Encoding twice", status=status)


def _broken(message: str, *, status: int) -> RemoteProtocolError:
    return RemoteProtocolError(message, kind="framing", status=status)
