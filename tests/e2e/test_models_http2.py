"""A model's file over HTTP/2, by a client that is not ours: in windows, reset in the middle, too slow, and refused early."""

import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import pytest

from tests.e2e.client import SECONDS
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.e2e.test_models import announced, client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1024 * 1024
IDLE_SECONDS = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Server]:
    settings = ("storage.reserve_bytes=0", f"storage.upload_idle_seconds={IDLE_SECONDS:g}")
    with running_server(tmp_path_factory.mktemp("http2"), evidence, *settings) as server:
        yield server


class Http2:
    """One connection. `answers` are the requests' statuses and bodies by stream, as far as they came."""

    def __init__(self, sock: socket.socket, host: str) -> None:
        self._sock, self._host = sock, host
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.connection.initiate_connection()
        self.answers: dict[int, list[Any]] = {}
        self.ended: set[int] = set()
        self.waits = 0
        self._flush()

    def begin(self, method: str, url: str, *, has_body: bool = True, **headers: str) -> int:
        """Sends a request's head; gives its stream."""
        stream = self.connection.get_next_available_stream_id()
        path = url[url.index("/", 8) :] if "://" in url else url
        fields = [(":method", method), (":scheme", "http"), (":authority", self._host), (":path", path)]
        fields += [(name.replace("_", "-").lower(), value) for name, value in headers.items()]
        self.connection.send_headers(stream, fields, end_stream=not has_body)
        self.answers[stream] = [None, b""]
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, ends: bool = True) -> None:
        """Sends as the server's windows allow; stops where the answer ends first."""
        view = memoryview(data)
        while view and stream not in self.ended:
            room = min(
                self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size
            )
            if room == 0:
                self.waits += 1
                assert self.receive(SECONDS), "no window was given"
                continue
            self.connection.send_data(stream, bytes(view[:room]))
            view = view[room:]
            self._flush()
            self.receive(0)
        if ends and stream not in self.ended:
            self.connection.end_stream(stream)
            self._flush()

    def answer(self, stream: int) -> tuple[int, Any]:
        """Waits for the whole answer."""
        while stream not in self.ended:
            assert self.receive(SECONDS), "no answer came"
        status, body = self.answers[stream]
        return status, body

    def ask(self, method: str, url: str, data: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One whole request."""
        stream = self.begin(method, url, **headers)
        self.send(stream, data)
        return self.answer(stream)

    def reset(self, stream: int) -> None:
        """Breaks a request off."""
        self.connection.reset_stream(stream)
        self._flush()

    def receive(self, seconds: float) -> bool:
        """Takes what is here; False: nothing came in this time."""
        if not select.select([self._sock], [], [], seconds)[0]:
            return False
        data = self._sock.recv(65536)
        assert data, "the server closed the connection"
        for event in self.connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.answers[event.stream_id][0] = int(dict(event.headers)[b":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.answers[event.stream_id][1] += event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.ended.add(event.stream_id)
        self._flush()
        return True

    def _flush(self) -> None:
        self._sock.sendall(self.connection.data_to_send())


@contextmanager
def http2(server: Server) -> Iterator[Http2]:
    address = urlsplit(server.web)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), SECONDS) as sock:
        yield Http2(sock, address.netloc)


def received(over: Http2, url: str, size: int) -> int:
    status, body = over.ask("PUT", url, content_range=f"bytes */{size}")
    assert status in {200, 202}, body
    return int(body.partition(b'"received_bytes":')[2].partition(b",")[0])


def test_m03_a_file_comes_over_http2_in_windows_and_its_model_is_ready(server: Server) -> None:
    content = os.urandom(8 * MIB)
    with client(server, server.person("ada")) as api, http2(server) as over:
        model_id, url = announced(api, content)
        status, body = over.ask("PUT", url, content, content_length=str(len(content)))
        assert (status, b'"complete":true' in body) == (200, True)
        # The server lets it have a little at a time: 8 MiB do not fit into a window of 64 KiB.
        assert over.waits > 10
        assert api.post(f"/api/models/{model_id}/finalize").json()["data"]["status"] == "ready"
        assert api.get(f"/api/models/{model_id}/download").content == content


def test_m03_a_request_that_is_reset_in_the_middle_is_continued_on_the_same_connection(
    server: Server,
) -> None:
    content = os.urandom(4 * MIB)
    with client(server, server.person("bob")) as api, http2(server) as over:
        model_id, url = announced(api, content)
        stream = over.begin("PUT", url, content_length=str(len(content)))
        over.send(stream, content[: 2 * MIB], ends=False)
        over.reset(stream)
        # The one that was reset may hold the file for a moment longer, and says so.
        part, status = 0, 409
        while status == 409:
            part = received(over, url, len(content))
            span = f"bytes {part}-{len(content) - 1}/{len(content)}"
            status, body = over.ask("PUT", url, content[part:], content_range=span)
        assert (status, b'"complete":true' in body) == (200, True)
        assert MIB < part <= 2 * MIB
        assert api.post(f"/api/models/{model_id}/finalize").json()["data"]["status"] == "ready"
        assert api.get(f"/api/models/{model_id}/download").content == content


@pytest.mark.parametrize("drips", [False, True])
def test_h11_who_stands_still_or_drips_over_http2_is_ended_and_what_came_is_kept(
    server: Server, drips: bool
) -> None:
    content = os.urandom(2 * MIB)
    person = server.person(f"slow{drips:d}")
    with client(server, person) as api, http2(server) as over:
        model_id, url = announced(api, content)
        stream = over.begin("PUT", url, content_length=str(len(content)))
        over.send(stream, content[:MIB], ends=False)
        began, sent = monotonic(), MIB
        while stream not in over.ended:
            assert monotonic() - began < 6 * IDLE_SECONDS
            if drips and over.answers[stream][0] is None:
                over.send(stream, content[sent : sent + 1], ends=False)
                sent += 1
            over.receive(IDLE_SECONDS / 5)
        assert over.answers[stream][0] == 408
        part = received(over, url, len(content))
        assert MIB <= part <= sent
        # Only what was asked for waited; everybody else was served on this connection all the time.
        span = f"bytes {part}-{len(content) - 1}/{len(content)}"
        assert over.ask("PUT", url, content[part:], content_range=span)[0] == 200
        assert api.post(f"/api/models/{model_id}/finalize").status_code == 200


def test_m03_who_is_refused_in_the_middle_of_a_body_gets_the_answer_and_keeps_the_connection(
    server: Server,
) -> None:
    content = os.urandom(8 * MIB)
    with client(server, server.person("eve")) as api, http2(server) as over:
        _, url = announced(api, content)
        # Also where everything is written to the log (debug): it opens the way to this file.
        server.evidence.secret(url.rpartition("signature=")[2], "the signature of an upload link")
        for bent in (url.replace("size=", "size=1"), url.partition("?")[0]):
            assert over.ask("PUT", bent, content)[0] == 403
        assert over.ask("GET", "/readyz")[0] == 200
        assert over.ask("PUT", url, content)[0] == 200


def test_two_uploads_on_one_connection_do_not_wait_for_each_other(server: Server) -> None:
    one, two = os.urandom(MIB), os.urandom(MIB)
    with client(server, server.person("twin")) as api, http2(server) as over:
        urls = [announced(api, content, version)[1] for content, version in ((one, "1"), (two, "2"))]
        first = over.begin("PUT", urls[0])
        over.send(first, one[: MIB // 2], ends=False)
        assert over.ask("PUT", urls[1], two)[0] == 200
        over.send(first, one[MIB // 2 :])
        assert over.answer(first)[0] == 200


def test_a_length_that_lies_or_is_none_is_refused_and_only_its_request(
    server: Server, tmp_path: Path
) -> None:
    content = os.urandom(1000)
    with client(server, server.person("liar")) as api:
        _, url = announced(api, content)
        for length in ("999", "1001", "+1000", "1_000", "-1", "x", "9" * 30, "9" * 5000):
            with http2(server) as over:
                stream = over.begin("PUT", url, content_length=length)
                try:
                    over.send(stream, content)
                    over.answer(stream)
                except (AssertionError, h2.exceptions.ProtocolError, OSError):
                    # The connection ended: it is HTTP/2 itself that was broken.
                    continue
                assert over.answers[stream][0] != 200, length
        assert api.put(url, content=content).status_code == 200
