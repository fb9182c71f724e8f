"""One HTTP POST with a JSON body and a JSON answer: all the HTTP client that an agent needs.

One connection, one request, no redirects: a redirect would carry the pairing token to where nobody said.
"""

import errno
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import h11
import trio

from visiona.agent.addresses import Address
from visiona.agent.reasons import reason_of

MAX_ANSWER_BYTES = 64 * 1024


class PostFailed(Exception):
    """No answer; the message says why.

    Attributes:
        may_have_arrived: whether the request may have been carried out all the same.
    """

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, the JSON object (empty where there was none) and what Retry-After asked for."""

    status: int
    body: Mapping[str, object]
    retry_after_seconds: float | None = None


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Verifies certificates, always; against the authorities of a file, or the system's.

    Raises:
        OSError: the file cannot be used; with its name.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as error:
        raise OSError(errno.EINVAL, "no certificates in it that can be read (PEM)", ca_file) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, ca_file) from error


async def open_connection(address: Address, context: ssl.SSLContext | None) -> trio.abc.Stream:
    """TCP, and TLS where the address says so.

    Raises:
        OSError: nobody answers there, or the name is unknown.
        trio.BrokenResourceError: TLS failed; the cause says how.
    """
    stream: trio.abc.Stream = await trio.open_tcp_stream(address.host, address.port)
    if not address.secure:
        return stream
    secured = trio.SSLStream(
        stream, context or tls_context(), server_hostname=address.host, https_compatible=True
    )
    is_up = False
    try:
        await secured.do_handshake()
        is_up = True
    finally:
        if not is_up:
            await trio.aclose_forcefully(stream)
    return secured


async def post_json(
    address: Address,
    path: str,
    payload: Mapping[str, str],
    *,
    context: ssl.SSLContext | None = None,
    timeout_seconds: float = 20.0,
) -> Answer:
    """Posts and waits for the whole answer.

    Raises:
        PostFailed: with one sentence.
    """
    sent = False
    try:
        with trio.fail_after(timeout_seconds):
            stream = await open_connection(address, context)
            async with stream:
                connection = h11.Connection(h11.CLIENT)
                sent = True
                await stream.send_all(_request(connection, address, path, payload))
                return await _read_answer(connection, stream)
    except trio.TooSlowError:
        raise PostFailed(
            f"{address} did not answer within {timeout_seconds:g} s", may_have_arrived=sent
        ) from None
    except h11.RemoteProtocolError:
        raise PostFailed(f"{address} does not speak HTTP", may_have_arrived=sent) from None
    except trio.BrokenResourceError as error:
        raise PostFailed(f"{address} gave no answer: {reason_of(error)}", may_have_arrived=sent) from None
    except OSError as error:
        raise PostFailed(f"{address} cannot be reached: {reason_of(error)}", may_have_arrived=sent) from None


def _request(
    connection: h11.Connection,
    address: Address,
    path: str,
    payload: Mapping[str, str],
) -> bytes:
    body = json.dumps(payload).encode()
    request = h11.Request(
        method="POST",
        target=address.path + path,
        headers=[
            ("Host", address.authority),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ],
    )
    parts = (
        connection.send(request),
        connection.send(h11.Data(data=body)),
        connection.send(h11.EndOfMessage()),
    )
    return b"".join(part for part in parts if part)


async def _read_answer(connection: h11.Connection, stream: trio.abc.Stream) -> Answer:
    status, retry_after, body = 0, None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = bytes(await stream.receive_some(16384))
            if not data and not status:
                raise trio.BrokenResourceError("the connection broke")
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
            retry_after = dict(event.headers).get(b"retry-after")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_ANSWER_BYTES:
                raise h11.RemoteProtocolError("the answer is too long")
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, _object(body), _seconds(retry_after))


def _object(body: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(retry_after: bytes | None) -> float | None:
    """The number form only; a date would need a clock that edge units often do not have."""
    return (
        float(retry_after)
        if retry_after is not None and retry_after.isdigit() and len(retry_after) < 7
        else None
    )
