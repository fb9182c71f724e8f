import pytest
from visiona.web.cookies import SESSION_COOKIE_HTTPS
from visiona.web.credentials import CredentialReader, Credentials
from visiona.web.cross_site import FOREIGN_PAGE, NO_HEADER
from visiona.web.settings import WebSettings

TOKEN = "vAp_" + "5" * 64
COOKIE = "visiona_session=sealed"


def read(method: str = "GET", reader: CredentialReader | None = None, **headers: str) -> Credentials:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return (reader or CredentialReader()).read(method, given.get)


def test_a_token_comes_from_the_authorization_header() -> None:
    assert read(authorization=f"bEaReR  {TOKEN} ") == Credentials(bearer=TOKEN)
    assert read() == Credentials()
    assert read(authorization="Basic x") == Credentials()
    assert read(authorization="Bearer something") == Credentials(bearer="something")


@pytest.mark.parametrize("token", [TOKEN, "vAs_x", "vAc_x"])
def test_a_token_of_ours_decides_also_beside_a_cookie(token: str) -> None:
    """And a browser never sends it by itself, so the rules for cookies are not for it."""
    credentials = read("POST", authorization=f"Bearer {token}", cookie=COOKIE, sec_fetch_site="cross-site")
    assert credentials == Credentials(bearer=token)


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer eyJ.of.the.device", "Bearer", "Digest x"])
def test_a_device_s_own_authorization_leaves_the_caller_to_the_cookie(authorization: str) -> None:
    assert read(authorization=authorization, cookie=COOKIE) == Credentials(cookie="sealed")
    foreign = read("POST", authorization=authorization, cookie=COOKIE)
    assert foreign == Credentials(cookie="sealed", foreign=NO_HEADER)


def test_a15_a_cookie_carries_what_speaks_against_it() -> None:
    assert read("POST", cookie=COOKIE, x_visiona_csrf="1").foreign is None
    assert read("POST", cookie=COOKIE).foreign == NO_HEADER
    assert read(cookie=COOKIE, sec_fetch_site="cross-site").foreign == FOREIGN_PAGE


def test_a07_two_cookies_of_the_name_are_nobody() -> None:
    assert read(cookie=f"{COOKIE}; {COOKIE}") == Credentials()


def test_the_public_url_says_what_the_cookie_is_called_and_who_we_are() -> None:
    reader = CredentialReader.from_web(WebSettings(public_url="https://Visiona.example:443/base"))
    assert reader == CredentialReader(SESSION_COOKIE_HTTPS, "https://visiona.example")
    assert read(reader=reader, cookie=COOKIE) == Credentials()
    assert read(reader=reader, cookie=f"__Host-{COOKIE}") == Credentials(cookie="sealed")
    assert CredentialReader.from_web(WebSettings()) == CredentialReader()


def test_p10_credentials_do_not_print_themselves() -> None:
    assert "hush" not in repr(Credentials(bearer="hush", cookie="hush")) + f"{Credentials(bearer='hush')}"
