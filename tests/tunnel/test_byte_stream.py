"""A tunnel's stream in the hands of a task."""

import pytest
import trio
import trio.testing
from visiona.tunnel.errors import StreamReset, TunnelClosed

from tests.support.tunnels import joined


async def test_pieces_can_be_read_in_any_size() -> None:
    async with joined() as ends:
        stream = await ends.relay.open_stream()
        await stream.send_all(b"abcdef")
        await stream.send_eof()
        peer = await ends.agent.accept()
        assert await peer.receive_some(4) == b"abcd"
        assert await peer.receive_some(4) == b"ef"
        assert await peer.receive_some(4) == b""
        await peer.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        await stream.aclose()


async def test_closing_after_the_end_lets_the_other_side_read_all_of_it() -> None:
    data = b"x" * 1_000_000
    async with joined() as ends, trio.open_nursery() as nursery:
        stream = await ends.relay.open_stream()

        async def send_and_leave() -> None:
            await stream.send_all(data)
            await stream.send_eof()
            await stream.aclose()

        nursery.start_soon(send_and_leave)
        peer = await ends.agent.accept()
        await peer.send_all(b"nobody reads this")
        assert b"".join([chunk async for chunk in peer]) == data
        await peer.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        assert ends.relay.stream_count == 0
        await peer.aclose()


async def test_closing_before_the_end_resets() -> None:
    async with joined() as ends:
        stream = await ends.relay.open_stream()
        await stream.send_all(b"half")
        peer = await ends.agent.accept()
        assert await peer.receive_some() == b"half"
        await stream.aclose()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await peer.receive_some()
        assert isinstance(caught.value.__cause__, StreamReset)
        with pytest.raises(trio.BrokenResourceError):
            await peer.send_all(b"x")
        await peer.aclose()


async def test_a_closed_stream_refuses_everything() -> None:
    async with joined() as ends:
        stream = await ends.relay.open_stream()
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_eof()


async def test_a_reader_and_a_writer_hear_of_the_end_of_the_tunnel() -> None:
    async with joined() as ends, trio.open_nursery() as nursery:
        stream = await ends.relay.open_stream()
        ended = []

        async def read() -> None:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            ended.append(caught.value.__cause__)

        async def write() -> None:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.send_all(b"x" * 10_000_000)
            ended.append(caught.value.__cause__)

        nursery.start_soon(read)
        nursery.start_soon(write)
        await trio.testing.wait_all_tasks_blocked()
        assert ended == []
        ends.relay.close("revoked")
        await trio.testing.wait_all_tasks_blocked()
        assert [cause.cause for cause in ended if isinstance(cause, TunnelClosed)] == ["revoked", "revoked"]


async def test_a_waiting_sender_can_be_cancelled() -> None:
    async with joined() as ends:
        stream = await ends.relay.open_stream()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, b"x" * 10_000_000)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        await stream.aclose()


async def test_nothing_is_granted_for_bytes_that_nobody_took() -> None:
    async with joined() as ends, trio.open_nursery() as nursery:
        stream = await ends.relay.open_stream()
        nursery.start_soon(_send_and_reset_tolerant, stream, b"x" * 1_000_000)
        peer = await ends.agent.accept()
        await trio.testing.wait_all_tasks_blocked()
        taken = 0
        while taken < 1_000_000:
            taken += len(await peer.receive_some())
        await peer.aclose()


async def _send_and_reset_tolerant(stream: trio.abc.SendStream, data: bytes) -> None:
    await stream.send_all(data)
