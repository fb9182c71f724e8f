"""What a request says about its caller, read from its head alone. Whether it is true is for callers.py to find out."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from visiona.web.cookies import SESSION_COOKIE, cookie_value, session_cookie_name
from visiona.web.cross_site import GetHeader, cross_site_fault, origin_of
from visiona.web.settings import WebSettings

OUR_TOKENS: Final = ("vAp_", "vAs_", "vAc_")
"""How tokens of ours begin. Another bearer token is for the device, and the caller came with the cookie."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request says about its caller. Never printed whole: `repr` hides both.

    Attributes:
        bearer: a token's text; then there is no cookie, whatever came with it.
        cookie: the session cookie's sealed value.
        foreign: with a cookie, why the request may not have it: another site's page made it, or may have.
    """

    bearer: str | None = None
    cookie: str | None = None
    foreign: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(bearer={'…' if self.bearer else None}, cookie={'…' if self.cookie else None})"


class CredentialReader(NamedTuple):
    """Reads who a request says it is from.

    Attributes:
        cookie_name: of the session cookie.
        own_origin: of the public URL, as browsers spell it; None: whatever host a request names.
    """

    cookie_name: str = SESSION_COOKIE
    own_origin: str | None = None

    @classmethod
    def from_web(cls, web: WebSettings) -> "CredentialReader":
        """For a server that is reached as the settings say."""
        return cls(session_cookie_name(web.public_url), origin_of(web.public_url))

    def read(self, method: str, get_header: GetHeader) -> Credentials:
        """The credentials of a request.

        A token of ours decides: no browser sends it by itself, so that no other site's page can misuse it, and it
        needs none of the rules for cookies.

        Args:
            method: GET for a WebSocket.
            get_header: for `cookie` all fields of that name, joined (HTTP/2 splits them).
        """
        authorization = get_header("authorization") or ""
        scheme, _, rest = authorization.partition(" ")
        bearer = rest.strip() if scheme.lower() == "bearer" else ""
        if bearer.startswith(OUR_TOKENS):
            return Credentials(bearer=bearer)
        cookie = cookie_value(get_header("cookie"), self.cookie_name)
        if cookie is not None:
            return Credentials(cookie=cookie, foreign=cross_site_fault(method, get_header, self.own_origin))
        return Credentials(bearer=bearer or None)
