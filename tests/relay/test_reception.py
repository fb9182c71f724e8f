"""The agents' path on real sockets: who is let in, who is not, and how fast. The clock is virtual."""

import contextlib
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

import pytest
import trio
import trio.testing
from visiona.domain.causes import Cause
from visiona.domain.devices import EventKind
from visiona.domain.ids import TokenId
from visiona.domain.listen import ListenAddress
from visiona.domain.notices import NoticeKind
from visiona.services import clock
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.memory.engine import MemoryStores
from visiona.tunnel.pipe import StreamPipe
from visiona.tunnel.session import open_tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.http1.head import parse_request_head
from visiona.wire.websocket.frames import Closed, FrameReader
from visiona.wire.websocket.handshake import accept_value
from visiona.wire.yamux.limits import Limits, Role

from tests.support.faults import FailingStores
from tests.support.nouns import a_home
from tests.support.relays import (
    LOOPBACK,
    Paired,
    Running,
    accept,
    an_agent,
    ask,
    knock,
    pair,
    request,
    running,
    until,
)
from tests.support.tunnels import Remembering

T = TypeVar("T")
CERTIFICATES = Path(__file__).parents[1] / "support" / "certificates"

Clock = trio.testing.MockClock


async def a_device(relay: Running) -> Paired:
    return await pair(relay.stores, await a_home(relay.stores))


def code_of(body: bytes) -> str:
    answer = json.loads(body)
    assert answer["success"] is False
    assert answer["error"]["request_id"]
    return str(answer["error"]["code"])


async def test_an_agent_with_a_good_token_is_online_until_it_leaves(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        async with an_agent(
            relay, paired.token, "X-Visiona-Agent: edge/1.2", "X-Visiona-Instance: i1"
        ) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            live = relay.registry.online(paired.device.id)
            assert live is not None
            assert (live.agent_version, live.instance, live.peer_address) == ("edge/1.2", "i1", "127.0.0.1")
            agent.close("agent_closed")
        await until(lambda: relay.registry.last_seen(paired.device.id))
        offline = relay.registry.last_seen(paired.device.id)
        assert offline is not None
        assert offline.cause is Cause.AGENT_CLOSED
        assert [change.online for change in relay.changes] == [True, False]


async def test_the_upgrade_is_answered_as_the_key_asks(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        answer = await knock(relay, request(paired.token))
        assert answer.status == 101
        assert answer.headers["sec-websocket-accept"].encode() == accept_value(b"dGhlIHNhbXBsZSBub25jZQ==")
        await until(lambda: not relay.registry.all() and relay.changes)


async def test_every_answer_names_its_request_as_the_newcomer_does(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        for asked, status in (
            (request(paired.token, "X-Request-Id: mine-1"), 101),
            (request(f"vAs_{1:064x}", "X-Request-Id: mine-1"), 401),
            (request(None, "X-Request-Id: mine-1", target="/"), 404),
            (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-1\r\n\r\n", 200),
        ):
            answer = await knock(relay, asked)
            assert (answer.status, answer.headers["x-request-id"]) == (status, "mine-1")
        unfit = await knock(relay, request(paired.token, f"X-Request-Id: {paired.token}"))
        assert len(unfit.headers["x-request-id"]) == 24
        await until(lambda: not relay.registry.all())


async def test_an_old_agent_may_put_its_token_into_the_query(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        answer = await knock(relay, request(None, target=f"/tunnel/connect?x=1&token={paired.token}"))
        assert answer.status == 101
        await until(lambda: relay.changes)


async def test_a_token_is_never_logged(patient_clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with running() as relay:
        paired = await a_device(relay)
        await knock(relay, request(None, target=f"/tunnel/connect?token={paired.token}"))
        await knock(relay, request(None, target=f"/tunnel/connect?token={paired.token[:-1]}g"))
        await knock(relay, request(None, target=f"/elsewhere?token={paired.token}"))
        await until(lambda: relay.changes)
    assert caplog.records
    for record in caplog.records:
        assert paired.token[8:60] not in f"{record.getMessage()} {vars(record)}"


# T-01 … T-04: newcomers that take their time, or say too much


@pytest.mark.parametrize("first", [b"", b"GET /tunnel/connect HTTP/1.1\r\n"], ids=["silent", "slow"])
async def test_t01_t02_a_newcomer_has_ten_seconds_in_all(patient_clock: Clock, first: bytes) -> None:
    async with running() as relay:
        began = trio.current_time()
        async with await relay.connect() as stream:
            if first:
                await stream.send_all(first)
            for letter in b"Host: relay.example":
                with trio.move_on_after(4):
                    assert await stream.receive_some() == b""
                    break
                if first:
                    await stream.send_all(bytes([letter]))
        assert 9.9 < trio.current_time() - began < 10.5


async def test_t01_one_address_may_have_few_newcomers_and_keeps_nobody_else_out(
    patient_clock: Clock,
) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        slow = [await relay.connect() for _ in range(LOOPBACK.unauthenticated_per_address)]
        await until(lambda: relay.relay.reception.newcomers == len(slow))
        assert (await knock(relay, b"")).status == 0
        assert (await knock(relay, request(paired.token), local_address="127.0.0.2")).status == 101
        for stream in slow:
            await stream.aclose()
        await until(lambda: relay.relay.reception.newcomers == 0)
        assert (await knock(relay, request(paired.token))).status == 101
        await until(lambda: not relay.registry.all())


async def test_t01_agents_that_were_let_in_do_not_count_as_newcomers(patient_clock: Clock) -> None:
    settings = replace(LOOPBACK, unauthenticated_per_address=1)
    async with running(settings) as relay:
        home = await a_home(relay.stores)
        first, second = await pair(relay.stores, home), await pair(relay.stores, home)
        async with an_agent(relay, first.token):
            await until(lambda: relay.registry.online(first.device.id))
            async with an_agent(relay, second.token):
                await until(lambda: relay.registry.online(second.device.id))


async def test_t03_a_tls_hello_that_stalls_has_ten_seconds(patient_clock: Clock) -> None:
    settings = replace(LOOPBACK, tls_certificate=CERTIFICATES / "one.pem", tls_key=CERTIFICATES / "one.key")
    async with running(settings) as relay, await relay.connect() as stream:
        began = trio.current_time()
        await stream.send_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert await stream.receive_some() == b""
        assert 9.9 < trio.current_time() - began < 10.5


async def test_an_agent_comes_in_over_tls(patient_clock: Clock) -> None:
    settings = replace(LOOPBACK, tls_certificate=CERTIFICATES / "one.pem", tls_key=CERTIFICATES / "one.key")
    context = ssl.create_default_context(cafile=CERTIFICATES / "one.pem")
    async with running(settings) as relay:
        paired = await a_device(relay)
        secure = await trio.open_ssl_over_tcp_stream("127.0.0.1", relay.port, ssl_context=context)
        answer = await ask(secure, request(paired.token))
        assert answer.status == 101
        transport = WebSocketTransport(StreamPipe(secure), is_client=True, leftover=answer.body)
        async with open_tunnel(transport, Role.CLIENT, limits=Limits(remote_may_open=True)) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            live = relay.registry.online(paired.device.id)
            assert live is not None
            stream = live.tunnel.open_stream_nowait(Remembering())
            stream.write(b"through TLS")
            accepted = await accept(agent, stream)
            assert await accepted.receive_some() == b"through TLS"
            await accepted.aclose()


BAD_HEADS = {
    "too long": (request(None, "X-Long: " + "x" * 17_000), 431),
    "too many fields": (request(None, *(f"X-{number}: 1" for number in range(101))), 431),
    "NUL": (request(None, "X-Nul: a\0b"), 400),
    "bare LF": (b"GET /tunnel/connect HTTP/1.1\nHost: x\n\n", 400),
    "obs-fold": (request(None, "X-Fold: a", " b"), 400),
    "space before colon": (request(None, "X-Space : a"), 400),
    "not HTTP": (b"\x00\x01\x02\x03", 400),
}


@pytest.mark.parametrize("head", BAD_HEADS)
async def test_t04_a_bad_head_is_refused_with_one_log_line(
    patient_clock: Clock, head: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    data, status = BAD_HEADS[head]
    async with running() as relay:
        answer = await knock(relay, data)
    assert answer.status == status
    assert code_of(answer.body) == "VALIDATION_FAILED"
    assert len(caplog.records) == 1


# T-05 … T-09: tokens


async def test_t05_only_a_live_session_token_gets_in_and_nothing_is_written(patient_clock: Clock) -> None:
    stores = FailingStores(MemoryStores())
    async with running(stores=stores) as relay:
        home = await a_home(stores)
        paired, expired = await pair(stores, home), await pair(stores, home, lives=timedelta(seconds=-1))
        revoked = await pair(stores, home)
        now = clock.now()
        await stores.write(lambda tx: tx.session_tokens.revoke(TokenId(revoked.token_id), now))
        written = stores.writes
        refused = {
            None: "UNAUTHENTICATED",
            "": "UNAUTHENTICATED",
            "nonsense": "UNAUTHENTICATED",
            "vAs_" + "0" * 64: "UNAUTHENTICATED",
            paired.token.upper(): "UNAUTHENTICATED",
            "vAc_" + "0" * 32: "UNAUTHENTICATED",
            "vAs_" + "é" * 64: "UNAUTHENTICATED",
            expired.token: "SESSION_TOKEN_EXPIRED",
            revoked.token: "SESSION_TOKEN_REVOKED",
        }
        for token, code in refused.items():
            answer = await knock(relay, request(token))
            assert (answer.status, code_of(answer.body)) == (401, code)
        assert stores.writes == written
        assert relay.changes == []


async def test_t06_a_huge_token_is_refused_without_asking_the_store(patient_clock: Clock) -> None:
    stores = Counting()
    async with running(stores=stores) as relay:
        reads = stores.reads
        answer = await knock(relay, request("vAs_" + "0" * 10_000))
        assert (answer.status, stores.reads) == (401, reads)


BAD_UPGRADES = {
    "no version": (request(None, leave_out="Sec-WebSocket-Version"), 426),
    "old version": (request(None, "Sec-WebSocket-Version: 8", leave_out="Sec-WebSocket-Version"), 426),
    "no key": (request(None, leave_out="Sec-WebSocket-Key"), 400),
    "short key": (request(None, "Sec-WebSocket-Key: dGhl", leave_out="Sec-WebSocket-Key"), 400),
    "no upgrade": (request(None, leave_out="Upgrade"), 426),
    "HTTP/1.0": (request(None, version="HTTP/1.0"), 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS on the plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "POST": (request(None, "Content-Length: 0", method="POST"), 405),
}


@pytest.mark.parametrize("upgrade", BAD_UPGRADES)
async def test_t07_a_bad_upgrade_is_refused(patient_clock: Clock, upgrade: str) -> None:
    data, status = BAD_UPGRADES[upgrade]
    async with running() as relay:
        answer = await knock(relay, data)
    assert answer.status == status
    if status == 426:
        assert answer.headers["sec-websocket-version"] == "13"


async def test_t08_a_browser_is_refused_even_with_a_good_token(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        answer = await knock(relay, request(paired.token, "Origin: https://relay.example"))
        assert (answer.status, code_of(answer.body)) == (403, "FORBIDDEN")


async def test_t09_guessing_is_stopped_by_address_and_does_not_lock_the_agent_out(
    patient_clock: Clock,
) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        for number in range(LOOPBACK.failures_per_minute):
            assert (await knock(relay, request(f"vAs_{number:064x}"))).status == 401
        answer = await knock(relay, request(f"vAs_{99:064x}"))
        assert (answer.status, code_of(answer.body)) == (429, "RATE_LIMITED")
        assert 50 < int(answer.headers["retry-after"]) <= 60
        assert (await knock(relay, request(paired.token), local_address="127.0.0.2")).status == 101
        await trio.sleep(60)
        assert (await knock(relay, request(f"vAs_{99:064x}"))).status == 401
        await until(lambda: not relay.registry.all())


async def test_t10_compression_is_declined_and_a_broken_frame_is_answered_with_1002(
    patient_clock: Clock,
) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        async with await relay.connect() as stream:
            offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
            answer = await ask(stream, request(paired.token, offer))
            assert answer.status == 101
            assert "sec-websocket-extensions" not in answer.headers
            await stream.send_all(b"\x82\x7f" + b"\xff" * 8)
            reader = FrameReader(expect_masked=False)
            events = reader.receive_data(answer.body)
            while not reader.closed:
                events += reader.receive_data(bytes(await stream.receive_some(65536)))
            assert isinstance(events[-1], Closed)
            assert events[-1].code == 1002
        await until(lambda: relay.registry.last_seen(paired.device.id))
        offline = relay.registry.last_seen(paired.device.id)
        assert offline is not None
        assert (offline.cause, offline.detail) == (Cause.PROTOCOL_ERROR, "websocket")


async def test_t11_without_the_store_nobody_is_let_in_and_nobody_is_refused_for_good(
    patient_clock: Clock,
) -> None:
    stores = Counting()
    async with running(stores=stores) as relay:
        paired = await a_device(relay)
        stores.is_down = True
        answer = await knock(relay, request(paired.token))
        assert (answer.status, code_of(answer.body)) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        stores.is_down = False
        assert (await knock(relay, request(paired.token))).status == 101
        await until(lambda: not relay.registry.all())


async def test_while_the_server_drains_newcomers_are_told_to_come_again(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        relay.stopping.set()
        answer = await knock(relay, request(paired.token))
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0


async def test_there_is_nothing_else_on_this_port(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        assert (await knock(relay, request(paired.token, target="/"))).status == 404
        assert (await knock(relay, request(paired.token, target="/tunnel/connect/"))).status == 404
        alive = await knock(relay, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (alive.status, alive.body) == (200, b'{"status":"ok"}')
        assert relay.changes == []


# T-41 … T-46, T-53: tunnels that come, replace and are taken away


async def test_t41_an_agent_that_flaps_is_told_to_wait(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        statuses = []
        for _ in range(LOOPBACK.reconnects_burst + 1):
            answer = await knock(relay, request(paired.token))
            statuses.append(answer.status)
            await until(lambda: not relay.registry.all())
        assert statuses == [101] * LOOPBACK.reconnects_burst + [429]
        assert 0 < int(answer.headers["retry-after"]) <= 10


async def test_t42_the_newest_connection_replaces_the_old_one_without_a_flicker(
    patient_clock: Clock,
) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        async with an_agent(relay, paired.token) as old:
            await until(lambda: relay.registry.online(paired.device.id))
            async with an_agent(relay, paired.token):
                assert (await old.wait_closed()).detail == "go_away"
                await until(lambda: len(relay.relay.pinger) == 1)
                live = relay.registry.online(paired.device.id)
                assert live is not None
                assert live.generation == 2
                assert [(change.online, change.cause) for change in relay.changes] == [
                    (True, None),
                    (True, Cause.REPLACED),
                    (True, None),
                ]


async def test_t42_a_request_on_the_replaced_tunnel_may_finish(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        async with an_agent(relay, paired.token) as old:
            await until(lambda: relay.registry.online(paired.device.id))
            live, handler = relay.registry.online(paired.device.id), Remembering()
            assert live is not None
            stream = live.tunnel.open_stream_nowait(handler)
            accepted = await accept(old, stream)
            async with an_agent(relay, paired.token):
                await until(lambda: not live.tunnel.is_open)
                await accepted.send_all(b"in time")
                await accepted.send_eof()
                await until(lambda: handler.ended)
                stream.end()
                assert handler.data == b"in time"
                assert (await live.tunnel.wait_closed()).cause == "replaced"
                await accepted.aclose()


async def test_t43_two_clones_that_fight_are_stopped_and_it_is_on_record(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        statuses, began = [], trio.current_time()
        async with contextlib.AsyncExitStack() as stack:
            while 409 not in statuses:
                stream = await stack.enter_async_context(await relay.connect())
                answer = await ask(stream, request(paired.token, f"X-Visiona-Instance: i{len(statuses) % 2}"))
                statuses.append(answer.status)
                await trio.sleep(1.5)
            assert statuses == [101] * 5 + [409]
            assert trio.current_time() - began < 60
            assert int(answer.headers["retry-after"]) > 60
            live = relay.registry.online(paired.device.id)
            assert live is not None
            assert live.instance == "i0"
            # Who holds the tunnel may come again; the other stays out.
            again = await knock(relay, request(paired.token, "X-Visiona-Instance: i1"))
            assert again.status == 409
        await trio.sleep(10)
        events = await relay.stores.read(lambda tx: tx.device_events.list_of_device(paired.device.id, 20))
        assert [event.kind for event in events].count(EventKind.ALARM) == 1


async def test_t45_a_revoked_token_cuts_its_tunnel_within_a_second(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        async with an_agent(relay, paired.token) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            live, handler = relay.registry.online(paired.device.id), Remembering()
            assert live is not None
            live.tunnel.open_stream_nowait(handler)

            async def revoke(tx: Tx) -> None:
                await tx.session_tokens.revoke(TokenId(paired.token_id), clock.now())
                await tx.notices.append(NoticeKind.SESSION_TOKEN_REVOKED, paired.token_id, clock.now())

            began = trio.current_time()
            await relay.stores.write(revoke)
            await handler.was_lost.wait()
            await agent.wait_closed()
            assert trio.current_time() - began < 1
        offline = relay.registry.last_seen(paired.device.id)
        assert offline is not None
        assert offline.cause is Cause.REVOKED
        assert code_of((await knock(relay, request(paired.token))).body) == "SESSION_TOKEN_REVOKED"


async def test_t45_a_token_that_runs_out_ends_its_tunnel_within_ten_seconds(patient_clock: Clock) -> None:
    async with running() as relay:
        home = await a_home(relay.stores)
        paired = await pair(relay.stores, home, lives=timedelta(milliseconds=300))
        async with an_agent(relay, paired.token) as agent:
            with trio.fail_after(10_000):
                closed = await agent.wait_closed()
            assert closed.cause == "agent_closed"
        offline = relay.registry.last_seen(paired.device.id)
        assert offline is not None
        assert offline.cause is Cause.EXPIRED


async def test_a_token_revoked_while_its_connect_was_answered_gets_no_tunnel(patient_clock: Clock) -> None:
    stores = Counting()
    async with running(stores=stores) as relay:
        paired = await a_device(relay)

        async def revoke_in_the_meantime() -> None:
            stores.after_read = None
            await stores.write(lambda tx: tx.session_tokens.revoke(TokenId(paired.token_id), clock.now()))
            relay.registry.cut_session_token(TokenId(paired.token_id))

        stores.after_read = revoke_in_the_meantime
        async with await relay.connect() as stream:
            answer = await ask(stream, request(paired.token))
            assert answer.status == 101
            assert answer.body + bytes(await stream.receive_some(100)) == b""
        assert relay.changes == []


async def test_t53_a_device_that_comes_back_from_another_address_takes_its_place(
    patient_clock: Clock,
) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        async with an_agent(relay, paired.token):
            await until(lambda: relay.registry.online(paired.device.id))
            async with an_agent(relay, paired.token, local_address="127.0.0.2"):
                await until(lambda: len(relay.changes) == 3)
                live = relay.registry.online(paired.device.id)
                assert live is not None
                assert live.peer_address == "127.0.0.2"


async def test_t53_an_agent_comes_in_over_ipv6(patient_clock: Clock) -> None:
    try:
        settings = replace(LOOPBACK, listen=ListenAddress("::1", 0))
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with running(settings) as relay:
        paired = await a_device(relay)
        async with await relay.connect("::1") as stream:
            assert (await ask(stream, request(paired.token))).status == 101
            await until(lambda: relay.registry.online(paired.device.id))
            live = relay.registry.online(paired.device.id)
            assert live is not None
            assert live.peer_address == "::1"


async def test_behind_a_trusted_proxy_addresses_are_the_clients(patient_clock: Clock) -> None:
    async with running(trusted=(ip_network("127.0.0.0/8"),)) as relay:
        paired = await a_device(relay)
        async with an_agent(relay, paired.token, "X-Forwarded-For: 198.51.100.7"):
            await until(lambda: relay.registry.online(paired.device.id))
            live = relay.registry.online(paired.device.id)
            assert live is not None
            assert live.peer_address == "198.51.100.7"


async def test_the_web_port_can_hand_a_connection_over(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await a_device(relay)
        ours, theirs = _tcp_pair()
        head = parse_request_head(request(paired.token))
        await relay.relay.serve_upgraded(ours, head, b"", "203.0.113.5")
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        async with stream:
            assert (await ask(stream, b"")).status == 101
            await until(lambda: relay.registry.online(paired.device.id))
        await until(lambda: not relay.registry.all())
        assert relay.changes[0].live.peer_address == "203.0.113.5"


async def test_a_bug_while_serving_one_device_is_logged_and_hurts_nobody_else(
    patient_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as relay:
        home = await a_home(relay.stores)
        healthy, unlucky = await pair(relay.stores, home), await pair(relay.stores, home)
        async with an_agent(relay, healthy.token):
            await until(lambda: relay.registry.online(healthy.device.id))
            async with an_agent(relay, unlucky.token) as agent:
                await until(lambda: relay.registry.online(unlucky.device.id))
                live = relay.registry.online(unlucky.device.id)
                assert live is not None

                class Broken(Remembering):
                    def stream_data(self, data: bytes) -> None:
                        raise ZeroDivisionError

                accepted = await accept(agent, live.tunnel.open_stream_nowait(Broken()))
                await accepted.send_all(b"x")
                await until(lambda: relay.registry.last_seen(unlucky.device.id))
            assert relay.registry.online(healthy.device.id)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert vars(record)["device_id"] == unlucky.device.id


class Counting:
    """Stores in memory that count, fail, or let something happen after a read."""

    def __init__(self) -> None:
        self._stores = MemoryStores()
        self.sessions = self._stores.sessions
        self.pending_logins = self._stores.pending_logins
        self.rates = self._stores.rates
        self.pings = self._stores.pings
        self.reads = 0
        self.is_down = False
        self.after_read: Callable[[], Awaitable[None]] | None = None

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        self._check()
        self.reads += 1
        answer = await self._stores.read(operation)
        if self.after_read is not None:
            await self.after_read()
        return answer

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        self._check()
        return await self._stores.write(operation, waits=waits)

    async def ping(self) -> None:
        self._check()
        await self._stores.ping()

    async def change_mark(self) -> int:
        self._check()
        return await self._stores.change_mark()

    async def wait_notice(self, seconds: float) -> None:
        await self._stores.wait_notice(seconds)

    def _check(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the database does not answer")


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs
