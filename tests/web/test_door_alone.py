"""What the door does and the ASGI layer cannot, because Hypercorn does it there in its own way."""

import pytest
import trio
import trio.testing
from visiona.relay.deadlines import Limits
from visiona.tunnel.byte_stream import TunnelStream

from tests.web.device_rig import open_rig, read_request
from tests.web.test_proxy_websocket import device, dialled, echoing


async def test_a_slow_client_is_given_up_when_it_takes_nothing() -> None:
    broken = trio.Event()

    async def firehose(stream: TunnelStream) -> None:
        await read_request(stream)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await stream.send_all(bytes(65536))
        broken.set()

    async with open_rig("door", firehose, limits=Limits(client_stall_seconds=10)) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await trio.testing.wait_all_tasks_blocked(0.05)
        rig.pass_seconds(11)
        with trio.fail_after(2):
            await broken.wait()


async def test_h14_compression_never_meets_a_decompressor_of_the_door() -> None:
    async with open_rig("door", device(echoing)) as rig, dialled(rig) as client:
        await client.send("as it is")
        assert await client.recv() == "as it is"
