"""The numbers of RFC 6455 §5.2, §7.4 and the frame header that they stand in.

 0               1               2               3
|F|R S V|opcode |M|  length 7   |  16 or 64 bits if 126 or 127  |  mask, 4 bytes if M  |  payload
"""

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

FIN = 0x80
RSV = 0x70
MASKED = 0x80

MAX_CONTROL_BYTES = 125
MAX_HEADER_BYTES = 14

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_CODE = 1005
"""Never on the wire: what a Close frame without a code means."""
INTERNAL_ERROR = 1011
BAD_GATEWAY = 1014

_WIRE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


def may_be_sent(code: int) -> bool:
    """Whether a Close frame may carry this code (RFC 6455 §7.4, and the registry up to 1014)."""
    return code in _WIRE_CODES or 3000 <= code <= 4999
