import httpx
import pytest
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL
from visiona.services.one_time_links import mint_first_admin_link, mint_sign_in_link
from visiona.services.passwords import verify_password
from visiona.services.users import disable_user, find_user, list_users, set_password
from visiona.web.idp.issued import FRESH_SECONDS

from tests.web.idp.rig import BASE, PASSWORD, Browser, Rig, hashed, hidden_fields, told

NEW = "a new password"


async def first_url(rig: Rig) -> str:
    minted = await mint_first_admin_link(rig.stores, rig.clock.now())
    assert minted is not None
    return f"{rig.issuer}/first/{minted.text}"


async def link_url(rig: Rig) -> str:
    user = await find_user(rig.stores, "ada@example.com")
    minted = await mint_sign_in_link(rig.stores, user.id, rig.clock.now())
    return f"{rig.issuer}/link/{minted.text}"


def leads_to_sign_in(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers["Location"]) == (
        303,
        f"{BASE}/api/auth/login?return_to=/sub/",
    )


def is_gone(answer: httpx.Response) -> bool:
    return answer.status_code == 410 and "<form" not in answer.text


async def test_the_first_administrator_chooses_address_and_password_and_is_signed_in(rig: Rig) -> None:
    browser, url = rig.browser(), await first_url(rig)
    answer = await browser.submit(
        await browser.get(url), email="Ada@Example.com", name="Ada", password=NEW, again=NEW
    )
    assert leads_to_sign_in(answer)
    [user] = await list_users(rig.stores)
    assert (user.email, user.name, user.is_admin) == ("ada@example.com", "Ada", True)
    assert verify_password(user.password_hash or "", NEW)
    # The sign-in that follows asks nothing more, once.
    granted = await browser.get(rig.authorize_url())
    assert (await rig.exchange(told(granted)["code"])).status_code == 200
    assert (await browser.get(rig.authorize_url())).status_code == 200
    assert is_gone(await browser.get(url))


async def test_a_link_signs_in_once_and_keeps_the_password(rig: Rig) -> None:
    user = await rig.person()
    browser, url = rig.browser(), await link_url(rig)
    for _ in range(3):  # a mail scanner, a preview, a reload: looking uses nothing up
        page = await browser.get(url)
        assert "ada@example.com" in page.text
        assert (await browser.client.head(url)).status_code == 200
    assert leads_to_sign_in(await browser.submit(page))
    assert told(await browser.get(rig.authorize_url(prompt="none")))["code"]
    assert (await find_user(rig.stores, user.id)).password_hash == user.password_hash
    assert is_gone(await browser.get(url))
    assert is_gone(await browser.submit(page))


async def test_a_link_can_set_a_new_password(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    answer = await browser.submit(await browser.get(await link_url(rig)), password=NEW, again=NEW)
    assert leads_to_sign_in(answer)
    assert (await rig.browser().sign_in(rig.authorize_url(), password=PASSWORD)).status_code == 403
    assert "code" in told(await rig.browser().sign_in(rig.authorize_url(), password=NEW))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": NEW, "again": NEW + "x"}, "differ"),
        ({"password": NEW}, "differ"),
        ({"again": NEW}, "differ"),
        ({"password": "short", "again": "short"}, "at least 8"),
        ({"password": "x" * 1025, "again": "x" * 1025}, "too long"),
    ],
)
async def test_a_password_that_will_not_do_leaves_the_link_as_it_was(
    rig: Rig, fields: dict[str, str], said: str
) -> None:
    url = await first_url(rig)
    browser = rig.browser()
    answer = await browser.submit(await browser.get(url), email="bob@example.com", **fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert NEW not in answer.text
    assert 'value="bob@example.com"' in answer.text
    assert await list_users(rig.stores) == []
    await rig.person()
    link = await link_url(rig)
    answer = await browser.submit(await browser.get(link), **fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert leads_to_sign_in(await browser.submit(answer))


@pytest.mark.parametrize(
    ("email", "status"), [("", 400), ("no address", 400), ("a@b\r\nc", 400), ("elsewhere@example.com", 409)]
)
async def test_the_first_administrator_needs_an_address_of_their_own(
    rig: Rig, email: str, status: int
) -> None:
    await rig.person("elsewhere@example.com", None)
    browser, url = rig.browser(), await first_url(rig)
    answer = await browser.submit(await browser.get(url), email=email, password=NEW, again=NEW)
    assert answer.status_code == status
    again = await browser.submit(await browser.get(url), email="bob@example.com", password=NEW, again=NEW)
    assert leads_to_sign_in(again)


@pytest.mark.parametrize("text", ["x", "vAo_" + "0" * 64, "vAo_" + "0" * 9999, "%00", "%ff", "vAo_%2e%2e"])
@pytest.mark.parametrize("kind", ["first", "link"])
async def test_what_is_no_link_of_ours_is_gone(rig: Rig, kind: str, text: str) -> None:
    await rig.person()
    browser = rig.browser()
    url = f"{rig.issuer}/{kind}/{text}"
    assert is_gone(await browser.get(url))
    assert is_gone(await browser.client.post(url, data={"password": NEW, "again": NEW}))


async def test_a_link_is_for_one_thing(rig: Rig) -> None:
    await rig.person("ada@example.com", None)
    first, link = await first_url(rig), await link_url(rig)
    browser = rig.browser()
    assert is_gone(await browser.get(first.replace("/first/", "/link/")))
    assert is_gone(await browser.get(link.replace("/link/", "/first/")))


async def test_links_are_over_after_fifteen_minutes_and_with_the_account(rig: Rig) -> None:
    user = await rig.person()
    browser, old = rig.browser(), await link_url(rig)
    page = await browser.get(old)
    rig.clock.seconds += ONE_TIME_LINK_TTL.total_seconds()
    assert is_gone(await browser.submit(page))
    url = await link_url(rig)
    await disable_user(rig.stores, user.id, rig.clock.now())
    assert is_gone(await browser.get(url))


async def test_a01_another_site_cannot_make_a_browser_use_a_link(rig: Rig) -> None:
    """Signed in to the attacker's account, a person would show it what is their own."""
    await rig.person()
    url = await link_url(rig)
    attacker, victim = rig.browser(), rig.browser()
    fields = hidden_fields((await attacker.get(url)).text)
    await victim.get(rig.authorize_url())
    assert (await victim.client.post(url, data=fields)).status_code == 400
    page = await attacker.get(url)
    cross = await attacker.client.post(
        url, data=hidden_fields(page.text), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert cross.status_code == 400
    assert leads_to_sign_in(await attacker.submit(page))


async def test_a06_a_browser_id_that_somebody_planted_is_worth_nothing_after_a_link(rig: Rig) -> None:
    await rig.person()
    attacker, victim = rig.browser(), rig.browser()
    await attacker.get(rig.authorize_url())
    for cookie in attacker.client.cookies.jar:
        victim.client.cookies.jar.set_cookie(cookie)
    assert leads_to_sign_in(await victim.submit(await victim.get(await link_url(rig))))
    assert (await attacker.get(rig.authorize_url())).status_code == 200  # asked for the password
    assert "code" in told(await victim.get(rig.authorize_url()))


@pytest.mark.parametrize(("seconds", "asked"), [(FRESH_SECONDS - 1, False), (FRESH_SECONDS, True)])
async def test_after_a_link_the_sign_in_must_follow_soon(rig: Rig, seconds: float, asked: bool) -> None:
    await rig.person()
    browser = rig.browser()
    await browser.submit(await browser.get(await link_url(rig)))
    rig.clock.seconds += seconds
    answer = await browser.get(rig.authorize_url())
    assert (answer.status_code == 200) is asked


async def test_a_wrong_request_does_not_use_up_what_the_link_gave(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    await browser.submit(await browser.get(await link_url(rig)))
    assert told(await browser.get(rig.authorize_url(scope="email")))["error"] == "invalid_scope"
    assert "code" in told(await browser.get(rig.authorize_url()))


async def test_whose_password_is_changed_right_after_a_link_is_asked_again(rig: Rig) -> None:
    user = await rig.person()
    browser = rig.browser()
    await browser.submit(await browser.get(await link_url(rig)))
    await set_password(rig.stores, user.id, hashed("another password"), rig.clock.now())
    assert (await browser.get(rig.authorize_url())).status_code == 200


async def test_whoever_is_disabled_right_after_a_link_is_asked_again(rig: Rig) -> None:
    user = await rig.person()
    browser = rig.browser()
    await browser.submit(await browser.get(await link_url(rig)))
    await disable_user(rig.stores, user.id, rig.clock.now())
    assert (await browser.get(rig.authorize_url())).status_code == 200


async def test_p10_a_link_is_in_no_log_and_no_referer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await rig.person()
    url = await link_url(rig)
    written: list[dict[str, object]] = []
    monkeypatch.setattr("visiona.web.site.log_access", lambda **fields: written.append(fields))
    browser: Browser = rig.browser()
    page = await browser.get(url)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    await browser.submit(page)
    assert len(written) == 2
    from visiona.web.access_log import safe_path

    token = url.rpartition("/")[2]
    for fields in written:
        shown = safe_path(str(fields["path"]))
        assert shown == f"/idp/link/{token[:8]}…"
    assert capsys.readouterr().err == ""
