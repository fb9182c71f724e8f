"""Throws bytes at the WebSocket readers.

Only RemoteProtocolError may come out. What is accepted must be the same wherever it is cut, and the boundary tracker must
agree with the reader about where frames end.
"""

import random
import sys

from harness.rounds import run_rounds
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.head import find_head_end, parse_request_head, parse_response_head
from visiona.wire.websocket.boundary import BoundaryTracker
from visiona.wire.websocket.frames import (
    Event,
    FrameReader,
    Payload,
    binary_frame,
    close_frame,
    data_frame,
    frame_header,
    ping_frame,
    pong_frame,
)
from visiona.wire.websocket.handshake import (
    check_answer,
    check_upgrade,
    new_key,
    switching_protocols,
    upgrade_request,
)

KEY = new_key(bytes(16))


def some_frame(randomness: random.Random, mask: bytes | None) -> bytes:
    payload = randomness.randbytes(
        randomness.choice(
            [0, 1, 1, 2, 5, 5, 9, 30, 125, 126, 200, 65_536 if randomness.random() < 0.1 else 7]
        )
    )
    match randomness.randrange(6):
        case 0:
            return ping_frame(payload[:125], mask)
        case 1:
            return pong_frame(payload[:125], mask)
        case 2 if randomness.random() < 0.2:
            return close_frame(1000, "bye", mask)
        case 3:
            return data_frame([payload], mask, is_text=True)
        case 4:
            opcode, fin = randomness.randrange(16), randomness.random() < 0.5
            return frame_header(opcode, len(payload), mask, fin=fin) + payload
        case _:
            return binary_frame([payload], mask)


def some_frames(randomness: random.Random, mask: bytes | None) -> bytes:
    if randomness.random() < 0.1:
        return randomness.randbytes(randomness.randrange(64))
    data = bytearray(b"".join(some_frame(randomness, mask) for _ in range(randomness.randrange(1, 5))))
    for _ in range(randomness.choice([0, 0, 1, 2])):
        at = randomness.randrange(len(data))
        data[at : at + randomness.randrange(3)] = randomness.randbytes(randomness.randrange(4))
        data = data or bytearray(b"\x82")
    return bytes(data)


def joined(events: list[Event]) -> list[Event]:
    """Pieces of one message put together, control frames in between kept where they were among themselves."""
    controls = [event for event in events if not isinstance(event, Payload)]
    messages: list[Event] = []
    data = b""
    for event in events:
        if isinstance(event, Payload):
            data += event.data
            if event.ends_message:
                messages.append(Payload(data, event.is_text, ends_message=True))
                data = b""
    return [*controls, *messages, Payload(data)]


def try_frames(randomness: random.Random) -> None:
    masked = randomness.random() < 0.5
    data = some_frames(randomness, randomness.randbytes(4) if masked else None)
    whole = FrameReader(expect_masked=masked)
    events = whole.receive_data(data)
    cut, found, at = FrameReader(expect_masked=masked), [], 0
    tracker = BoundaryTracker()
    step = randomness.choice([1, 3, 1000])
    if step < 1000:
        data = data[:2000]
        whole = FrameReader(expect_masked=masked)
        events = whole.receive_data(data)
    while at < len(data):
        size = randomness.randrange(1, step + 1)
        found += cut.receive_data(data[at : at + size])
        tracker.feed(data[at : at + size])
        at += size
    assert joined(found) == joined(events), "cut, it reads differently"
    assert tracker.closed or not whole.closed, "the tracker missed a close"
    assert whole.closed or not tracker.closed or not tracker.at_boundary, (
        "the tracker saw a close that is none"
    )


def try_handshake(randomness: random.Random) -> None:
    request = randomness.random() < 0.5
    data = bytearray(
        upgrade_request(b"relay", b"/tunnel/connect", KEY) if request else switching_protocols(KEY)
    )
    for _ in range(randomness.randrange(4)):
        at = randomness.randrange(len(data))
        data[at : at + randomness.randrange(4)] = randomness.choice(
            [b"", b"\r\n", b",", b" ", randomness.randbytes(2)]
        )
    if find_head_end(data) != len(data):
        return
    if request:
        check_upgrade(parse_request_head(bytes(data)))
    else:
        check_answer(parse_response_head(bytes(data)), KEY)


if __name__ == "__main__":
    sys.exit(run_rounds([try_frames, try_handshake], (RemoteProtocolError,)))
