from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
from visiona.stores.errors import StoreUnavailable

from tests.domain.test_return_to import HOSTILE
from tests.support.fake_oidc import FAULTS, FakeProvider, Fault
from tests.web.bff.rig import BASE, opened

LOGIN = "__Host-visiona_login"


async def test_the_browser_goes_to_the_provider_with_what_the_standard_asks() -> None:
    async with opened() as house:
        asked = parse_qs(urlsplit(await house.browser().leave("/devices")).query)
        assert asked["redirect_uri"] == [BASE + "/api/auth/callback"]
        assert asked["scope"] == ["openid email profile"]
        assert {len(asked[name][0]) for name in ("state", "nonce", "code_challenge")} == {43}
        assert "return_to" not in asked


async def test_each_attempt_has_its_own_secrets_and_the_browser_one_name() -> None:
    async with opened() as house:
        visitor = house.browser()
        first = parse_qs(urlsplit(await visitor.leave()).query)
        name = visitor.cookies[LOGIN]
        second = parse_qs(urlsplit(await visitor.leave()).query)
        assert visitor.cookies[LOGIN] == name
        for secret in ("state", "nonce", "code_challenge"):
            assert first[secret] != second[secret]


async def test_a05_no_hostile_return_to_leaves_this_server() -> None:
    async with opened() as house:
        for value in HOSTILE[::25]:
            visitor = house.browser()
            try:
                url = await visitor.leave(value)
            except UnicodeEncodeError:
                continue  # half a character cannot be sent at all
            assert (await visitor.come_back(url)).headers["Location"] == "/", value


async def test_a07_a_name_that_a_browser_made_up_is_not_taken() -> None:
    async with opened() as house:
        for forged in ("short", "A" * 44, "A" * 42 + "=", "'; --"):
            visitor = house.browser()
            visitor.cookies[LOGIN] = forged
            await visitor.leave()
            assert visitor.cookies[LOGIN] != forged


async def test_a16_an_eleventh_attempt_of_a_browser_takes_the_place_of_its_first() -> None:
    async with opened() as house:
        visitor = house.browser()
        tabs = []
        for _ in range(11):
            tabs.append(await visitor.leave())
            house.now.forward(seconds=1)
        assert (await visitor.come_back(tabs[0])).status == 400
        assert (await visitor.come_back(tabs[1])).status == 302


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a09_with_the_provider_in_trouble_a_person_gets_a_page_soon(
    fault: Fault, autojump_clock: Any
) -> None:
    async with opened(FakeProvider(faults={"discovery": fault})) as house:
        visitor = house.browser()
        answer = await visitor.open("/api/auth/login")
        assert answer.status == 503
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert int(answer.headers["Retry-After"]) >= 1
        assert b"idp.example" not in answer.body
        assert b"<script" not in answer.body
        assert "Location" not in answer.headers
        script = await visitor.fetch("GET", "/api/auth/login")
        assert (script.status, script.code) == (503, "IDENTITY_PROVIDER_UNAVAILABLE")


async def test_a12_without_a_store_nobody_is_sent_away_to_come_back_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened() as house:

        async def gone(pending: object) -> None:
            raise StoreUnavailable("gone", retry_after_seconds=2)

        monkeypatch.setattr(house.stores.pending_logins, "create", gone)
        answer = await house.browser().open("/api/auth/login")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


async def test_who_comes_by_another_name_is_sent_to_the_right_one_first() -> None:
    """Cookies set at one name do not come along to the other."""
    async with opened() as house:
        visitor = house.browser()
        answer = await visitor.ask(
            "GET", "/api/auth/login?return_to=/devices", headers={"Host": "10.0.0.7:3721"}
        )
        assert answer.status == 302
        assert answer.headers["Location"] == f"{BASE}/api/auth/login?return_to=%2Fdevices&here=1"
        # a proxy that changes the name would send it round for ever
        again = await visitor.ask(
            "GET", "/api/auth/login?return_to=/devices&here=1", headers={"Host": "10.0.0.7:3721"}
        )
        assert again.headers["Location"].startswith("https://idp.example/authorize?")


@pytest.mark.parametrize("host", ["localhost:3721", "LOCALHOST:3721", "[::1]:3721"])
async def test_without_a_public_url_this_machine_has_one_name(host: str) -> None:
    async with opened(base=None) as house:
        answer = await house.browser().ask("GET", "/api/auth/login", headers={"Host": host})
        assert answer.headers["Location"].startswith("http://127.0.0.1:3721/api/auth/login?")


async def test_h05_without_a_public_url_no_host_that_a_request_names_is_believed() -> None:
    async with opened(base=None) as house:
        answer = await house.browser().ask("GET", "/api/auth/login", headers={"Host": "evil.example"})
        assert (answer.status, answer.code) == (400, "SIGN_IN_FAILED")
        assert "web.public_url" in answer.json["error"]["message"]


async def test_the_old_forms_are_answered_as_before() -> None:
    async with opened() as house:
        visitor = house.browser()
        login = await visitor.fetch("POST", "/api/auth/login")
        register = await visitor.fetch("POST", "/api/auth/register")
        assert (login.status, login.code) == (410, "NOT_IMPLEMENTED")
        assert (register.status, register.code) == (501, "NOT_IMPLEMENTED")


async def test_a16_a_flood_from_one_address_is_held_back_and_others_sign_in(autojump_clock: Any) -> None:
    async with opened(rate_limits=True) as house:
        early = house.browser()
        url = await early.leave()
        statuses = [(await house.browser().open("/api/auth/login")).status for _ in range(40)]
        assert statuses == [302] * 29 + [429] * 11
        page = await house.browser().open("/api/auth/login")
        assert int(page.headers["Retry-After"]) <= 10
        assert b"not possible just now" in page.body
        assert (await early.come_back(url)).status == 302
        await trio.sleep(10)
        assert (await house.browser().open("/api/auth/login")).status == 302


async def test_a05_what_is_stored_was_checked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as house:
        create, stored = house.stores.pending_logins.create, []

        async def noted(pending: Any) -> None:
            stored.append(pending.return_to)
            await create(pending)

        monkeypatch.setattr(house.stores.pending_logins, "create", noted)
        for value in ("//evil.example", "/devices", None):
            await house.browser().leave(value)
        assert stored == ["/", "/devices", "/"]
