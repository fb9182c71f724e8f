"""What the sign-in leaves in a browser: the session, and while it is under way, who the browser is.

The second cookie binds an attempt to the browser that began it, so that nobody can be signed in with an answer that
was made for somebody else (A-01). It names a browser, not an attempt: tabs share it, and each has its own state.
"""

from visiona.domain.sessions import PENDING_LOGIN_TTL, secret_hash
from visiona.services.minting import mint_secret
from visiona.web.bff.place import Place
from visiona.web.cookies import SessionCookie, cookie_value

LOGIN_COOKIE = "visiona_login"
LOGIN_COOKIE_HTTPS = "__Host-visiona_login"

CLEARED = '"cache", "storage"'
"""For Clear-Site-Data. Not "cookies": that would clear other sites' below the same registered domain."""


def login_cookie_name(place: Place) -> str:
    """What the cookie of a sign-in under way is called."""
    return LOGIN_COOKIE_HTTPS if place.is_https else LOGIN_COOKIE


def browser_of(cookie_header: str | None, place: Place) -> str | None:
    """Which browser this is, as it was told; None for none, for two, and for what we did not make."""
    value = cookie_value(cookie_header, login_cookie_name(place))
    return value if value is not None and secret_hash(value) is not None else None


def new_browser() -> str:
    """A name for a browser that has none."""
    return mint_secret()


def login_cookie(place: Place, browser: str) -> str:
    """The Set-Cookie field that names the browser for as long as an attempt lives.

    Lax, for the provider's answer comes from another site, and a stricter cookie would not come with it.
    """
    return _cookie(place, login_cookie_name(place), browser, int(PENDING_LOGIN_TTL.total_seconds()))


def session_cookie(place: Place, cookie: SessionCookie, text: str) -> str:
    """The Set-Cookie field of a session. It ends with the browser's own session, or on the server before."""
    return _cookie(place, cookie.name, cookie.seal(text), None)


def no_session_cookie(place: Place, cookie: SessionCookie) -> str:
    """The Set-Cookie field that takes the session away."""
    return _cookie(place, cookie.name, "", 0)


def _cookie(place: Place, name: str, value: str, max_age_seconds: int | None) -> str:
    # The whole site is one path and one host: `__Host-` asks for that, and a narrower path would protect nothing.
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if max_age_seconds is not None:
        parts.append(f"Max-Age={max_age_seconds}")
    if place.is_https:
        parts.append("Secure")
    return "; ".join(parts)
