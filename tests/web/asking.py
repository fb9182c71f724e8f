"""Plain questions, at a port or at the site itself, where a test has no other client."""

import trio

from tests.web.device_rig import WebClient


async def status_at(port: int, method: str, target: str, headers: dict[str, str]) -> int:
    """The status of an answer at a port of this machine."""
    client = WebClient(await trio.open_tcp_stream("127.0.0.1", port))
    lines = [f"{method} {target} HTTP/1.1", "Host: door.test", "Content-Length: 0"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    async with client.stream:
        with trio.fail_after(5):
            answer = await client.ask("\r\n".join([*lines, "", ""]).encode(), method=method)
    return answer.status


def scope_of(path: str, http_version: str = "1.1") -> dict[str, object]:
    """A request of ASGI type `http`: GET, without fields."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": http_version,
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
