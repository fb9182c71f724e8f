from visiona.domain.errors import DeviceBroke, NotAllowed, NotSignedIn
from visiona.relay.passthrough import GOING_AWAY, INTERNAL_ERROR, SESSION_OVER, Farewell, close_code

MESSAGE = b"\x82\x05hello"
CLOSE = b"\x88\x02\x03\xe8"


def test_h14_the_code_says_what_happened() -> None:
    assert close_code(NotSignedIn("x")) == SESSION_OVER
    assert close_code(NotAllowed("x")) == SESSION_OVER
    assert close_code(DeviceBroke("x", details={"cause": "server_drain"})) == GOING_AWAY
    assert close_code(DeviceBroke("x", details={"cause": "keepalive_timeout"})) == INTERNAL_ERROR


def test_between_two_frames_the_last_words_are_a_close_frame() -> None:
    farewell = Farewell()
    farewell.passed(MESSAGE)
    words = farewell.words(SESSION_OVER)
    assert words[0] == 0x88
    assert words[2:4] == (4401).to_bytes(2)


def test_in_mid_frame_nothing_is_said() -> None:
    for cut in range(1, len(MESSAGE)):
        farewell = Farewell()
        farewell.passed(MESSAGE[:cut])
        assert farewell.words(SESSION_OVER) == b""


def test_after_a_close_nothing_is_said() -> None:
    farewell = Farewell()
    farewell.passed(MESSAGE + CLOSE)
    assert farewell.words(GOING_AWAY) == b""
