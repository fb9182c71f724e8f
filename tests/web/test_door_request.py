from visiona.web.door_request import MAX_KEPT_BYTES, NO_REQUEST, Request
from visiona.web.targets import device_target
from visiona.wire.http1.framing import request_framing
from visiona.wire.http1.head import parse_request_head

from tests.web.device_rig import echo, open_rig


def request(data: bytes) -> Request:
    head = parse_request_head(data)
    return Request(data, head, request_framing(head), device_target(head.method, head.target, head.get))


def of_size(size: int) -> Request:
    empty = b"GET / HTTP/1.1\r\nHost: h\r\nX: %b\r\n\r\n"
    return request(empty % (b"x" * (size - len(empty) + 2)))


def test_a_head_of_the_longest_kept_size_is_kept_and_a_longer_one_is_not() -> None:
    longest = of_size(MAX_KEPT_BYTES)
    assert len(longest.data) == MAX_KEPT_BYTES
    assert longest.to_keep() is longest
    assert of_size(MAX_KEPT_BYTES + 1).to_keep() is NO_REQUEST


def test_nothing_that_can_be_read_as_a_head_equals_no_request() -> None:
    assert of_size(100).data != NO_REQUEST.data


async def test_requests_that_are_alike_and_those_that_differ_by_little_reach_the_device_as_they_were_sent() -> (
    None
):
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        asked = ["GET ~/a", "GET ~/a", "PUT ~/a", "GET ~/b", "GET ~/a", "GET ~/a"]
        for line in asked:
            method, target = line.split(" ~")
            answer = await client.ask(rig.request(line))
            assert (answer.headers["x-method"], answer.headers["x-target"]) == (method, target)
        for body in (b"one", b"two", b"three"):
            answer = await client.ask(
                rig.request("POST ~/a", f"Content-Length: {len(body)}", body=body), method="POST"
            )
            assert (answer.headers["x-method"], answer.body) == ("POST", body)


async def test_a_request_that_was_good_once_is_judged_anew_for_its_caller() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        asked = rig.request("GET ~/a")
        assert (await client.ask(asked)).status == 200
        rig.live.tunnel.close("revoked")
        assert (await client.ask(asked)).status in {404, 503}
