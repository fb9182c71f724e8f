import pytest
from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux.errors import SessionEnding, StreamLimit


@pytest.mark.parametrize("refusal", [StreamLimit, SessionEnding])
def test_refusals_are_told_apart_and_still_caught_as_ours(refusal: type[Exception]) -> None:
    assert issubclass(refusal, LocalProtocolError)
    assert not issubclass(StreamLimit, SessionEnding)
