"""The one place where every error ends."""

import pytest
import trio
from visiona.relay.containment import contain


async def test_an_error_is_logged_with_what_is_known_and_is_over(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    await contain("a connection", fail, lambda: {"device_id": "d1"})
    (record,) = caplog.records
    assert record.exc_info is not None
    assert vars(record)["device_id"] == "d1"


async def test_a_group_of_errors_too(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        async with trio.open_nursery():
            raise ZeroDivisionError

    await contain("a connection", fail, dict)
    assert len(caplog.records) == 1


async def test_cancellation_passes(caplog: pytest.LogCaptureFixture) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await contain("a connection", trio.sleep_forever, dict)
    assert scope.cancelled_caught
    assert caplog.records == []
