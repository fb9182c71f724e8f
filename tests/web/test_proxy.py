"""What both layers of the device path do alike; each test runs on the door and on ASGI behind Hypercorn."""

import json
from dataclasses import replace

import h11
import pytest
import trio
import trio.testing
from visiona.domain.access import Via
from visiona.domain.causes import Cause
from visiona.domain.devices import Accelerator
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.settings import WebSettings

from tests.web.device_rig import (
    ACTOR,
    NOW,
    STRANGER_TOKEN,
    TOKEN,
    Request,
    Rig,
    answering,
    device_record,
    echo,
    finish,
    open_rig,
    read_request,
)

pytestmark = pytest.mark.parametrize("layer", ["door", "asgi"])


def error_of(body: bytes) -> dict[str, object]:
    answer = json.loads(body)
    assert answer["success"] is False
    return answer["error"]


async def settle(rig: Rig) -> None:
    await trio.testing.wait_all_tasks_blocked(0.02)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_any_method_crosses(layer: str, method: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        answer = await client.ask(
            rig.request(f"{method} ~/a/b?c=d", "Content-Length: 3", body=b"xyz"), method=method
        )
        assert (answer.status, answer.headers["x-method"], answer.body) == (200, method, b"xyz")


async def test_one_connection_serves_many_requests(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        for number in range(5):
            answer = await client.ask(
                rig.request(f"POST ~/{number}", "Content-Length: 1", body=b"x"), method="POST"
            )
            assert answer.headers["x-target"] == f"/{number}"


async def test_requests_sent_ahead_are_answered_in_order(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        await client.send(b"".join(rig.request(f"GET ~/{number}") for number in range(20)))
        for number in range(20):
            assert (await client.answer()).headers["x-target"] == f"/{number}"


async def test_h16_an_answer_arrives_piece_by_piece_while_the_device_is_still_sending(layer: str) -> None:
    go_on = trio.Event()

    async def events(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await go_on.wait()
        await stream.send_all(b"data: 2\n\n")
        await finish(stream)

    async with open_rig(layer, events) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/events"))
        head = await client.line()
        assert b"text/event-stream" in head
        assert b"data: 1" in await client.exactly(len("9\r\ndata: 1\n\n\r\n"))
        go_on.set()
        assert b"data: 2" in await client.exactly(len("9\r\ndata: 2\n\n\r\n"))


async def test_an_upload_arrives_piece_by_piece_while_the_client_is_still_sending(layer: str) -> None:
    first = trio.Event()

    async def device(stream: TunnelStream) -> None:
        request = await Request(stream).read_head()
        assert await request.piece() == b"one"
        first.set()
        assert await request.piece() == b"two"
        await stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        await finish(stream)

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/up", "Content-Length: 6", body=b"one"))
        await first.wait()
        await client.send(b"two")
        assert (await client.answer("POST")).status == 204


async def test_a_chunked_upload_stays_chunked(layer: str) -> None:
    seen: dict[str, str] = {}

    async def device(stream: TunnelStream) -> None:
        request = await read_request(stream)
        seen.update(request.headers)
        assert request.body == b"hello"
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await finish(stream)

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        body = b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        assert (
            await client.ask(rig.request("PUT ~/", "Transfer-Encoding: chunked", body=body))
        ).status == 200
    assert seen["transfer-encoding"] == "chunked"
    assert "content-length" not in seen


@pytest.mark.parametrize("status", [204, 304])
async def test_h16_statuses_without_a_body_have_none_whatever_the_device_says(
    layer: str, status: int
) -> None:
    device = answering(b"HTTP/1.1 %d Fine\r\nContent-Length: 5\r\n\r\n" % status)
    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        for _ in range(2):
            answer = await client.ask(rig.request("GET ~/"))
            assert (answer.status, answer.body) == (status, b"")


async def test_h16_head_is_answered_without_a_body_and_with_its_length(layer: str) -> None:
    device = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        for _ in range(2):
            answer = await client.ask(rig.request("HEAD ~/"), method="HEAD")
            assert (answer.status, answer.headers["content-length"], answer.body) == (200, "5000", b"")


async def test_h17_ranges_and_validators_pass_both_ways(layer: str) -> None:
    seen: dict[str, str] = {}

    async def device(stream: TunnelStream) -> None:
        seen.update((await read_request(stream)).headers)
        await stream.send_all(
            b'HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 3-4/9\r\nETag: "v1"\r\n\r\nab'
        )
        await finish(stream)

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/f", "Range: bytes=3-4", 'If-Range: "v1"'))
    assert (answer.status, answer.headers["content-range"], answer.headers["etag"]) == (
        206,
        "bytes 3-4/9",
        '"v1"',
    )
    assert (seen["range"], seen["if-range"]) == ("bytes=3-4", '"v1"')


async def test_h04_h09_our_credentials_and_forged_addresses_do_not_reach_the_device(layer: str) -> None:
    seen: dict[str, str] = {}

    async def device(stream: TunnelStream) -> None:
        seen.update((await read_request(stream)).headers)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await finish(stream)

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        await client.ask(
            rig.request(
                "GET ~/",
                "Cookie: visiona_session=secret; device=kept",
                "X-Forwarded-For: 6.6.6.6",
                "X-Real-IP: 6.6.6.6",
                "X-Visiona-User: root",
                "Origin: https://evil.example",
            )
        )
    assert "authorization" not in seen
    assert "origin" not in seen
    assert "x-visiona-user" not in seen
    assert seen["cookie"] == "device=kept"
    assert seen["x-forwarded-for"] == "127.0.0.1"


async def test_h09_h10_a_device_can_neither_set_our_cookie_nor_speak_for_our_origin(layer: str) -> None:
    device = answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: visiona_session=mine; Path=/\r\n"
        b"Set-Cookie: a=b; Domain=example.org; Path=/\r\nStrict-Transport-Security: max-age=1\r\n"
        b"Access-Control-Allow-Origin: *\r\nContent-Type: text/html\r\n\r\n"
    )
    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/"))
    assert "strict-transport-security" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert rig.base in answer.headers["set-cookie"]
    assert "visiona_session" not in answer.headers["set-cookie"]
    assert "Domain" not in answer.headers["set-cookie"]


async def test_h10_a_picture_that_asks_for_a_password_is_only_not_there(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.web.device_rig.ACTOR", replace(ACTOR, via=Via.SESSION))
    device = answering(
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=visiona\r\n\r\n"
    )
    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        picture = await client.ask(rig.request("GET ~/cam", "Sec-Fetch-Mode: no-cors"))
        page = await client.ask(rig.request("GET ~/cam", "Sec-Fetch-Mode: navigate"))
    assert (picture.status, picture.headers.get("www-authenticate")) == (401, None)
    assert (page.status, page.headers["www-authenticate"]) == (401, "Basic realm=visiona")


async def test_a_request_id_comes_back_and_reaches_the_device(layer: str) -> None:
    seen: dict[str, str] = {}

    async def device(stream: TunnelStream) -> None:
        seen.update((await read_request(stream)).headers)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await finish(stream)

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/", "X-Request-Id: mine-1"))
    assert answer.headers["x-request-id"] == seen["x-request-id"] == "mine-1"


async def test_nobody_is_let_in_without_a_token(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/", token="vAp_wrong"))
        assert answer.status == 401
        assert error_of(answer.body)["code"] == "UNAUTHENTICATED"
        assert (await client.ask(rig.request("GET ~/"))).status == 200


async def test_h08_anothers_device_answers_as_one_that_does_not_exist(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        theirs = await client.ask(rig.request("GET ~/", token=STRANGER_TOKEN))
        nobodys = await client.ask(
            rig.request("GET /api/devices/00000000-0000-0000-0000-0000000000ff/proxy/", token=STRANGER_TOKEN)
        )
        shouted = await client.ask(
            rig.request(f"GET {rig.base.replace('0007', '000A')}/", token=STRANGER_TOKEN)
        )
        assert [answer.status for answer in (theirs, nobodys, shouted)] == [404, 404, 404]
        messages = {str(error_of(answer.body)["message"]) for answer in (theirs, nobodys, shouted)}
        assert len(messages) == 1


async def test_h08_an_id_in_another_case_is_not_the_same_device(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        device = "0190d9a0-abcd-7000-8000-00000000000a"
        rig.stores.known[device] = device_record(device)
        client = await rig.connect()
        assert (await client.ask(rig.request(f"GET /api/devices/{device}/proxy/"))).status == 503
        assert (await client.ask(rig.request(f"GET /api/devices/{device.upper()}/proxy/"))).status == 404


async def test_t32_a_device_without_a_tunnel_is_503_with_since_and_cause(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        rig.live.tunnel.close("keepalive_timeout")
        rig.registry.depart(rig.live, Cause.KEEPALIVE_TIMEOUT)
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/"))
        assert answer.status == 503
        error = error_of(answer.body)
        assert error["code"] == "DEVICE_OFFLINE"
        assert error["details"]["cause"] == "keepalive_timeout"
        assert error["details"]["since"].endswith("Z")


async def test_a_navigation_to_a_device_that_is_gone_gets_a_page_with_the_cause(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        rig.registry.depart(rig.live, Cause.AGENT_CLOSED)
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/", "Sec-Fetch-Mode: navigate"))
        assert answer.status == 503
        assert answer.headers["content-type"].startswith("text/html")
        assert b"the agent closed the connection" in answer.body


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 30,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nlonger than that",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab",
    ],
    ids=range(11),
)
async def test_t50_a_device_that_answers_garbage_is_502_and_keeps_its_tunnel(
    layer: str, garbage: bytes
) -> None:
    async def device(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(garbage)
        with pytest.raises(trio.BrokenResourceError):
            while True:
                assert await stream.receive_some() != b""

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/"))
        assert answer.status == 502
        assert error_of(answer.body)["code"] == "DEVICE_ERROR"
        assert rig.live.tunnel.is_open


async def test_t33_a_device_that_ends_without_an_answer_is_502(layer: str) -> None:
    async with open_rig(layer, answering(b"")) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request("GET ~/"))).status == 502


@pytest.mark.parametrize(
    "short",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
    ids=["sized", "chunked"],
)
async def test_t33_a_short_answer_never_ends_well(layer: str, short: bytes) -> None:
    async with open_rig(layer, answering(short)) as rig:
        client = await rig.connect()
        with pytest.raises((h11.RemoteProtocolError, trio.BrokenResourceError)):
            await client.ask(rig.request("GET ~/"))


async def test_t52_an_answer_with_a_length_ends_well_although_the_device_never_ends_its_stream(
    layer: str,
) -> None:
    reset = trio.Event()

    async def device(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert await stream.receive_some() == b""
        try:
            await stream.send_all(b"x")
            await trio.sleep_forever()
        finally:
            reset.set()

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request("GET ~/"))).body == b"ok"
        await settle(rig)
        assert rig.live.tunnel.stream_count == 1
        rig.pass_seconds(6)
        assert rig.live.tunnel.stream_count == 0


async def test_t51_a_device_that_never_answers_is_504(layer: str) -> None:
    async def silent(stream: TunnelStream) -> None:
        await read_request(stream)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with open_rig(layer, silent) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await settle(rig)
        rig.pass_seconds(59)
        await settle(rig)
        assert rig.live.tunnel.stream_count == 1
        rig.pass_seconds(2)
        answer = await client.answer()
        assert answer.status == 504
        assert error_of(answer.body)["code"] == "DEVICE_TIMEOUT"


async def test_a_verb_may_take_minutes_before_it_is_answered(layer: str) -> None:
    go_on = trio.Event()

    async def slow(stream: TunnelStream) -> None:
        await read_request(stream)
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await finish(stream)

    async with open_rig(layer, slow) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/connect", "Content-Length: 0"))
        await settle(rig)
        rig.pass_seconds(290)
        go_on.set()
        assert (await client.answer("POST")).status == 200


async def test_t51_an_answer_that_stalls_is_broken_off_after_the_idle_time(layer: str) -> None:
    async def stalling(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with open_rig(layer, stalling) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await client.line()
        await settle(rig)
        rig.pass_seconds(121)
        assert await client.rest() == b"short"


async def test_h15_a_viewer_that_leaves_resets_the_stream_at_once(layer: str) -> None:
    left = trio.Event()

    async def camera(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n--x\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        left.set()

    async with open_rig(layer, camera) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/camera"))
        await client.line()
        await client.aclose()
        with trio.fail_after(1):
            await left.wait()


async def test_a_client_that_leaves_before_the_answer_resets_the_stream_at_once(layer: str) -> None:
    left = trio.Event()
    asked = trio.Event()

    async def silent(stream: TunnelStream) -> None:
        await read_request(stream)
        asked.set()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        left.set()

    async with open_rig(layer, silent) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await asked.wait()
        await client.aclose()
        with trio.fail_after(1):
            await left.wait()
        assert len(rig.registry.calls) == 0


async def test_a_client_that_leaves_in_mid_upload_resets_the_stream(layer: str) -> None:
    left = trio.Event()

    async def device(stream: TunnelStream) -> None:
        request = await Request(stream).read_head()
        await request.piece()
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await stream.receive_some()
        left.set()

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/", "Content-Length: 1000", body=b"some"))
        await settle(rig)
        await client.aclose()
        with trio.fail_after(1):
            await left.wait()


async def test_t30_an_upload_that_the_device_does_not_take_waits_and_is_not_gathered_here(layer: str) -> None:
    async def device(stream: TunnelStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            while True:
                # Never reads, so never gives credit.
                await stream.wait_send_all_might_not_block()
                await trio.sleep(0.01)
                stream.stream.write(b"")

    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        sent = 0
        with trio.move_on_after(0.5):
            await client.send(rig.request("POST ~/", f"Content-Length: {1 << 30}"))
            while True:
                await client.stream.send_all(bytes(65536))
                sent += 65536
        # The window, the stream's queue, two socket buffers; not the 314 MB that Quart took.
        assert sent < 24 << 20
        await client.aclose()


@pytest.mark.parametrize("path", ["~/x", "/api/nothing", "/livez"])
async def test_h05_with_a_public_url_a_request_by_another_name_is_misdirected(layer: str, path: str) -> None:
    web = WebSettings(public_url="https://Visiona.example")
    async with open_rig(layer, echo, web=web) as rig:
        for host, is_ours in (
            ("visiona.example", True),
            ("localhost:9", True),
            (f"127.0.0.1:{rig.port}", True),
            ("evil.example", False),
        ):
            client = await rig.connect()
            target = path.replace("~", rig.base)
            head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
            answer = await client.ask(head.encode())
            assert (answer.status != 421) is is_ours, host
            if not is_ours:
                assert error_of(answer.body)["code"] == "VALIDATION_FAILED"


async def test_a_revoked_credential_ends_what_runs_on_it(layer: str) -> None:
    async with open_rig(layer, answering(b"")) as rig:
        pass

    async def silent(stream: TunnelStream) -> None:
        await read_request(stream)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with open_rig(layer, silent) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await settle(rig)
        assert rig.registry.calls.cut_credential("0190d9a0-0000-7000-8000-000000000002") == 1
        assert (await client.answer()).status == 401


async def test_h14_a_token_that_expires_cuts_an_endless_answer(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.web.device_rig.ACTOR", replace(ACTOR, expires_at=NOW))

    async def events(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with open_rig(layer, events) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        assert (await client.line()).startswith(b"HTTP/1.1 200")
        assert rig.registry.calls.expire(NOW) == 1
        with trio.fail_after(2):
            assert not (await client.rest()).endswith(b"0\r\n\r\n")


async def test_t40_a_tunnel_that_dies_under_a_request_is_502_with_the_cause(layer: str) -> None:
    async def silent(stream: TunnelStream) -> None:
        await read_request(stream)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with open_rig(layer, silent) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await settle(rig)
        rig.live.tunnel.close("keepalive_timeout")
        answer = await client.answer()
        assert answer.status == 502
        assert error_of(answer.body)["details"] == {"cause": "keepalive_timeout"}


@pytest.mark.parametrize(
    "path",
    [
        "~/../../auth",
        "~/%2e%2e/x",
        "~/a/%252e%252e/x",
        "~/..;/x",
        "~/a%2fb",
        "~/a%5cb",
        "~//evil.example/",
        "~/a%00b",
        "~/%c0%ae%c0%ae/x",
    ],
)
async def test_h07_a_path_that_two_servers_could_read_differently_is_refused(layer: str, path: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request(f"GET {path}"))).status == 400


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "TRACK"])
async def test_h06_connect_and_trace_are_405(layer: str, method: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request(f"{method} ~/"))).status == 405


@pytest.mark.parametrize("target", ["http://169.254.169.254/", "http://door.test/api/devices/x/proxy/"])
async def test_h06_an_absolute_target_never_changes_the_destination(layer: str, target: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request(f"GET {target}"))).status == 400


async def test_h02_an_h2c_upgrade_is_never_forwarded(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        answer = await client.ask(
            rig.request(
                "GET ~/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
            )
        )
        assert answer.status == 200


async def test_what_is_not_for_a_device_reaches_the_site(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request("GET /api/devices"))).body == b"site /api/devices"
        assert (await client.ask(rig.request("GET ~/a"))).headers["x-target"] == "/a"


async def test_a_device_request_first_and_the_site_after_it(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/a") + rig.request("GET /livez"))
        assert (await client.answer()).headers["x-target"] == "/a"
        assert (await client.answer()).body == b"site /livez"


@pytest.mark.parametrize(
    "path", ["/api/camera/list", "/api/media/x?y=1", "/api/firmware/a", "/ws/detections"]
)
async def test_the_existing_front_ends_paths_go_to_the_only_online_device(layer: str, path: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        assert (await client.ask(rig.request(f"GET {path}"))).headers["x-target"] == path
        named = await client.ask(rig.request(f"GET {path}", f"X-Visiona-Device: {rig.live.device_id}"))
        assert named.status == 200


async def test_a_verb_goes_to_the_devices_own_accelerator_and_its_progress_streams(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        one = Accelerator("kl520-0", "KL520", "KL520")
        two = Accelerator("kl720-1", "KL720", "KL720")
        rig.stores.known[rig.live.device_id] = device_record(rig.live.device_id, accelerators=(one,))
        client = await rig.connect()
        path = f"POST /api/devices/{rig.live.device_id}/flash"
        answer = await client.ask(rig.request(path, "Content-Length: 2", body=b"{}"), method="POST")
        assert (answer.headers["x-target"], answer.body) == ("/api/devices/kl520-0/flash", b"{}")
        rig.stores.known[rig.live.device_id] = device_record(rig.live.device_id, accelerators=(one, two))
        answer = await client.ask(rig.request(path, "Content-Length: 0"), method="POST")
        assert (answer.status, error_of(answer.body)["code"]) == (409, "DEVICE_AMBIGUOUS")
        chosen = await client.ask(
            rig.request(f"{path}?accelerator=kl720-1", "Content-Length: 0"), method="POST"
        )
        assert chosen.headers["x-target"] == "/api/devices/kl720-1/flash"
        named = await client.ask(
            rig.request("POST /api/devices/kl720-1/connect", "Content-Length: 0"), method="POST"
        )
        assert named.headers["x-target"] == "/api/devices/kl720-1/connect"
        unknown = await client.ask(rig.request(f"{path}?accelerator=x", "Content-Length: 0"), method="POST")
        assert unknown.status == 404


async def test_a_scan_that_succeeds_is_reported_so_that_the_accelerators_are_read_again(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("POST /api/devices/scan", "Content-Length: 0"), method="POST")
        assert answer.headers["x-target"] == "/api/devices/scan"
        assert rig.scanned == [rig.live]


def access_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.name == "visiona.access"]


@pytest.mark.parametrize(
    ("line", "token", "status"),
    [
        ("GET ~/x", "unknown", 401),
        ("GET ~/x", STRANGER_TOKEN, 404),
        ("GET ~/../x", TOKEN, 400),
        ("GET /api/devices/00000000-0000-0000-0000-000000000009/proxy/x", TOKEN, 404),
        ("GET /api/devices/kl520/connect", TOKEN, 405),
    ],
)
async def test_a_refused_request_has_its_line_in_the_access_log(
    layer: str, line: str, token: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "visiona.access")
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request(line, "X-Request-Id: mine-7", token=token))
        assert answer.status == status
    (seen,) = access_lines(caplog)
    assert (seen["status"], seen["request_id"], seen["method"]) == (status, "mine-7", "GET")
    assert seen["address"] == "127.0.0.1"


async def test_a_viewer_who_left_has_its_line_in_the_access_log(
    layer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "visiona.access")
    left = trio.Event()

    async def camera(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        left.set()

    async with open_rig(layer, camera) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/events"))
        assert b"200" in await client.line()
        await trio.aclose_forcefully(client.stream)
        with trio.fail_after(3):
            await left.wait()
        await settle(rig)
    (seen,) = access_lines(caplog)
    assert (seen["status"], seen["ended"], seen["device_id"]) == (200, "client_left", rig.live.device_id)
    assert "agent_ms" in seen


async def test_an_answer_that_breaks_off_says_so_in_the_access_log(
    layer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "visiona.access")
    has_come = trio.Event()

    async def short(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        await has_come.wait()
        await finish(stream)

    async with open_rig(layer, short) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await client.line()
        has_come.set()
        await client.rest()
        await settle(rig)
    (seen,) = access_lines(caplog)
    assert (seen["status"], seen["ended"]) == (200, "broken_off")


@pytest.mark.parametrize(
    "line",
    [
        "GET /api/devices/kl520-0/proxy/x",
        "GET /api/devices//proxy/x",
        "POST /api/devices/a%20b/connect",
        "POST /api/devices/kl520-0/scan",
        "GET /ws/x?device_id=1",
    ],
)
async def test_h20_nobody_learns_without_a_token_which_ids_can_exist(layer: str, line: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        method = line.partition(" ")[0]
        unknown = await client.ask(rig.request(line, token="unknown"), method=method)
        assert (unknown.status, error_of(unknown.body)["code"]) == (401, "UNAUTHENTICATED")
        known = await client.ask(rig.request(line), method=method)
        assert (known.status, error_of(known.body)["code"]) == (404, "NOT_FOUND")
