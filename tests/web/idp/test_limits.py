import pytest
from visiona.domain.errors import TooMany
from visiona.web.idp.limits import SignInLimits

ADA, BOB = "ada@example.com", "bob@example.com"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def allowed(limits: SignInLimits, account: str, address: str, attempts: int) -> int:
    """How many of the attempts may be made."""
    made = 0
    for _ in range(attempts):
        try:
            limits.attempt(account, address)
        except TooMany:
            break
        made += 1
    return made


def test_an_account_from_one_address_gets_five_a_minute_and_twenty_an_hour() -> None:
    clock = Clock()
    limits = SignInLimits(clock)
    assert allowed(limits, ADA, "192.0.2.1", 9) == 5
    with pytest.raises(TooMany) as caught:
        limits.attempt(ADA, "192.0.2.1")
    assert caught.value.retry_after_seconds == 60
    total = 5
    for _ in range(9):
        clock.now += 60
        total += allowed(limits, ADA, "192.0.2.1", 9)
    assert total == 20


def test_the_right_password_from_another_address_is_not_locked_out() -> None:
    limits = SignInLimits(Clock())
    allowed(limits, ADA, "192.0.2.1", 99)
    assert allowed(limits, ADA, "192.0.2.2", 1) == 1
    assert allowed(limits, BOB, "192.0.2.1", 1) == 1


def test_a_guess_from_many_addresses_leaves_the_owner_two_attempts() -> None:
    limits = SignInLimits(Clock())
    total = sum(allowed(limits, ADA, f"198.51.100.{number}", 9) for number in range(30))
    assert total == 10 * 5 + 20 * 2
    assert allowed(limits, ADA, "192.0.2.7", 9) == 2


def test_the_right_password_starts_afresh() -> None:
    limits = SignInLimits(Clock())
    for _ in range(10):
        assert allowed(limits, ADA, "192.0.2.1", 2) == 2
        limits.succeeded(ADA, "192.0.2.1")


def test_one_address_gets_thirty_a_minute_over_all_accounts_and_a_success_does_not_reset_it() -> None:
    limits = SignInLimits(Clock())
    made = 0
    for number in range(60):
        made += allowed(limits, f"user{number}@example.com", "192.0.2.1", 1)
        limits.succeeded(f"user{number}@example.com", "192.0.2.1")
    assert made == 30
    assert allowed(limits, ADA, "192.0.2.2", 1) == 1


def test_an_ipv6_address_counts_as_its_64() -> None:
    limits = SignInLimits(Clock())
    assert sum(allowed(limits, ADA, f"2001:db8::{number:x}", 1) for number in range(20)) == 5
    assert allowed(limits, ADA, "2001:db8:0:1::1", 1) == 1


def test_a_refused_attempt_is_not_counted() -> None:
    clock = Clock()
    limits = SignInLimits(clock)
    allowed(limits, ADA, "192.0.2.1", 5)
    for _ in range(100):
        assert allowed(limits, ADA, "192.0.2.1", 1) == 0
    clock.now += 60
    assert allowed(limits, ADA, "192.0.2.1", 9) == 5


def test_switched_off_everything_passes() -> None:
    assert allowed(SignInLimits(Clock(), enabled=False), ADA, "192.0.2.1", 1000) == 1000
