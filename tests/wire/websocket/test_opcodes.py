import pytest
from visiona.wire.websocket.opcodes import may_be_sent


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4401, 4999])
def test_codes_that_mean_something_may_be_sent(code: int) -> None:
    assert may_be_sent(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_codes_that_are_reserved_may_not(code: int) -> None:
    assert not may_be_sent(code)
