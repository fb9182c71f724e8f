"""The internal port: /metrics, /livez, /readyz, /healthz, for machines on this host (loopback by default).

A handler of its own rather than the site: it answers while the site drains, it shares no limit with it, and it is
small. One request a connection, few connections, a deadline on each.

A page whose own name was pointed at this machine (DNS rebinding) is told nothing: names pass only where they are ours.
An address passes as it is, because nobody can point one elsewhere.
"""

import json
import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from typing import NamedTuple

import h11
import trio

from visiona.domain.listen import ListenAddress, reachable_url
from visiona.domain.request_ids import request_id_or_none
from visiona.ops.health import Check, Health, HealthBoard
from visiona.ops.metrics import CONTENT_TYPE, Metrics

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 32
"""A scraper and a few probes; the rest wait in the listen queue (S-09)."""

CONNECTION_SECONDS = 10.0
"""For the whole of a connection, from accept to close: a slow scraper loses its place, nothing else."""

MAX_HEAD_BYTES = 8192

Answer = tuple[int, str, bytes]


_NOT_OURS: Answer = (
    421,
    "text/plain",
    b"this server does not go by that name: ask by its address, or see internal.hosts\n",
)


class Reply(NamedTuple):
    """What goes out: an answer, and what its request is called (`X-Request-Id`)."""

    answer: Answer
    request_id: str


async def serve_internal(
    listen: ListenAddress,
    board: HealthBoard,
    metrics: Metrics,
    hosts: Collection[str] = (),
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled; reports the URLs that were bound. Raises OSError if the address is taken.

    Args:
        hosts: names by which it may be asked, beside `localhost` and that of `listen`.
    """
    answers = answers_for(board, metrics)
    places = trio.CapacityLimiter(MAX_CONNECTIONS)
    names = frozenset(name.lower() for name in ("localhost", listen.host or "", *hosts))

    async def handle(stream: trio.SocketStream) -> None:
        async with places:
            await answer_connection(stream, answers, names)

    listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
    task_status.started([_url(listener.socket) for listener in listeners])
    await trio.serve_listeners(handle, listeners)


def _url(bound: trio.socket.SocketType) -> str:
    host, port = bound.getsockname()[:2]
    return reachable_url("http", host, port)


def answers_for(board: HealthBoard, metrics: Metrics) -> Mapping[str, Callable[[], Answer]]:
    """The routes. /livez says only that the process answers; the others say what the board says."""

    def ready() -> Answer:
        return health_answer(board.snapshot())

    return {
        "/metrics": lambda: (200, CONTENT_TYPE, metrics.page()),
        "/livez": lambda: (200, "application/json", b'{"status": "ok"}'),
        "/readyz": ready,
        "/healthz": ready,
    }


def health_answer(health: Health) -> Answer:
    """200 `{status: "ok", checks}`, or 503 that names what fails."""
    status = "ok" if health.ready else "draining" if health.draining else "unavailable"
    body = {
        "status": status,
        "failing": health.failing,
        "checks": {name: _check(check) for name, check in health.checks.items()},
    }
    return (200 if health.ready else 503, "application/json", json.dumps(body).encode())


async def answer_connection(
    stream: trio.abc.Stream, answers: Mapping[str, Callable[[], Answer]], names: Collection[str]
) -> None:
    """One request, one answer, closed. A client that misbehaves or leaves is nobody's error."""
    with trio.move_on_after(CONNECTION_SECONDS):
        try:
            async with stream:
                connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
                reply = await _read_answer(stream, connection, answers, names)
                await stream.send_all(_render(connection, reply))
        except (trio.BrokenResourceError, h11.RemoteProtocolError) as error:
            log.debug("an internal connection broke", extra={"reason": str(error)})


async def _read_answer(
    stream: trio.abc.Stream,
    connection: h11.Connection,
    answers: Mapping[str, Callable[[], Answer]],
    names: Collection[str],
) -> Reply:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(bytes(await stream.receive_some(4096)))
    if not isinstance(event, h11.Request):
        raise h11.RemoteProtocolError("the connection ended before a request")
    headers = dict(event.headers)
    request_id = request_id_or_none(headers.get(b"x-request-id", b"").decode("latin-1")) or secrets.token_hex(
        12
    )
    if not _is_ours(headers.get(b"host"), names):
        return Reply(_NOT_OURS, request_id)
    if event.method not in (b"GET", b"HEAD"):
        return Reply((405, "text/plain", b"only GET\n"), request_id)
    path = event.target.split(b"?", 1)[0].decode("latin-1")
    make = answers.get(path)
    status, content_type, body = (
        make() if make is not None else (404, "text/plain", b"/metrics /readyz /livez\n")
    )
    return Reply((status, content_type, b"" if event.method == b"HEAD" else body), request_id)


def _is_ours(host: bytes | None, names: Collection[str]) -> bool:
    """Whether this is no Host (HTTP/1.0), an address, or one of the names; the port does not matter."""
    if host is None:
        return True
    text = host.decode("latin-1").lower()
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0].removesuffix(".")
    if name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _render(connection: h11.Connection, reply: Reply) -> bytes:
    status, content_type, body = reply.answer
    headers = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        ("X-Request-Id", reply.request_id),
    ]
    if body:
        headers.append(("Content-Length", str(len(body))))
    head = connection.send(h11.Response(status_code=status, headers=headers))
    return b"".join(
        filter(None, (head, connection.send(h11.Data(data=body)), connection.send(h11.EndOfMessage())))
    )


def _check(check: Check) -> dict[str, object]:
    since = check.since.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"ok": check.ok, "since": since} | ({"why": check.why} if check.why else {})
