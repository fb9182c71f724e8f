import pytest
from visiona.domain.errors import TooMany
from visiona.stores.process_rates import ProcessRates
from visiona.web.idp.limits import SignInLimits

ADA, BOB = "ada@example.com", "bob@example.com"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def allowed(limits: SignInLimits, account: str, address: str, attempts: int) -> int:
    """How many of the attempts may be made."""
    made = 0
    for _ in range(attempts):
        try:
            await limits.attempt(account, address)
        except TooMany:
            break
        made += 1
    return made


async def test_an_account_from_one_address_gets_five_a_minute_and_twenty_an_hour() -> None:
    clock = Clock()
    limits = SignInLimits(ProcessRates(clock))
    assert await allowed(limits, ADA, "192.0.2.1", 9) == 5
    with pytest.raises(TooMany) as caught:
        await limits.attempt(ADA, "192.0.2.1")
    assert caught.value.retry_after_seconds == 60
    total = 5
    for _ in range(9):
        clock.now += 60
        total += await allowed(limits, ADA, "192.0.2.1", 9)
    assert total == 20


async def test_the_right_password_from_another_address_is_not_locked_out() -> None:
    limits = SignInLimits(ProcessRates(Clock()))
    await allowed(limits, ADA, "192.0.2.1", 99)
    assert await allowed(limits, ADA, "192.0.2.2", 1) == 1
    assert await allowed(limits, BOB, "192.0.2.1", 1) == 1


async def test_a_guess_from_many_addresses_leaves_the_owner_two_attempts() -> None:
    limits = SignInLimits(ProcessRates(Clock()))
    total = sum([await allowed(limits, ADA, f"198.51.100.{number}", 9) for number in range(30)])
    assert total == 10 * 5 + 20 * 2
    assert await allowed(limits, ADA, "192.0.2.7", 9) == 2


async def test_the_right_password_starts_afresh() -> None:
    limits = SignInLimits(ProcessRates(Clock()))
    for _ in range(10):
        assert await allowed(limits, ADA, "192.0.2.1", 2) == 2
        await limits.succeeded(ADA, "192.0.2.1")


async def test_one_address_gets_thirty_a_minute_over_all_accounts_and_a_success_does_not_reset_it() -> None:
    limits = SignInLimits(ProcessRates(Clock()))
    made = 0
    for number in range(60):
        made += await allowed(limits, f"user{number}@example.com", "192.0.2.1", 1)
        await limits.succeeded(f"user{number}@example.com", "192.0.2.1")
    assert made == 30
    assert await allowed(limits, ADA, "192.0.2.2", 1) == 1


async def test_an_ipv6_address_counts_as_its_64() -> None:
    limits = SignInLimits(ProcessRates(Clock()))
    assert sum([await allowed(limits, ADA, f"2001:db8::{number:x}", 1) for number in range(20)]) == 5
    assert await allowed(limits, ADA, "2001:db8:0:1::1", 1) == 1


async def test_t09_a_guess_from_one_network_is_bounded_as_one_from_an_ipv4_address() -> None:
    clock = Clock()
    limits = SignInLimits(ProcessRates(clock))
    made = 0
    for number in range(3000):
        clock.now += 1
        made += await allowed(limits, ADA, f"2001:db8:0:{number:x}::1", 1)
    assert made == 50 + 2
    assert await allowed(limits, ADA, "2001:db8:1::1", 9) == 2
    assert await allowed(limits, ADA, "192.0.2.7", 9) == 2


async def test_t09_one_password_on_many_accounts_from_one_network_is_bounded() -> None:
    limits = SignInLimits(ProcessRates(Clock()))
    tries = [(f"user{number}@example.com", f"2001:db8:0:{number:x}::1") for number in range(500)]
    assert sum([await allowed(limits, account, address, 1) for account, address in tries]) == 120
    assert await allowed(limits, ADA, "2001:db8:1::1", 1) == 1


async def test_a_refused_attempt_is_not_counted() -> None:
    clock = Clock()
    limits = SignInLimits(ProcessRates(clock))
    await allowed(limits, ADA, "192.0.2.1", 5)
    for _ in range(100):
        assert await allowed(limits, ADA, "192.0.2.1", 1) == 0
    clock.now += 60
    assert await allowed(limits, ADA, "192.0.2.1", 9) == 5


async def test_switched_off_everything_passes() -> None:
    assert await allowed(SignInLimits(ProcessRates(Clock()), enabled=False), ADA, "192.0.2.1", 1000) == 1000
