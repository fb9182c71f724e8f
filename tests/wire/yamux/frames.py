"""Frames in bytes, for tests to speak as a peer would."""

from visiona.wire.yamux.frame import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE, header


def syn(stream_id: int, credit: int = 0) -> bytes:
    return header(WINDOW_UPDATE, SYN, stream_id, credit)


def ack(stream_id: int) -> bytes:
    return header(WINDOW_UPDATE, ACK, stream_id, 0)


def fin(stream_id: int) -> bytes:
    return header(WINDOW_UPDATE, FIN, stream_id, 0)


def rst(stream_id: int) -> bytes:
    return header(WINDOW_UPDATE, RST, stream_id, 0)


def credit(stream_id: int, count: int) -> bytes:
    return header(WINDOW_UPDATE, 0, stream_id, count)


def data(stream_id: int, body: bytes, flags: int = 0) -> bytes:
    return header(DATA, flags, stream_id, len(body)) + body


def ping(opaque: int, flags: int = SYN) -> bytes:
    return header(PING, flags, 0, opaque)


def go_away(code: int = 0) -> bytes:
    return header(GO_AWAY, 0, 0, code)
