import pytest
from visiona.wire.websocket import opcodes
from visiona.wire.websocket.opcodes import may_be_sent


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4401, 4999])
def test_codes_that_mean_something_may_be_sent(code: int) -> None:
    assert may_be_sent(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_codes_that_are_reserved_may_not(code: int) -> None:
    assert not may_be_sent(code)


def test_the_numbers_are_those_of_the_rfc() -> None:
    numbers = [opcodes.CONTINUATION, opcodes.TEXT, opcodes.BINARY, opcodes.CLOSE, opcodes.PING, opcodes.PONG]
    assert numbers == [0, 1, 2, 8, 9, 10]
    assert [opcodes.NORMAL, opcodes.GOING_AWAY, opcodes.PROTOCOL_ERROR, opcodes.NO_CODE] == [
        1000,
        1001,
        1002,
        1005,
    ]
    assert [opcodes.INTERNAL_ERROR, opcodes.BAD_GATEWAY] == [1011, 1014]
    assert (opcodes.FIN, opcodes.RSV, opcodes.MASKED, opcodes.MAX_CONTROL_BYTES) == (0x80, 0x70, 0x80, 125)
