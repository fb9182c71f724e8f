"""The cookie that ties a form to the browser it was shown in.

It says nothing about anybody: 43 random characters, made anew whenever a link has signed somebody in, so that an id
that another page planted is worth nothing afterwards.
"""

from quart import Response, request

from visiona.domain.sessions import secret_hash
from visiona.services.minting import mint_secret
from visiona.web.cookies import cookie_value

COOKIE_SECONDS = 3600
"""As long as somebody may look at a sign-in page; a page that is older says so and is shown again."""


def cookie_name(public_base: str) -> str:
    """`__Host-` where the browser reaches us by https: then no other page of the domain can set it."""
    return "__Host-visiona_idp" if public_base.startswith("https://") else "visiona_idp"


def browser_or_none(public_base: str) -> str | None:
    """The id of the browser that asks. One that came twice is none: which of them would be ours? (A-07)."""
    value = cookie_value("; ".join(request.headers.getlist("Cookie")), cookie_name(public_base))
    return value if value is not None and secret_hash(value) is not None else None


def new_browser() -> str:
    """Another id."""
    return mint_secret()


def set_browser(response: Response, public_base: str, browser: str) -> None:
    """Gives the browser its id. Lax, for the way here begins at another page when a link in a mail is followed."""
    response.set_cookie(
        cookie_name(public_base),
        browser,
        max_age=COOKIE_SECONDS,
        path="/",
        secure=public_base.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )
