import re
from typing import NoReturn

import httpx
import pytest
from visiona.services.users import disable_user
from visiona.stores.errors import StoreUnavailable
from visiona.stores.memory.engine import MemoryStores
from visiona.web.idp.issued import CODE_SECONDS
from visiona.web.idp.limits import PAIR_ATTEMPTS

from tests.web.idp.rig import BASE, CALLBACK, PASSWORD, Browser, Rig, hidden_fields, told

HOSTILE = [
    "https://evil.example/",
    "https://evil.example/sub/api/auth/callback",
    f"{CALLBACK}/",
    f"{CALLBACK}?x=1",
    f"{CALLBACK}#x",
    f"{CALLBACK}/../callback",
    CALLBACK.upper(),
    CALLBACK.replace("https://", "http://"),
    CALLBACK.replace("https://", "https://a@"),
    CALLBACK.replace("x.example", "x.example.evil.example"),
    CALLBACK.replace("x.example", "x.example:444"),
    CALLBACK.replace("/sub/", "//evil.example/"),
    f" {CALLBACK}",
    f"{CALLBACK} ",
    "/sub/api/auth/callback",
    "//x.example/sub/api/auth/callback",
    "javascript:alert(1)",
    'https://x.example/"><script>alert(1)</script>',
]


def is_refused(answer: httpx.Response) -> bool:
    """Nothing was sent anywhere, and the page repeats nothing."""
    return (
        answer.status_code == 400
        and "Location" not in answer.headers
        and "evil.example" not in answer.text
        and "<script" not in answer.text
        and "This sign-in cannot be continued" in answer.text
    )


@pytest.mark.parametrize("redirect_uri", [*HOSTILE, None])
async def test_a05_codes_go_to_one_place_alone(rig: Rig, redirect_uri: str | None) -> None:
    await rig.person()
    browser = rig.browser()
    assert is_refused(await browser.get(rig.authorize_url(redirect_uri=redirect_uri)))
    # Not even with a form that was made for the right request.
    page = await browser.get(rig.authorize_url())
    data = {**hidden_fields(page.text), "email": "ada@example.com", "password": PASSWORD}
    assert is_refused(await browser.client.post(rig.authorize_url(redirect_uri=redirect_uri), data=data))


@pytest.mark.parametrize("client_id", [None, "", "other", "VISIONA", "visiona ", 'visiona"'])
async def test_another_client_is_told_nothing(rig: Rig, client_id: str | None) -> None:
    assert is_refused(await rig.browser().get(rig.authorize_url(client_id=client_id)))


@pytest.mark.parametrize(
    "query",
    [
        "redirect_uri=https://evil.example/",
        "client_id=other",
        "state=other",
        "code_challenge_method=plain",
        "nonce=%00",
        "nonce=a%0d%0aSet-Cookie:%20x",
        "nonce=%ff",
        "x=" + "y" * 17000,
        "&".join(f"a{number}=1" for number in range(60)),
    ],
)
async def test_a_request_that_could_be_read_in_two_ways_is_refused(rig: Rig, query: str) -> None:
    assert is_refused(await rig.browser().get(f"{rig.authorize_url()}&{query}"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'x"y'}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "x" * 42}, "invalid_request"),
        ({"code_challenge": "x" * 129}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
async def test_the_client_is_told_what_is_wrong_and_by_whom(
    rig: Rig, changes: dict[str, str | None], error: str
) -> None:
    answer = await rig.browser().get(rig.authorize_url(**changes))
    assert answer.headers["Location"].startswith(f"{CALLBACK}?")
    found = told(answer)
    assert (found["error"], found["state"], found["iss"]) == (error, "the-state", rig.issuer)
    assert "code" not in found


async def test_a_code_comes_with_the_state_as_it_was_and_with_our_name(rig: Rig) -> None:
    await rig.person()
    state = "a&b=c é %2F+#"
    found = told(await rig.browser().sign_in(rig.authorize_url(state=state)))
    assert set(found) == {"code", "state", "iss"}
    assert (found["state"], found["iss"]) == (state, f"{BASE}/idp")
    assert len(found["code"]) == 43


async def test_a_request_without_a_state_is_answered_without_one(rig: Rig) -> None:
    await rig.person()
    assert set(told(await rig.browser().sign_in(rig.authorize_url(state=None)))) == {"code", "iss"}


async def test_a_password_is_never_carried_on_by_a_redirect(rig: Rig) -> None:
    await rig.person()
    answer = await rig.browser().sign_in(rig.authorize_url())
    assert answer.status_code == 303
    assert answer.content == b""
    assert PASSWORD not in str(answer.headers)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "wrong password"),
        ("ada@example.com", ""),
        ("ada@example.com", "x" * 2000),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("elsewhere@example.com", ""),
        ("disabled@example.com", PASSWORD),
    ],
)
async def test_whoever_does_not_sign_in_is_told_the_same(rig: Rig, email: str, password: str) -> None:
    await rig.person()
    await rig.person("elsewhere@example.com", None)
    disabled = await rig.person("disabled@example.com")
    await disable_user(rig.stores, disabled.id, rig.clock.now())
    answer = await rig.browser().sign_in(rig.authorize_url(), email, password)
    assert answer.status_code == 403
    assert "The e-mail address or the password is not right." in answer.text
    if password:
        assert password not in answer.text


async def test_what_was_typed_comes_back_as_text(rig: Rig) -> None:
    typed = '"><script>alert(1)</script>'
    page = await rig.browser().get(rig.authorize_url(login_hint=typed))
    answer = await rig.browser().sign_in(rig.authorize_url(), email=typed)
    for html in (page.text, answer.text):
        assert "<script" not in html
        assert "&quot;&gt;&lt;script&gt;" in html


async def test_the_second_try_works_on_the_page_that_says_it_was_wrong(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    wrong = await browser.sign_in(rig.authorize_url(), password="wrong password")
    assert "code" in told(await browser.submit(wrong, email="ada@example.com", password=PASSWORD))


async def submitted(rig: Rig, browser: Browser, fields: dict[str, str], url: str = "") -> httpx.Response:
    data = {"email": "ada@example.com", "password": PASSWORD, **fields}
    return await browser.client.post(url or rig.authorize_url(), data=data)


async def test_a01_a_form_that_another_browser_was_shown_is_none(rig: Rig) -> None:
    await rig.person()
    attacker, victim = rig.browser(), rig.browser()
    fields = hidden_fields((await attacker.get(rig.authorize_url())).text)
    await victim.get(rig.authorize_url())
    for browser in (victim, rig.browser()):
        answer = await submitted(rig, browser, fields)
        assert answer.status_code == 400
        assert "cookies are switched off" in answer.text
    assert "code" in told(await submitted(rig, attacker, fields))


async def test_a_form_is_for_the_request_that_it_was_shown_for(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    fields = hidden_fields((await browser.get(rig.authorize_url())).text)
    other = rig.authorize_url(state="another")
    assert (await submitted(rig, browser, fields, other)).status_code == 400


@pytest.mark.parametrize("form", ["", "x", "e30.e30.", "a.b.c", "é"])
async def test_a_form_without_our_seal_is_none(rig: Rig, form: str) -> None:
    await rig.person()
    browser = rig.browser()
    await browser.get(rig.authorize_url())
    assert (await submitted(rig, browser, {"form": form})).status_code == 400


@pytest.mark.parametrize(("seconds", "status"), [(599, 303), (600, 400)])
async def test_a_form_is_good_for_ten_minutes(rig: Rig, seconds: float, status: int) -> None:
    await rig.person()
    browser = rig.browser()
    fields = hidden_fields((await browser.get(rig.authorize_url())).text)
    rig.clock.seconds += seconds
    answer = await submitted(rig, browser, fields)
    assert answer.status_code == status
    if status == 400:
        assert "code" in told(await browser.submit(answer, email="ada@example.com", password=PASSWORD))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
async def test_a15_a_form_that_another_page_submits_is_none(rig: Rig, site: str) -> None:
    await rig.person()
    browser = rig.browser()
    page = await browser.get(rig.authorize_url())
    data = {**hidden_fields(page.text), "email": "ada@example.com", "password": PASSWORD}
    answer = await browser.client.post(page.url, data=data, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 400


async def test_a07_two_cookies_of_the_name_are_none(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    page = await browser.get(rig.authorize_url())
    [mine] = [cookie.value for cookie in browser.client.cookies.jar]
    header = f"__Host-visiona_idp={mine}; __Host-visiona_idp={'x' * 43}"
    data = {**hidden_fields(page.text), "email": "ada@example.com", "password": PASSWORD}
    async with httpx.AsyncClient(transport=rig.transport) as client:
        answer = await client.post(page.url, data=data, headers={"Cookie": header})
        assert answer.status_code == 400
        answer = await client.post(page.url, data=data, headers={"Cookie": header.partition(";")[0]})
    assert answer.status_code == 303


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/json", ""])
async def test_h19_a_form_of_another_type_is_refused(rig: Rig, kind: str) -> None:
    browser = rig.browser()
    page = await browser.get(rig.authorize_url())
    answer = await browser.client.post(page.url, content=b"email=a", headers={"Content-Type": kind})
    assert is_refused(answer)


async def test_too_many_attempts_are_told_when_to_come_back(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    limit = PAIR_ATTEMPTS.windows[0].limit
    for _ in range(limit):
        assert (await browser.sign_in(rig.authorize_url(), password="wrong password")).status_code == 403
    answer = await browser.sign_in(rig.authorize_url())
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "60 seconds" in answer.text
    rig.clock.seconds += 60
    assert "code" in told(await browser.sign_in(rig.authorize_url()))


async def test_s01_a_store_that_is_down_is_a_page_and_a_hint(rig: Rig) -> None:
    class Down(MemoryStores):
        async def read(self, operation: object) -> NoReturn:
            raise StoreUnavailable("away", retry_after_seconds=3)

    rig = Rig(rig.key_file, stores=Down())
    answer = await rig.browser().sign_in(rig.authorize_url())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "3"
    assert "This does not work at the moment" in answer.text


async def test_a_code_is_over_after_a_minute(rig: Rig) -> None:
    await rig.person()
    code = await rig.code()
    rig.clock.seconds += CODE_SECONDS
    assert (await rig.exchange(code)).json()["error"] == "invalid_grant"


async def test_each_set_cookie_is_as_it_must_be(rig: Rig, key_file: object) -> None:
    page = await rig.browser().get(rig.authorize_url())
    [cookie] = page.headers.get_list("Set-Cookie")
    assert re.fullmatch(
        r"__Host-visiona_idp=[A-Za-z0-9_-]{43}; Secure; HttpOnly; Path=/; SameSite=Lax(; Max-Age=3600)?",
        re.sub(r" (Expires=[^;]+|Max-Age=\d+);", "", cookie),
    ), cookie


async def test_without_https_the_cookie_has_no_prefix(rig: Rig) -> None:
    plain = Rig(rig.key_file, base="http://127.0.0.1:3721")
    page = await plain.browser().get(plain.authorize_url())
    [cookie] = page.headers.get_list("Set-Cookie")
    assert cookie.startswith("visiona_idp=")
    assert "Secure" not in cookie
    await plain.person()
    assert "code" in told(await plain.browser().sign_in(plain.authorize_url()))
