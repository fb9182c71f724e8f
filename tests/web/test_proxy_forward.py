import pytest
import trio
import trio.testing
from visiona.domain.errors import DeviceBroke, DeviceOffline
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.proxy_forward import MAX_ANSWER_BYTES, forward_to_agent

from tests.web.device_rig import ACTOR, answering, echo, open_rig, read_request


async def test_a_question_and_its_whole_answer() -> None:
    async with open_rig("door", echo) as rig:
        asked = await forward_to_agent(
            rig.registry, rig.sweeper, ACTOR, rig.live, b"POST", b"/api/devices/scan", body=b"{}"
        )
        assert (asked.head.status, asked.body) == (200, b"{}")
        assert asked.head.get(b"x-target") == b"/api/devices/scan"
        assert len(rig.registry.calls) == 0


async def test_an_answer_that_is_too_long_is_not_gathered() -> None:
    size = MAX_ANSWER_BYTES + 1
    device = answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    async with open_rig("door", device) as rig:
        with pytest.raises(DeviceBroke):
            await forward_to_agent(rig.registry, rig.sweeper, ACTOR, rig.live, b"GET", b"/")


async def test_a_tunnel_that_is_gone_is_said() -> None:
    async with open_rig("door", echo) as rig:
        rig.live.tunnel.close("tcp_reset")
        with pytest.raises(DeviceOffline):
            await forward_to_agent(rig.registry, rig.sweeper, ACTOR, rig.live, b"GET", b"/")


async def test_giving_up_resets_the_stream() -> None:
    async def silent(stream: TunnelStream) -> None:
        await read_request(stream)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with open_rig("door", silent) as rig:
        with trio.move_on_after(0.05):
            await forward_to_agent(rig.registry, rig.sweeper, ACTOR, rig.live, b"GET", b"/")
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert rig.live.tunnel.stream_count == 0
