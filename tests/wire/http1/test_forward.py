"""A whole crossing, from the client's bytes to the device's and back."""

from dataclasses import replace

from visiona.wire.http1 import forward
from visiona.wire.http1.framing import request_framing, response_framing
from visiona.wire.http1.head import parse_request_head, parse_response_head

from tests.wire.http1.support import CROSSING, DEVICE, request, response


def test_everything_promised_is_there() -> None:
    assert all(hasattr(forward, name) for name in forward.__all__)


def test_a_request_and_its_answer_cross() -> None:
    head = parse_request_head(
        request(
            b"Cookie: visiona_session=s3cret; theme=dark",
            b"Origin: https://relay.example.com",
            b"Content-Length: 2",
            line=b"POST " + DEVICE + b"/login?next=/ HTTP/1.1",
        )
    )
    target = forward.agent_path(head.target, DEVICE)
    crossing = replace(CROSSING, agent_target=target)
    sent = forward.request_for_agent(head, target, crossing, request_framing(head))
    assert sent.startswith(b"POST /login?next=/ HTTP/1.1\r\n")
    assert b"s3cret" not in sent
    assert b"Origin" not in sent
    assert b"Cookie: theme=dark\r\n" in sent

    answer = parse_response_head(
        response(
            b"Location: ./welcome",
            b"Set-Cookie: id=1; Path=/",
            b"Content-Length: 0",
            line=b"HTTP/1.1 303 See Other",
        )
    )
    shown = forward.answer_for_client(
        answer, crossing, response_framing(answer, head.method), keep_alive=True
    )
    assert b"Location: " + DEVICE + b"/welcome\r\n" in shown
    assert b"Set-Cookie: id=1; Path=" + DEVICE + b"\r\n" in shown
