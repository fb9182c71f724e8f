"""The acceptor's half of the language of go/internal/exercise once more, on a `Tunnel`: one task a stream."""

import hashlib
from collections import defaultdict

import trio
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.session import Tunnel

from tests.interop.pattern import pattern

PIECE_BYTES = 65_536
ENDLESS_BYTES = 1 << 40


class Responder:
    """Answers every stream that the other side opens, until the tunnel ends."""

    def __init__(self) -> None:
        self._gates: defaultdict[str, trio.Event] = defaultdict(trio.Event)

    async def serve(self, tunnel: Tunnel) -> TunnelClosed:
        """Run until the end; why it ended."""
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    stream = await tunnel.accept()
                except TunnelClosed as reason:
                    nursery.cancel_scope.cancel()
                    return reason
                nursery.start_soon(self._answer, stream)

    async def _answer(self, stream: TunnelStream) -> None:
        try:
            async with stream:
                await self._obey(stream)
        except trio.BrokenResourceError:
            pass  # a reset is what some verbs are about

    async def _obey(self, stream: TunnelStream) -> None:
        line = b""
        while b"\n" not in line:
            data = await stream.receive_some(256)
            if not data:
                return
            line += data
        order, _, rest = line.partition(b"\n")
        match order.decode().split():
            case ["echo"]:
                await stream.send_all(rest)
                while data := await stream.receive_some():
                    await stream.send_all(data)
            case ["source", seed, count]:
                await _send_pattern(stream, int(seed), int(count))
                await stream.send_eof()
                await _digest(stream, rest)
            case ["late", seed, count]:
                await _digest(stream, rest)
                await _send_pattern(stream, int(seed), int(count))
            case ["sink"]:
                await stream.send_all(await _digest(stream, rest))
            case ["hold", name]:
                await self._gates[name].wait()
                await stream.send_all(await _digest(stream, rest))
            case ["release", name]:
                self._gates[name].set()
                await stream.send_all(b"ok\n")
            case ["flood"]:
                await _send_pattern(stream, 1, ENDLESS_BYTES)
            case ["reset", after]:
                await _reset_after(stream, int(after) - len(rest))
                return
            case unknown:
                raise AssertionError(unknown)
        await stream.send_eof()


async def _send_pattern(stream: TunnelStream, seed: int, count: int) -> None:
    for start in range(0, count, PIECE_BYTES):
        await stream.send_all(pattern(seed, min(PIECE_BYTES, count - start), start=start))


async def _digest(stream: TunnelStream, first: bytes) -> bytes:
    total, length = hashlib.sha256(first), len(first)
    while data := await stream.receive_some():
        total.update(data)
        length += len(data)
    return f"{total.hexdigest()} {length}\n".encode()


async def _reset_after(stream: TunnelStream, count: int) -> None:
    while count > 0:
        count -= len(await stream.receive_some())
    stream.stream.reset()
