import trio
from visiona.domain.errors import TooMany
from visiona.stores.process_rates import ProcessRates
from visiona.web.rate_limits import ExchangeLimits, SignInBeginnings

Clock = trio.testing.MockClock


async def is_limited(limits: ExchangeLimits | SignInBeginnings, address: str) -> int:
    try:
        await limits.attempt(address)
    except TooMany as error:
        return error.retry_after_seconds
    return 0


async def test_a_failure_holds_its_address_for_a_second_and_nobody_else(autojump_clock: Clock) -> None:
    limits = ExchangeLimits(ProcessRates())
    await limits.failed("192.0.2.1")
    assert await is_limited(limits, "192.0.2.1") == 1
    assert await is_limited(limits, "192.0.2.2") == 0
    await trio.sleep(1)
    assert await is_limited(limits, "192.0.2.1") == 0


async def test_twenty_failures_an_hour(autojump_clock: Clock) -> None:
    limits = ExchangeLimits(ProcessRates())
    for _ in range(20):
        assert await is_limited(limits, "192.0.2.1") == 0
        await limits.failed("192.0.2.1")
        await trio.sleep(61)
    assert 2300 < await is_limited(limits, "192.0.2.1") < 2400


async def test_t09_a_whole_64_counts_as_one() -> None:
    limits = ExchangeLimits(ProcessRates())
    await limits.failed("2001:db8::1")
    assert await is_limited(limits, "2001:db8::ffff:2") == 1
    assert await is_limited(limits, "2001:db8:0:1::1") == 0


async def test_t09_one_network_cannot_use_up_everybodys_attempts(autojump_clock: Clock) -> None:
    limits, refused = ExchangeLimits(ProcessRates()), 0
    for number in range(300):
        refused += await is_limited(limits, f"2001:db8:0:{number:x}::1") > 0
        await limits.failed(f"2001:db8:0:{number:x}::1")
        await trio.sleep(1)
    assert refused > 200
    assert await is_limited(limits, "2001:db8:1::1") == 0


async def test_a16_sign_ins_begun_from_one_network_are_held_back() -> None:
    limits = SignInBeginnings(ProcessRates())
    waits = [await is_limited(limits, f"2001:db8:0:{number:x}::1") for number in range(500)]
    assert waits.count(0) == 120
    assert await is_limited(limits, "2001:db8:1::1") == 0


async def test_everybody_together_has_twenty_attempts_a_second(autojump_clock: Clock) -> None:
    limits = ExchangeLimits(ProcessRates())
    waits = [await is_limited(limits, f"192.0.2.{number}") for number in range(21)]
    assert waits == [0] * 20 + [1]
    await trio.sleep(1)
    assert await is_limited(limits, "192.0.2.99") == 0


async def test_an_address_that_must_wait_takes_nothing_from_everybody(autojump_clock: Clock) -> None:
    limits = ExchangeLimits(ProcessRates())
    await limits.failed("192.0.2.1")
    assert [await is_limited(limits, "192.0.2.1") for _ in range(50)] == [1] * 50
    assert [await is_limited(limits, f"192.0.2.{number}") for number in range(2, 22)] == [0] * 20


async def test_a16_an_address_begins_thirty_sign_ins_in_ten_seconds_and_a_hundred_a_minute(
    autojump_clock: Clock,
) -> None:
    limits = SignInBeginnings(ProcessRates())
    assert [await is_limited(limits, "192.0.2.1") for _ in range(31)] == [0] * 30 + [10]
    assert await is_limited(limits, "192.0.2.2") == 0
    made = 30
    for _ in range(4):
        await trio.sleep(10)
        made += sum([await is_limited(limits, "192.0.2.1") == 0 for _ in range(31)])
    assert made == 100


async def test_a_load_test_may_turn_them_off() -> None:
    limits, begun = (
        ExchangeLimits(ProcessRates(), enabled=False),
        SignInBeginnings(ProcessRates(), enabled=False),
    )
    for _ in range(200):
        await limits.failed("192.0.2.1")
        await limits.attempt("192.0.2.1")
        await begun.attempt("192.0.2.1")
