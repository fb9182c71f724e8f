from typing import Any
from urllib.parse import urlencode

import pytest
from visiona.domain.notices import NoticeKind
from visiona.stores.errors import StoreUnavailable

from tests.support.fake_oidc import FakeProvider, Fault
from tests.web.bff.rig import House, opened
from tests.web.world import Answer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def said(house: House, token: str, **options: Any) -> Answer:
    """The provider's server says so; it is no browser."""
    body = options.pop("data", urlencode({"logout_token": token}))
    path = "/api/auth/backchannel-logout"
    return await house.browser().ask("POST", path, data=body, headers=options.pop("headers", FORM))


async def test_a14_the_provider_ends_the_sessions_of_a_person() -> None:
    async with opened() as house:
        first, second = house.browser(), house.browser()
        await first.sign_in()
        await second.sign_in()
        house.idp.subject = "somebody-else"
        house.idp.email = "grace@example.com"
        other = house.browser()
        await other.sign_in()
        answer = await said(house, house.idp.logout_token(sub="248289761001", sid=None))
        assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (200, b"", "no-store")
        assert not await first.is_signed_in()
        assert not await second.is_signed_in()
        assert await other.is_signed_in()
        assert [notice.kind for notice in house.revoking.noted] == [NoticeKind.SESSION_ENDED] * 2


async def test_or_one_session_of_it() -> None:
    async with opened() as house:
        first, second = house.browser(), house.browser()
        await first.sign_in()
        house.idp.claims["sid"] = "idp-session-2"
        await second.sign_in()
        assert (await said(house, house.idp.logout_token(sub=None, sid="idp-session-2"))).status == 200
        assert await first.is_signed_in()
        assert not await second.is_signed_in()


async def test_a_token_about_nobody_here_is_fine() -> None:
    async with opened() as house:
        assert (await said(house, house.idp.logout_token(sub="nobody", sid=None))).status == 200


async def test_a11_a_token_is_obeyed_once() -> None:
    async with opened() as house:
        token = house.idp.logout_token()
        visitor = house.browser()
        await visitor.sign_in()
        assert (await said(house, token)).status == 200
        await visitor.sign_in()
        answer = await said(house, token)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
        assert await visitor.is_signed_in()


async def test_a_token_that_failed_here_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        token = house.idp.logout_token()
        with monkeypatch.context() as broken:

            async def gone(*of: object, **more: object) -> None:
                raise StoreUnavailable("gone", retry_after_seconds=1)

            broken.setattr(house.stores.sessions, "delete_of_idp", gone)
            assert (await said(house, token)).status == 503
        assert (await said(house, token)).status == 200
        assert not await visitor.is_signed_in()


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {}),
        ({"typ": None}, {}),
        ({}, {"nonce": "n"}),
        ({}, {"events": None}),
        ({}, {"jti": None}),
        ({}, {"iss": "https://evil.example"}),
        ({}, {"aud": "other"}),
        ({}, {"exp": 1}),
        ({}, {"sub": None, "sid": None}),
        ({"alg": "HS256"}, {}),
        ({"kid": "unknown"}, {}),
    ],
    ids=str,
)
async def test_a11_a_forged_logout_ends_nothing(header: dict[str, Any], claims: dict[str, Any]) -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        if header.get("alg") == "HS256":
            _, _, rest = house.idp.logout_token().partition(".")
            token = "eyJhbGciOiJIUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoibG9nb3V0K2p3dCJ9." + rest
        else:
            token = house.idp.logout_token(header, **claims)
        answer = await said(house, token)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
        assert await visitor.is_signed_in()


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        ("", FORM, 400),
        ("logout_token=", FORM, 400),
        ("logout_token=a&logout_token=b", FORM, 400),
        ("token=a", FORM, 400),
        ("&" * 1000, FORM, 400),
        ("a=1&" * 1000 + "logout_token=x", FORM, 400),
        (b"logout_token=\xff\xfe", FORM, 400),
        ('{"logout_token": "x"}', {"Content-Type": "application/json"}, 400),
        ("logout_token=x", {}, 400),
        ("logout_token=" + "x" * 70_000, FORM, 413),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_a11_what_is_no_logout_token(data: Any, headers: dict[str, str], status: int) -> None:
    async with opened() as house:
        assert (await said(house, "", data=data, headers=headers)).status == status


async def test_a11_an_address_that_is_opened_logs_nobody_out() -> None:
    async with opened() as house:
        token = house.idp.logout_token()
        assert (
            await house.browser().open(f"/api/auth/backchannel-logout?logout_token={token}")
        ).status == 405


async def test_a09_with_the_provider_down_it_is_told_to_try_again(autojump_clock: Any) -> None:
    async with opened(FakeProvider(faults={"jwks": Fault.DOWN})) as house:
        answer = await said(house, house.idp.logout_token())
        assert (answer.status, answer.code) == (503, "IDENTITY_PROVIDER_UNAVAILABLE")


async def test_a03_a_flood_of_unknown_keys_asks_the_provider_once_a_minute() -> None:
    async with opened() as house:
        await said(house, house.idp.logout_token())
        before = house.idp.asked["jwks"]
        for number in range(50):
            await said(house, house.idp.logout_token({"kid": f"new-{number}"}))
        assert house.idp.asked["jwks"] - before <= 1
