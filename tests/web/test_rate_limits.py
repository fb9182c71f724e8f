import pytest
import trio
from visiona.domain.errors import TooMany
from visiona.web.rate_limits import ExchangeLimits


def is_limited(limits: ExchangeLimits, address: str) -> int:
    try:
        limits.attempt(address)
    except TooMany as error:
        return error.retry_after_seconds
    return 0


async def test_a_failure_holds_its_address_for_a_second_and_nobody_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = ExchangeLimits()
    limits.failed("192.0.2.1")
    assert is_limited(limits, "192.0.2.1") == 1
    assert is_limited(limits, "192.0.2.2") == 0
    await trio.sleep(1)
    assert is_limited(limits, "192.0.2.1") == 0


async def test_twenty_failures_an_hour(autojump_clock: trio.testing.MockClock) -> None:
    limits = ExchangeLimits()
    for _ in range(20):
        assert is_limited(limits, "192.0.2.1") == 0
        limits.failed("192.0.2.1")
        await trio.sleep(61)
    assert 2300 < is_limited(limits, "192.0.2.1") < 2400


async def test_t09_a_whole_64_counts_as_one() -> None:
    limits = ExchangeLimits()
    limits.failed("2001:db8::1")
    assert is_limited(limits, "2001:db8::ffff:2") == 1
    assert is_limited(limits, "2001:db8:0:1::1") == 0


async def test_everybody_together_has_twenty_attempts_a_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = ExchangeLimits()
    assert [is_limited(limits, f"192.0.2.{number}") for number in range(21)] == [0] * 20 + [1]
    await trio.sleep(1)
    assert is_limited(limits, "192.0.2.99") == 0


async def test_a_load_test_may_turn_them_off() -> None:
    limits = ExchangeLimits(enabled=False)
    for _ in range(100):
        limits.failed("192.0.2.1")
        limits.attempt("192.0.2.1")


async def test_addresses_are_remembered_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiona.web.rate_limits.MAX_ADDRESSES", 10)
    limits = ExchangeLimits()
    for number in range(100):
        limits.failed(f"192.0.2.{number}")
    assert len(limits._failures) == 10
