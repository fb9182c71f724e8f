"""What `visiona demo --check` proves of people's sign-in: from the one-use link to the session's end, as a browser."""

from visiona.cli.demo_browser import Browser, Shown
from visiona.cli.demo_client import Unexpected

SESSION_COOKIE = "visiona_session"
WAY = ("/api/auth/login", "/idp/authorize", "/api/auth/callback", "/")
"""Where the link's form leads, one redirect after the other."""


async def sign_in(browser: Browser, link: str) -> str:
    """Uses the link up; gives what was seen on the way.

    Raises:
        Unexpected: something was not as it should be. The message names no secret: not the link, no query.
    """
    page = await browser.open(link)
    _expect(page.status == 200, f"the sign-in link answered {page.status}")
    _expect("<script" not in page.text, "there is a script on the sign-in page")
    _expect(SESSION_COOKIE not in browser.cookies, "looking at the link was enough to be signed in")
    console = await browser.submit(page, {})
    _expect_way(console)
    _expect(console.status == 200, f"the console answered {console.status}")
    _, attributes = browser.cookies.get(SESSION_COOKIE, ("", frozenset()))
    _expect({"httponly", "samesite=lax", "path=/"} <= attributes, "no session cookie, or a careless one")
    again = await Browser(browser.site).open(link)
    _expect(again.status == 410, f"the link was used, and yet it answers {again.status}")
    return "link, login, authorize, callback, console"


async def use_session(browser: Browser, device: str) -> str:
    """Reads and changes by the cookie alone; a change needs the header that other sites' pages cannot send.

    Args:
        browser: signed in.
        device: the path of the device.
    """
    me = await browser.fetch("GET", "/api/auth/me")
    devices = await browser.fetch("GET", "/api/devices")
    _expect(bool(devices), "signed in, but no device is there")
    await browser.fetch("POST", f"{device}/scan", expect=403)
    await browser.fetch("POST", f"{device}/scan", csrf=True)
    return f"{me['email']}, {len(devices)} device, 403 without X-Visiona-CSRF"


async def sign_out(browser: Browser) -> str:
    """Ends the session; a copy of its cookie is worth nothing then."""
    copy = Browser(browser.site, dict(browser.cookies))
    await browser.fetch("POST", "/api/auth/logout", csrf=True)
    _expect(SESSION_COOKIE not in browser.cookies, "signed out, but the cookie stays")
    await copy.fetch("GET", "/api/auth/me", expect=401)
    return "signed out, 401"


def _expect_way(page: Shown) -> None:
    led = page.way[1:]
    _expect(led == WAY, f"the link's form led by {', '.join(led) or 'nowhere'}, not by {', '.join(WAY)}")


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Unexpected(otherwise)
