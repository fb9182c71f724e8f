import pytest
from visiona.web.door_checked import CheckedRequests
from visiona.web.door_frames import HEADER_BYTES, MAX_FRAME_BYTES, REFUSED, Frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(length: int, kind: int = 0) -> bytes:
    return length.to_bytes(3) + bytes([kind]) + b"\0" * 5 + b"x" * length


WELL = PREFACE + frame(0, 4) + frame(5) + frame(MAX_FRAME_BYTES) + frame(1)


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 23, 24, 25, 1000, 1 << 20])
def test_frames_pass_as_they_are_in_whatever_pieces_they_come(size: int) -> None:
    frames = Frames()
    assert b"".join(frames.receive(WELL[at : at + size]) for at in range(0, len(WELL), size)) == WELL


@pytest.mark.parametrize("size", [1, 7, 9, 33, 1 << 20])
@pytest.mark.parametrize("length", [MAX_FRAME_BYTES + 1, 2**24 - 1])
def test_h11_a_frame_that_is_too_long_is_refused_before_it_is_here(size: int, length: int) -> None:
    frames = Frames()
    sent = WELL + frame(length)[: HEADER_BYTES + 100] + frame(3)
    passed = b"".join(frames.receive(sent[at : at + size]) for at in range(0, len(sent), size))
    assert passed == WELL + REFUSED
    assert frames.receive(b"more") == b""


def test_h11_a_connection_in_http_2_is_held_to_it_from_its_first_bytes() -> None:
    requests = CheckedRequests()
    assert requests.receive(PREFACE[:10]) == b""
    passed = requests.receive(PREFACE[10:] + frame(3)) + requests.receive(b"\xff" * HEADER_BYTES)
    assert passed == PREFACE + frame(3) + REFUSED
