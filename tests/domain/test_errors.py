import pytest
from visiona.domain import errors
from visiona.domain.errors import NotFound, PairingRefused, TooMany, VisionaError


def test_each_kind_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in VisionaError.__subclasses__() if kind.__module__ == errors.__name__]
    assert len({kind.default_code for kind in kinds}) == len(kinds)
    assert {kind.__name__ for kind in kinds} <= set(dir(errors))


def test_a_code_can_be_more_exact_than_its_kind() -> None:
    assert PairingRefused("no").code == "INVALID_PAIRING_TOKEN"
    assert PairingRefused("no", code="PAIRING_TOKEN_USED").code == "PAIRING_TOKEN_USED"


def test_an_error_carries_its_message_and_details() -> None:
    error = NotFound("there is no such device", details={"device_id": "d"})
    assert (str(error), error.message, error.details) == (
        error.message,
        "there is no such device",
        {"device_id": "d"},
    )
    assert NotFound("x").details == {}


def test_a_limit_says_how_long_to_wait() -> None:
    with pytest.raises(TooMany) as caught:
        raise TooMany("slower", retry_after_seconds=7)
    assert (caught.value.retry_after_seconds, caught.value.code) == (7, "RATE_LIMITED")
