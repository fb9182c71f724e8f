from dataclasses import FrozenInstanceError

import pytest
from visiona.wire.http1.crossing import Crossing


def test_h10_a_device_is_sandboxed_and_no_pipe_unless_said_otherwise() -> None:
    crossing = Crossing(b"r", "192.0.2.1", b"http", b"x", b"/d")
    assert crossing.sandbox
    assert not crossing.is_websocket


def test_the_facts_do_not_change_on_the_way() -> None:
    crossing = Crossing(b"r", "192.0.2.1", b"http", b"x", b"/d")
    with pytest.raises(FrozenInstanceError):
        crossing.sandbox = False
