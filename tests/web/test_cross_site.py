"""A-15, H-10, H-24, ASVS 3.5: what a cookie may do, by what the browser says of the request."""

import pytest
from visiona.domain.errors import NotAllowed
from visiona.web.cross_site import FOREIGN_PAGE, NO_HEADER, check_cross_site, cross_site_fault, origin_of

OWN = "https://visiona.example"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "FOO")
SAFE = ("GET", "HEAD", "OPTIONS")
FOREIGN = (
    "https://evil.example",
    "https://visiona.example.evil.example",
    "https://evilvisiona.example",
    "https://sub.visiona.example",
    "http://visiona.example",
    "https://visiona.example:8443",
    "https://visiona.example/",
    "null",
    "",
)


def fault(method: str, own: str | None = OWN, **headers: str) -> str | None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return cross_site_fault(method, given.get, own)


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "SAME-ORIGIN", "whatever"])
def test_a15_h24_what_the_browser_calls_another_sites_is_refused_whatever_it_does(
    method: str, site: str
) -> None:
    """ASVS 3.5.8: also reading, or a camera's picture could stand in another site's page."""
    assert fault(method, sec_fetch_site=site, origin=OWN, x_visiona_csrf="1") == FOREIGN_PAGE


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("origin", FOREIGN)
def test_a15_h21_another_origin_is_refused_whatever_it_does(method: str, origin: str) -> None:
    assert fault(method, origin=origin, x_visiona_csrf="1") == FOREIGN_PAGE
    assert fault(method, origin=origin, x_visiona_csrf="1", sec_fetch_site="same-origin") == FOREIGN_PAGE


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("header", [None, "", "0", "true", "1, 1"])
def test_a15_a_change_needs_the_header_that_no_foreign_page_can_send(method: str, header: str | None) -> None:
    """Also from our own origin: a form there, or a device's page that got around its sandbox."""
    more = {"x_visiona_csrf": header} if header is not None else {}
    assert fault(method, sec_fetch_site="same-origin", origin=OWN, **more) == NO_HEADER
    assert fault(method, content_type="text/plain", **more) == NO_HEADER


@pytest.mark.parametrize("method", UNSAFE)
def test_our_own_pages_change_things(method: str) -> None:
    assert fault(method, sec_fetch_site="same-origin", origin=OWN, x_visiona_csrf="1") is None
    # Plain http: browsers say less. And a program with a cookie says nothing.
    assert fault(method, origin=OWN, x_visiona_csrf="1") is None
    assert fault(method, x_visiona_csrf="1") is None


@pytest.mark.parametrize("method", SAFE)
def test_our_own_pages_and_bookmarks_read(method: str) -> None:
    assert fault(method, sec_fetch_site="same-origin") is None
    assert fault(method, sec_fetch_site="none") is None
    assert fault(method) is None
    assert fault(method, origin=OWN) is None


def test_h05_without_a_public_url_the_host_that_was_asked_is_our_own() -> None:
    assert fault("GET", None, origin="http://box:3721", host="Box:3721") is None
    assert fault("GET", None, origin="https://box:3721", host="box:3721") is None
    assert fault("GET", None, origin="http://box", host="box:3721") == FOREIGN_PAGE
    assert fault("GET", None, origin="http://", host="") == FOREIGN_PAGE
    assert fault("GET", None, origin="http://") == FOREIGN_PAGE


def test_with_a_public_url_the_host_says_nothing() -> None:
    assert fault("GET", OWN, origin="https://evil.example", host="evil.example") == FOREIGN_PAGE


def test_the_check_raises_what_the_fault_says() -> None:
    check_cross_site("GET", {}.get, OWN)
    with pytest.raises(NotAllowed, match="X-Visiona-CSRF"):
        check_cross_site("POST", {}.get, OWN)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Visiona.example", "https://visiona.example"),
        ("https://visiona.example:443/base/", "https://visiona.example"),
        ("http://visiona.example:80", "http://visiona.example"),
        ("http://visiona.example:443", "http://visiona.example:443"),
        ("https://visiona.example:8443", "https://visiona.example:8443"),
        ("http://[::1]:3721", "http://[::1]:3721"),
        (None, None),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url: str | None, origin: str | None) -> None:
    assert origin_of(url) == origin
