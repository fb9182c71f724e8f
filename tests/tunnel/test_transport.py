"""WebSocket messages around a tunnel's bytes."""

import pytest
import trio
import trio.testing
from visiona.tunnel.pipe import StreamPipe
from visiona.tunnel.transport import CLOSE_GOING_AWAY, MAX_WAITING_PONGS, WebSocketTransport
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.websocket.frames import (
    Closed,
    Event,
    FrameReader,
    Payload,
    Pong,
    binary_frame,
    close_frame,
    data_frame,
    ping_frame,
)

from tests.support.tunnels import MASK


def a_transport(
    *, is_client: bool = False, leftover: bytes = b""
) -> tuple[WebSocketTransport, trio.abc.Stream]:
    here, there = trio.testing.memory_stream_pair()
    return WebSocketTransport(StreamPipe(here), is_client=is_client, leftover=leftover), there


async def flush(transport: WebSocketTransport, pieces: list[bytes]) -> None:
    if not transport.send_nowait(pieces):
        await transport.drain(1.0)


async def events_at(stream: trio.abc.Stream, *, expect_masked: bool) -> list[Event]:
    return FrameReader(expect_masked=expect_masked).receive_data(bytes(await stream.receive_some(65536)))


async def test_all_messages_of_one_read_come_together_and_text_counts_as_bytes() -> None:
    transport, peer = a_transport()
    await peer.send_all(binary_frame([b"ab"], MASK) + data_frame([b"cd"], MASK, is_text=True))
    assert await transport.receive() == [b"ab", b"cd"]


async def test_what_arrived_with_the_handshake_comes_first() -> None:
    transport, peer = a_transport(leftover=binary_frame([b"early"], MASK))
    assert await transport.receive() == [b"early"]
    await peer.send_all(binary_frame([b"late"], MASK))
    assert await transport.receive() == [b"late"]


@pytest.mark.parametrize("is_client", [True, False])
async def test_pieces_leave_as_one_message_masked_by_the_client_only(is_client: bool) -> None:
    transport, peer = a_transport(is_client=is_client)
    await flush(transport, [b"ab", b"cd"])
    assert await events_at(peer, expect_masked=is_client) == [Payload(b"abcd", ends_message=True)]


async def test_two_masks_differ() -> None:
    transport, peer = a_transport(is_client=True)
    await flush(transport, [b"same"])
    first = bytes(await peer.receive_some(100))
    await flush(transport, [b"same"])
    assert bytes(await peer.receive_some(100)) != first


async def test_a_ping_is_answered_with_the_next_send() -> None:
    transport, peer = a_transport()
    await peer.send_all(ping_frame(b"are you there", MASK))
    assert await transport.receive() == []
    assert transport.wants_to_send
    await flush(transport, [b"data"])
    assert not transport.wants_to_send
    assert await events_at(peer, expect_masked=False) == [
        Payload(b"data", ends_message=True),
        Pong(b"are you there"),
    ]


async def test_a_flood_of_pings_leaves_few_answers() -> None:
    transport, peer = a_transport()
    await peer.send_all(b"".join(ping_frame(b"%d" % number, MASK) for number in range(100)))
    await transport.receive()
    await flush(transport, [])
    answers = await events_at(peer, expect_masked=False)
    assert len(answers) == MAX_WAITING_PONGS
    assert answers[-1] == Pong(b"99")


async def test_a_close_frame_is_the_end_after_what_stood_before_it() -> None:
    transport, peer = a_transport()
    await peer.send_all(binary_frame([b"last"], MASK) + close_frame(1000, "", MASK))
    assert await transport.receive() == [b"last"]
    assert await transport.receive() is None


async def test_the_end_of_the_connection_is_the_end() -> None:
    transport, peer = a_transport()
    await peer.aclose()
    assert await transport.receive() is None


async def test_the_farewell_goes_last() -> None:
    transport, peer = a_transport()
    transport.queue_close(CLOSE_GOING_AWAY)
    await flush(transport, [b"go away"])
    assert await events_at(peer, expect_masked=False) == [
        Payload(b"go away", ends_message=True),
        Closed(CLOSE_GOING_AWAY, ""),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(binary_frame([b"x"], None), id="unmasked"),
        pytest.param(b"\xc2" + binary_frame([b"x"], MASK)[1:], id="reserved bit: compressed"),
        pytest.param(b"\x83" + binary_frame([b"x"], MASK)[1:], id="reserved opcode"),
        pytest.param(b"\x89\xfe\x00\x80" + MASK + bytes(128), id="long ping"),
        pytest.param(b"\x82\xff" + b"\xff" * 8 + MASK, id="length beyond 2^63"),
    ],
)
async def test_t10_frames_that_break_the_protocol_are_an_error(broken: bytes) -> None:
    transport, peer = a_transport()
    await peer.send_all(broken)
    with pytest.raises(RemoteProtocolError) as caught:
        await transport.receive()
    assert caught.value.kind == "websocket"


async def test_t36_a_read_full_of_tiny_messages_lets_others_in_between() -> None:
    transport, peer = a_transport()
    turns = 0
    turns_at: list[int] = []

    class Noting(FrameReader):
        def receive_data(self, data: bytes | memoryview) -> list[Event]:
            turns_at.append(turns)
            return super().receive_data(data)

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    transport._reader = Noting(expect_masked=True)
    await peer.send_all(binary_frame([b"x"], MASK) * 30_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(somebody_else)
        assert b"".join(await transport.receive() or []) == b"x" * 30_000
        nursery.cancel_scope.cancel()
    assert turns_at[-1] - turns_at[0] >= 2
