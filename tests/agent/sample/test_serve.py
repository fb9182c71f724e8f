import trio
from visiona.agent.sample.serve import serve_sample


async def test_it_serves_on_loopback_and_says_where() -> None:
    async with trio.open_nursery() as nursery:
        base = await nursery.start(serve_sample)
        host, port = base.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while b'"ok"' not in answer:
                data = await stream.receive_some()
                assert data, answer
                answer += data
        nursery.cancel_scope.cancel()
