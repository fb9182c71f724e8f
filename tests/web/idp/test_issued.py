from datetime import UTC, datetime

import pytest
from visiona.domain.ids import UserId
from visiona.web.idp.issued import ACCESS_TOKEN_SECONDS, CODE_SECONDS, Code, Issued, Kept, SignedIn

CODE = Code(
    "visiona", "https://x.example/cb", "openid", "n", "c" * 43, "S256",
    SignedIn(UserId("ada"), datetime(2030, 1, 1, tzinfo=UTC), "sid", "mark"),
)  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_code_is_good_once() -> None:
    issued = Issued(Clock())
    issued.keep_code("code", CODE)
    assert issued.user_of_code("code") == issued.user_of_code("code") == "ada"
    assert issued.take_code("code") == CODE
    assert issued.take_code("code") is None
    assert issued.user_of_code("code") is None


@pytest.mark.parametrize(("seconds", "good"), [(CODE_SECONDS - 0.001, True), (CODE_SECONDS, False)])
def test_a_code_is_good_for_a_minute(seconds: float, good: bool) -> None:
    clock = Clock()
    issued = Issued(clock)
    issued.keep_code("code", CODE)
    clock.now = seconds
    assert (issued.take_code("code") == CODE) is good


def test_a_code_that_comes_twice_ends_what_the_first_time_gave() -> None:
    issued = Issued(Clock())
    for name in ("one", "two"):
        issued.keep_code(name, CODE)
        assert issued.take_code(name)
        issued.keep_access(f"token of {name}", CODE, name)
    assert issued.take_code("one") is None
    assert issued.access("token of one") is None
    assert issued.access("token of two") is not None
    assert issued.take_code("never issued") is None


def test_an_access_token_is_good_for_five_minutes() -> None:
    clock = Clock()
    issued = Issued(clock)
    issued.keep_access("token", CODE, "code")
    clock.now = ACCESS_TOKEN_SECONDS - 0.001
    assert issued.access("token")
    clock.now = ACCESS_TOKEN_SECONDS
    assert issued.access("token") is None


def test_a16_what_is_kept_is_limited_and_forgets_the_oldest() -> None:
    clock = Clock()
    kept: Kept[int] = Kept(10.0, clock, max_kept=3)
    for number in range(5):
        clock.now = float(number)
        kept.put(str(number), number)
    assert [kept.get(str(number)) for number in range(5)] == [None, None, 2, 3, 4]
    clock.now = 13.0
    kept.put("new", 5)
    assert len(kept) == 2  # 4 and 5: the others were over


def test_nothing_that_was_handed_out_is_kept_as_it_is() -> None:
    issued = Issued(Clock())
    issued.keep_code("the code", CODE)
    issued.keep_access("the token", CODE, "the code")
    assert "the code" not in str(vars(issued._codes)) + str(vars(issued._access))
    assert "the token" not in str(vars(issued._access))
