"""A small question of our own to a device, on behalf of a caller: asked through the same exchange, answered whole.

For routes of the API that need the device's answer to make their own. What a caller asks the device itself goes
through the data path and is not gathered.
"""

from typing import NamedTuple

from visiona.domain.access import Actor
from visiona.domain.errors import DeviceBroke
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.exchange import Exchange
from visiona.relay.lost_streams import not_opened
from visiona.relay.registry import LiveTunnel, Registry
from visiona.tunnel.errors import TunnelError
from visiona.web.proxy_answer import Inbox
from visiona.wire.http1.fields import Header
from visiona.wire.http1.forward import Crossing, checked_request, request_for_agent
from visiona.wire.http1.framing import NO_BODY, NoBody, Sized
from visiona.wire.http1.head import ResponseHead

MAX_ANSWER_BYTES = 1024 * 1024
"""Of JSON; a device with more to say about itself is broken."""


class Collected(NamedTuple):
    """A device's whole answer."""

    head: ResponseHead
    body: bytes


async def forward_to_agent(
    registry: Registry,
    sweeper: Sweeper,
    actor: Actor,
    live: LiveTunnel,
    method: bytes,
    agent_target: bytes,
    *,
    headers: tuple[Header, ...] = (),
    body: bytes = b"",
    request_id: str = "",
    limits: Limits | None = None,
) -> Collected:
    """Asks and waits. Cancelling resets the stream.

    Raises:
        DeviceOffline, DeviceBroke, DeviceTooSlow: as the data path has it; also for an answer beyond the limit.
    """
    inbox = Inbox()
    framing = Sized(len(body)) if body or method not in {b"GET", b"HEAD"} else NO_BODY
    exchange = Exchange(inbox, method, framing, upgrade=False, sweeper=sweeper, limits=limits or Limits())
    exchange.enter(registry.calls, actor.user_id, actor.credential_id, live.device_id, actor.expires_at)
    question = own_question(live, method, agent_target, headers, framing, request_id)
    try:
        exchange.start(live.tunnel, question)
        await inbox.send_up(exchange, body)
        exchange.end_body()
        answer = await inbox.wait_head()
        return Collected(answer, await _body(inbox, exchange))
    except TunnelError as error:
        raise not_opened(error) from error
    finally:
        exchange.leave()


def own_question(
    live: LiveTunnel,
    method: bytes,
    agent_target: bytes,
    headers: tuple[Header, ...] = (),
    framing: NoBody | Sized = NO_BODY,
    request_id: str = "",
) -> bytes:
    """The head of a request that is ours and not a client's."""
    head = checked_request(method, agent_target, ((b"Host", b"localhost"), *headers))
    crossing = Crossing(
        request_id=request_id.encode(),
        peer_address="127.0.0.1",
        scheme=b"http",
        public_host=b"localhost",
        device_prefix=b"/api/devices/%b/proxy" % live.device_id.encode(),
        agent_target=agent_target,
    )
    return request_for_agent(head, agent_target, crossing, framing)


async def _body(inbox: Inbox, exchange: Exchange) -> bytes:
    body = bytearray()
    while True:
        while data := inbox.take():
            body += data
            exchange.taken(len(data))
        if len(body) > MAX_ANSWER_BYTES:
            raise DeviceBroke("the device's answer is too long to be read here")
        if inbox.error is not None:
            raise inbox.error
        if inbox.is_whole:
            return bytes(body)
        await inbox.wait_something()
