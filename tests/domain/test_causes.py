import pytest
from visiona.domain.causes import Cause, in_words, split_cause


def test_the_recorded_words_never_change() -> None:
    assert {cause.value for cause in Cause} == {
        "agent_closed",
        "keepalive_timeout",
        "tcp_reset",
        "replaced",
        "revoked",
        "expired",
        "device_deleted",
        "protocol_error",
        "write_timeout",
        "server_drain",
        "server_stalled",
        "rate_limited",
    }


def test_t48_starved_is_another_name_for_stalled() -> None:
    assert Cause.SERVER_STARVED is Cause.SERVER_STALLED


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_can_be_said_in_words(cause: Cause) -> None:
    assert len(in_words(cause).split()) > 2


def test_a_cause_may_have_a_detail() -> None:
    assert split_cause("protocol_error:header") == (Cause.PROTOCOL_ERROR, "header")
    assert split_cause("replaced") == (Cause.REPLACED, None)
    assert split_cause("replaced:") == (Cause.REPLACED, None)


def test_an_unknown_word_is_no_cause() -> None:
    with pytest.raises(ValueError, match="weather"):
        split_cause("weather")
