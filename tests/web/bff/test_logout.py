from typing import Any

import pytest
from visiona.domain.notices import NoticeKind
from visiona.web.cookies import seal

from tests.support.fake_oidc import FakeProvider, Fault
from tests.web.bff.rig import KEY, opened

SESSION = "__Host-visiona_session"


async def test_signing_out_ends_the_session_here_and_says_where_to_end_it_there() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        stolen = house.browser()
        stolen.cookies = dict(visitor.cookies)
        answer = await visitor.fetch("POST", "/api/auth/logout")
        assert answer.status == 200
        assert answer.data["logout_url"].startswith(
            "https://idp.example/logout?client_id=visiona&post_logout"
        )
        assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert SESSION not in visitor.cookies
        assert not await stolen.is_signed_in()
        assert [notice.kind for notice in house.revoking.noted] == [NoticeKind.SESSION_ENDED]


async def test_signing_out_twice_or_without_a_session_is_signed_out() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        cookies = dict(visitor.cookies)
        for _ in range(3):
            visitor.cookies = dict(cookies)
            assert (await visitor.fetch("POST", "/api/auth/logout")).status == 200
        for value in ("", "x", "A" * 43, seal(KEY, "A" * 43), seal(b"other" * 8, "A" * 43)):
            visitor.cookies = {SESSION: value}
            assert (await visitor.fetch("POST", "/api/auth/logout")).status == 200
        assert len(house.revoking.noted) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Visiona-CSRF": ""},
        {"X-Visiona-CSRF": "0"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_a11_another_sites_page_signs_nobody_out(headers: dict[str, str]) -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        answer = await visitor.fetch("POST", "/api/auth/logout", headers=headers)
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
        assert await visitor.is_signed_in()


async def test_a11_an_address_that_is_opened_signs_nobody_out() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await visitor.fetch(method, "/api/auth/logout")).status == 405
        assert await visitor.is_signed_in()


async def test_a09_signing_out_needs_no_provider(autojump_clock: Any) -> None:
    async with opened(FakeProvider(metadata={"end_session_endpoint": None})) as house:
        visitor = house.browser()
        await visitor.sign_in()
        assert (await visitor.fetch("POST", "/api/auth/logout")).data == {}
    async with opened(FakeProvider(faults={"discovery": Fault.SLOW})) as house:
        assert (await house.browser().fetch("POST", "/api/auth/logout")).data == {}


async def test_after_signing_out_somebody_can_sign_in_again() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        await visitor.fetch("POST", "/api/auth/logout")
        await visitor.sign_in()
        assert await visitor.is_signed_in()
