import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from visiona.domain.notices import NoticeKind
from visiona.services.users import add_user, disable_user
from visiona.web.cookies import seal

from tests.support.fake_oidc import FakeProvider, Fault
from tests.web.bff.rig import BASE, KEY, House, opened

SESSION = "__Host-visiona_session"
LOGIN = "__Host-visiona_login"


@pytest.fixture
def reasons(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    with caplog.at_level(logging.INFO, logger="visiona.web.bff"):
        yield lambda: [
            str(record.__dict__["reason"]) for record in caplog.records if "reason" in record.__dict__
        ]


async def sessions(house: House) -> int:
    count = 0
    for user in await house.stores.read(lambda tx: tx.users.list_all(500, "")):
        count += len(await house.stores.sessions.list_of_user(user.id, house.now()))
    return count


async def test_a_person_signs_in_and_is_somebody() -> None:
    async with opened() as house:
        visitor = house.browser()
        answer = await visitor.sign_in("/devices?x=1")
        assert (answer.status, answer.headers["Location"]) == (302, "/devices?x=1")
        me = (await visitor.fetch("GET", "/api/auth/me")).data
        assert (me["email"], me["name"]) == ("ada@example.com", "Ada Lovelace")


async def test_the_same_person_is_the_same_account_also_with_another_address() -> None:
    async with opened() as house:
        first, second = house.browser(), house.browser()
        await first.sign_in()
        house.idp.email = "countess@example.com"
        await second.sign_in()
        ids = {(await one.fetch("GET", "/api/auth/me")).data["sub"] for one in (first, second)}
        assert len(ids) == 1


async def test_a_confidential_client_shows_its_secret() -> None:
    async with opened(secret="hush") as house:
        visitor = house.browser()
        await visitor.sign_in()
        assert await visitor.is_signed_in()
        assert "authorization" in house.idp.headers[0]


async def test_what_a_browser_gets_of_a_sign_in() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        login, session = visitor.set_cookies
        assert re.fullmatch(LOGIN + r"=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure", login)
        assert re.fullmatch(
            SESSION + r"=[\w-]{43}\.[\w-]{43}; Path=/; HttpOnly; SameSite=Lax; Secure", session
        )


async def test_on_plain_http_the_cookies_are_without_prefix_and_secure() -> None:
    async with opened(base="http://cam.internal:8080") as house:
        visitor = house.browser()
        await visitor.sign_in()
        assert await visitor.is_signed_in()
        assert set(visitor.cookies) == {"visiona_login", "visiona_session"}
        assert not [line for line in visitor.set_cookies if "Secure" in line]


async def test_below_a_path_everything_is_below_it() -> None:
    async with opened(base="https://example.com/cams") as house:
        visitor = house.browser()
        url = await visitor.leave("/cams/devices")
        assert parse_qs(urlsplit(url).query)["redirect_uri"] == ["https://example.com/cams/api/auth/callback"]
        assert (await visitor.come_back(url)).headers["Location"] == "/cams/devices"
        assert (await visitor.sign_in("/elsewhere")).headers["Location"] == "/cams/"


async def test_to_a_devices_page_it_goes_by_a_page_of_ours() -> None:
    """A redirect would count as made by the provider's site, and the device's page would be refused."""
    async with opened() as house:
        answer = await house.browser().sign_in("/api/devices/x/proxy/?a=1&b='2'")
        assert answer.status == 200
        assert b'content="0; url=/api/devices/x/proxy/?a=1&amp;b=&#x27;2&#x27;"' in answer.body
        assert b"<script" not in answer.body
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "path", ["/api/camera/stop", "/api/devices/x/proxy/reboot", "/ws", "/ws?now=1", "/ws/x"]
)
async def test_a15_a_sign_in_that_another_site_began_does_not_end_at_a_device(site: str, path: str) -> None:
    """Its last step is a page of ours, and a device believes what our pages ask of it."""
    async with opened() as house:
        visitor = house.browser()
        left = await visitor.open(f"/api/auth/login?{urlencode({'return_to': path})}", site=site)
        answer = await visitor.come_back(left.headers["Location"])
        assert (answer.status, answer.headers["Location"]) == (302, "/")
        again = await visitor.open(f"/api/auth/login?{urlencode({'return_to': path})}")
        assert escape(path).encode() in (await visitor.come_back(again.headers["Location"])).body


async def test_a_sign_in_that_another_site_began_may_end_at_a_page_of_the_console() -> None:
    async with opened() as house:
        visitor = house.browser()
        left = await visitor.open("/api/auth/login?return_to=/pairing", site="cross-site")
        assert (await visitor.come_back(left.headers["Location"])).headers["Location"] == "/pairing"


# whose attempt it is


async def test_a01_an_answer_made_for_somebody_else_signs_nobody_in(reasons: Any) -> None:
    async with opened() as house:
        attacker, victim = house.browser(), house.browser()
        callback = house.idp.authorize(await attacker.leave())
        answer = await victim.back(callback)
        assert answer.status == 400
        assert "Set-Cookie" not in answer.headers
        assert await sessions(house) == 0
        assert reasons() == ["no cookie of this browser"]
        assert house.idp.asked["token"] == 0


async def test_a01_nor_where_the_victim_is_signing_in_too() -> None:
    async with opened() as house:
        attacker, victim = house.browser(), house.browser()
        await victim.leave()
        callback = house.idp.authorize(await attacker.leave())
        assert (await victim.back(callback)).status == 400
        assert await sessions(house) == 0
        # and the attacker's own attempt is not spoilt by that: it was never the victim's to use up
        assert (await attacker.back(callback)).status == 302


async def test_a02_a_state_is_good_once() -> None:
    async with opened() as house:
        visitor = house.browser()
        callback = house.idp.authorize(await visitor.leave())
        assert (await visitor.back(callback)).status == 302
        assert (await visitor.back(callback)).status == 400
        assert await sessions(house) == 1
        assert house.idp.asked["token"] == 1


@pytest.mark.parametrize(
    "state",
    [None, "", "x", "a" * 43, "a" * 44, "x" * 10_000, "é" * 43, "' OR 1=1 --", "%00" * 43],
    ids=lambda text: repr(text)[:20],
)
async def test_a02_a_state_that_is_not_ours(state: str | None) -> None:
    async with opened() as house:
        answer = await house.browser().sign_in(state=state)
        assert answer.status == 400
        assert await sessions(house) == 0


async def test_a02_parameters_that_come_twice() -> None:
    async with opened() as house:
        for name in ("state", "code", "iss", "error"):
            visitor = house.browser()
            callback = house.idp.authorize(await visitor.leave())
            assert (await visitor.back(f"{callback}&{name}=x&{name}=y")).status == 400
        assert await sessions(house) == 0


async def test_a02_an_attempt_ends_after_ten_minutes() -> None:
    async with opened() as house:
        visitor = house.browser()
        in_time, late = await visitor.leave(), await visitor.leave()
        house.now.forward(minutes=9, seconds=59)
        assert (await visitor.come_back(in_time)).status == 302
        house.now.forward(seconds=1)
        assert (await visitor.come_back(late)).status == 400


# what the provider says


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"aud": "another"}, "aud"),
        ({"azp": "another"}, "azp"),
        ({"iss": "https://idp.example/"}, "iss"),
        ({"exp": 1}, "exp"),
        ({"iat": 9_999_999_999}, "iat"),
    ],
    ids=str,
)
async def test_a03_a_wrong_token_signs_nobody_in_and_the_browser_learns_nothing(
    claims: dict[str, Any], reason: str, reasons: Any
) -> None:
    async with opened(FakeProvider(claims=claims)) as house:
        answer = await house.browser().sign_in()
        assert answer.status == 400
        assert await sessions(house) == 0
        assert reasons()[0].startswith(reason)
        assert reason.encode() not in re.sub(rb"<[^>]*>|default-src", b"", answer.body).lower().split()
        assert b"begin again" in answer.body


@pytest.mark.parametrize("issuer", ["https://evil.example", "https://idp.example/", None, "x" * 3000])
async def test_a04_the_answer_of_another_provider_is_refused_before_its_code_goes_anywhere(
    issuer: str | None,
) -> None:
    async with opened() as house:
        assert (await house.browser().sign_in(iss=issuer)).status == 400
        assert house.idp.asked["token"] == 0
        assert await sessions(house) == 0


@pytest.mark.parametrize("error", ["access_denied", "server_error", "<script>alert(1)</script>", "a\nb"])
async def test_an_error_of_the_provider_is_a_page_that_repeats_none_of_it(error: str, reasons: Any) -> None:
    async with opened() as house:
        visitor = house.browser()
        answer = await visitor.sign_in(code=None, error=error, error_description="call 0900-evil")
        assert answer.status == 400
        assert b"evil" not in answer.body
        assert b"script" not in answer.body
        assert "\n" not in reasons()[0]
        assert await sessions(house) == 0


async def test_a_missing_code_is_refused() -> None:
    async with opened() as house:
        assert (await house.browser().sign_in(code=None)).status == 400


# re-checked at use


async def test_a05_what_was_stored_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as house:
        visitor = house.browser()
        url = await visitor.leave("/devices")
        take = house.stores.pending_logins.take

        async def damaged(*of: Any) -> Any:
            pending = await take(*of)
            return replace(pending, return_to="//evil.example") if pending is not None else None

        monkeypatch.setattr(house.stores.pending_logins, "take", damaged)
        assert (await visitor.come_back(url)).headers["Location"] == "/"


# fixation, tossing


async def test_a06_a_session_that_a_browser_brought_is_ended_and_a_new_one_begins() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        before = dict(visitor.cookies)
        await visitor.sign_in()
        assert visitor.cookies[SESSION] != before[SESSION]
        assert await sessions(house) == 1
        old = house.browser()
        old.cookies = before
        assert not await old.is_signed_in()


async def test_a06_a_session_of_the_clients_choosing_is_never_adopted() -> None:
    async with opened() as house:
        visitor = house.browser()
        for chosen in ("A" * 43, "A" * 43 + "." + "A" * 43, seal(KEY, "A" * 43), seal(b"x" * 32, "A" * 43)):
            visitor.cookies[SESSION] = chosen
            await visitor.sign_in()
            assert visitor.cookies[SESSION][:43] != chosen[:43]


@pytest.mark.parametrize(
    "header",
    [
        "{login}; {name}=" + "A" * 43,
        "{name}=" + "A" * 43 + "; {login}",
        "{login}; {login}",
        "{name}=short",
        "{name}=" + "é" * 43,
        "{name}=",
        "; ".join(["a=b"] * 100),
        "{name}=" + "A" * 8000,
    ],
    ids=lambda text: text[:30],
)
async def test_a07_a_browsers_name_that_is_not_one_is_none(header: str) -> None:
    async with opened() as house:
        visitor = house.browser()
        callback = house.idp.authorize(await visitor.leave())
        login = f"{LOGIN}={visitor.cookies[LOGIN]}"
        sent = header.format(login=login, name=LOGIN).encode().decode("latin-1")
        answer = await visitor.ask("GET", callback.removeprefix(BASE), headers={"Cookie": sent})
        assert answer.status == 400
        assert await sessions(house) == 0


# back, double click, tabs, loops


async def test_a08_tabs_side_by_side_sign_in_each_for_itself() -> None:
    async with opened() as house:
        visitor = house.browser()
        tabs = [await visitor.leave(f"/tab{number}") for number in range(10)]
        for number, url in reversed(list(enumerate(tabs))):
            assert (await visitor.come_back(url)).headers["Location"] == f"/tab{number}"
        assert await sessions(house) == 1  # each took the place of the one before
        assert await visitor.is_signed_in()


async def test_a08_after_the_back_button_one_is_still_signed_in() -> None:
    async with opened() as house:
        visitor = house.browser()
        callback = house.idp.authorize(await visitor.leave())
        await visitor.back(callback)
        again = await visitor.back(callback)
        assert again.status == 400
        assert b'href="/api/auth/login"' in again.body
        assert await visitor.is_signed_in()


async def test_a08_a_circle_is_broken_by_a_page_with_one_way_on() -> None:
    async with opened() as house:
        visitor = house.browser()
        for _ in range(5):
            await visitor.sign_in()
            del visitor.cookies[SESSION]
        page = await visitor.open("/api/auth/login?return_to=/devices")
        assert page.status == 429
        assert b"circles" in page.body
        assert b"/api/auth/login?again=1" in page.body
        assert (await visitor.open("/api/auth/login?again=1")).status == 302
        assert (await visitor.open("/api/auth/login")).status == 302
        assert (await house.browser().open("/api/auth/login")).status == 302


# the provider in trouble


@pytest.mark.parametrize("place", ["token", "jwks"])
async def test_a09_trouble_at_the_provider_is_a_page_and_sessions_go_on(
    place: str, autojump_clock: Any
) -> None:
    async with opened() as house:
        visitor, other = house.browser(), house.browser()
        if place == "token":
            await visitor.sign_in()
        house.idp.faults[place] = Fault.SLOW
        answer = await other.sign_in()
        assert answer.status == 503
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert int(answer.headers["Retry-After"]) >= 1
        assert b"idp.example" not in answer.body
        assert await visitor.is_signed_in() is (place == "token")
        del house.idp.faults[place]
        assert (await other.sign_in()).status == 302


# Accounts


async def test_a14_a_disabled_person_is_told_so_and_gets_no_session(reasons: Any) -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        user_id = (await visitor.fetch("GET", "/api/auth/me")).data["sub"]
        await disable_user(house.stores, user_id, house.now())
        answer = await house.browser().sign_in()
        assert answer.status == 403
        assert b"disabled" in answer.body
        assert "Set-Cookie" not in answer.headers
        assert "disabled" in reasons()[-1]


async def test_an_address_that_is_not_verified_does_not_lead_into_an_account() -> None:
    async with opened(FakeProvider(claims={"email_verified": False})) as house:
        await add_user(house.stores, "ada@example.com", None, house.now())
        assert (await house.browser().sign_in()).status == 403


async def test_every_sign_in_is_in_the_log_with_who_and_from_where(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as house:
        with caplog.at_level(logging.INFO, logger="visiona.web.bff"):
            visitor = house.browser()
            await visitor.sign_in()
        (line,) = [record for record in caplog.records if record.message == "signed in"]
        assert {"user_id", "session_id", "issuer", "address"} <= set(line.__dict__)
        everything = " ".join(str(record.__dict__) for record in caplog.records)
        for secret in (*visitor.cookies.values(), house.idp.access_token, *house.idp.codes):
            assert secret not in everything
        assert house.idp.forms[0]["code"] not in everything


async def test_a_program_gets_the_envelope_and_no_page() -> None:
    async with opened() as house:
        answer = await house.browser().fetch("GET", "/api/auth/callback?state=x&code=y")
        assert (answer.status, answer.code) == (400, "SIGN_IN_FAILED")


async def test_pages_are_without_scripts_and_cannot_be_framed_or_kept() -> None:
    async with opened() as house:
        answer = await house.browser().open("/api/auth/callback")
        assert answer.status == 400
        assert b"<script" not in answer.body
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_a_new_session_leaves_a_notice_of_the_one_it_replaces() -> None:
    async with opened() as house:
        visitor = house.browser()
        await visitor.sign_in()
        await visitor.sign_in()
        notices = await house.stores.read(lambda tx: tx.notices.after(0, 100))
        assert [notice.kind for notice in notices] == [NoticeKind.SESSION_ENDED]
        # What runs on it ends now, not when the notice has been read.
        assert [notice.subject for notice in house.revoking.noted] == [notices[0].subject]
