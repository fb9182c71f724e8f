"""A small HTTP client for the demo: answers are read as they arrive, because that they arrive at once is the point."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import trio

from visiona.agent.addresses import Address

READ_BYTES = 64 * 1024


class Unexpected(Exception):
    """Something was not as it should be; the message says what.

    Attributes:
        log: what the process in question logged last, if it is about one.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


@dataclass(slots=True)
class Answer:
    """An answer whose head has arrived.

    Attributes:
        headers: by their names in lower case; of several with one name, the last.
        set_cookies: the Set-Cookie fields, all of them.
    """

    status: int
    headers: Mapping[str, str]
    set_cookies: tuple[str, ...]
    _connection: h11.Connection
    _stream: trio.abc.Stream
    _rest: list[bytes] = field(default_factory=list)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body, piece by piece as it comes in."""
        while not isinstance(event := await _next_event(self._connection, self._stream), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def body(self) -> bytes:
        """All of it."""
        return b"".join([piece async for piece in self.pieces()])

    async def events(self) -> AsyncGenerator[tuple[str, Any], None]:
        """The body read as server-sent events: kind and JSON data."""
        buffer = b""
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                buffer += piece
                while b"\n\n" in buffer:
                    block, _, buffer = buffer.partition(b"\n\n")
                    fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if ": " in line)
                    yield fields.get("event", "message"), json.loads(fields.get("data", "null"))


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one site as one caller. A connection a request: nothing is shared, so anything may be left half-read."""

    site: Address
    token: str

    @asynccontextmanager
    async def request(self, method: str, path: str, payload: object = None) -> AsyncIterator[Answer]:
        """One exchange; leaving the block early hangs up.

        Raises:
            Unexpected: the connection broke, or it was not HTTP.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        body = None if payload is None else json.dumps(payload).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with exchange(self.site, method, path, headers, body) as answer:
            yield answer

    async def call(self, method: str, path: str, payload: object = None, *, expect: int = 200) -> Any:  # noqa: ANN401 - JSON
        """A JSON route: gives `data` of the envelope; raises Unexpected for another status."""
        async with self.request(method, path, payload) as answer:
            return await data_of(answer, f"{method} {path}", expect)


@asynccontextmanager
async def exchange(
    site: Address, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> AsyncIterator[Answer]:
    """One request on a connection of its own; leaving the block early hangs up.

    Raises:
        Unexpected: the connection broke, or it was not HTTP.
    """
    given = [("Host", site.authority), *headers.items(), ("Connection", "close")]
    if method != "GET":
        given.append(("Content-Length", str(len(body or b""))))
    connection = h11.Connection(h11.CLIENT)
    stream = await trio.open_tcp_stream(site.host, site.port)
    async with stream:
        parts = (
            connection.send(h11.Request(method=method, target=site.path + path, headers=given)),
            connection.send(h11.Data(data=body or b"")),
            connection.send(h11.EndOfMessage()),
        )
        await stream.send_all(b"".join(part for part in parts if part))
        head = await _next_event(connection, stream)
        while isinstance(head, h11.InformationalResponse):
            head = await _next_event(connection, stream)
        if not isinstance(head, h11.Response):
            raise Unexpected(f"{method} {path}: the connection ended before an answer")
        fields = [(name.decode(), value.decode("latin-1")) for name, value in head.headers]
        cookies = tuple(value for name, value in fields if name == "set-cookie")
        yield Answer(head.status_code, dict(fields), cookies, connection, stream)


async def data_of(answer: Answer, what: str, expect: int = 200) -> Any:  # noqa: ANN401 - JSON
    """`data` of a JSON answer's envelope; raises Unexpected for another status."""
    body = await answer.body()
    if answer.status != expect:
        raise Unexpected(f"{what} answered {answer.status}: {body[:300].decode(errors='replace')}")
    return json.loads(body).get("data") if body else None


async def _next_event(connection: h11.Connection, stream: trio.abc.Stream) -> h11.Event:
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(READ_BYTES)))
    except (h11.RemoteProtocolError, trio.BrokenResourceError) as error:
        raise Unexpected(f"the answer broke off: {error}") from error
    if isinstance(event, type):
        raise Unexpected("the connection was paused in a way that no answer is")
    return event
