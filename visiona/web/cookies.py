"""The session cookie: how it is sealed, and how it is read out of a Cookie field.

Its value is the session's text, a dot, and an HMAC of the text. The text alone is as hard to guess; the seal keeps
what was never ours away from the store, and makes a stolen copy of the database of no use for making cookies.

A browser sends every cookie of the name that it has, also one that a sibling domain or another port planted, and does
not say which is whose. So more than one is none (A-07): choosing would let the planter choose.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from visiona.domain.sessions import SECRET_CHARACTERS

SESSION_COOKIE: Final = "visiona_session"
SESSION_COOKIE_HTTPS: Final = "__Host-visiona_session"
"""No sibling domain can plant a `__Host-` cookie (RFC 6265bis §4.1.3.2), and it needs https."""

SEALED_CHARACTERS: Final = SECRET_CHARACTERS + 1 + 43
"""32 bytes each, in base64url without padding."""

MAX_HEADER_CHARACTERS: Final = 16384
"""A request head has no more; a longer text did not come from one."""


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie of one server: what it is called, and the key of its seal."""

    name: str
    key: bytes = field(repr=False)

    def seal(self, text: str) -> str:
        """The cookie's value for a session's text."""
        return seal(self.key, text)

    def opened(self, value: str) -> str | None:
        """The session's text; None for what this server did not seal."""
        return opened(self.key, value)

    def read(self, cookie_header: str | None) -> str | None:
        """The session's text in a Cookie field; None where no cookie counts."""
        return read(cookie_header, self.name, self.key)


def session_cookie_name(public_url: str | None) -> str:
    """What the cookie is called; the prefix where browsers reach us by https."""
    is_https = public_url is not None and public_url.lower().startswith("https://")
    return SESSION_COOKIE_HTTPS if is_https else SESSION_COOKIE


def seal(key: bytes, text: str) -> str:
    """The cookie's value for a text of SECRET_CHARACTERS characters."""
    return f"{text}.{_mac(key, text)}"


def opened(key: bytes, value: str) -> str | None:
    """The text of a sealed value; None for what this key did not seal, in exactly this spelling."""
    if len(value) != SEALED_CHARACTERS or value[SECRET_CHARACTERS] != "." or not value.isascii():
        return None
    text = value[:SECRET_CHARACTERS]
    return text if hmac.compare_digest(value[SECRET_CHARACTERS + 1 :], _mac(key, text)) else None


def cookie_value(cookie_header: str | None, name: str) -> str | None:
    """The value of the one cookie of this name; None where there is none, or more than one."""
    if cookie_header is None or name not in cookie_header or len(cookie_header) > MAX_HEADER_CHARACTERS:
        return None
    found = None
    for pair in cookie_header.split(";"):
        key, equals, value = pair.partition("=")
        if equals and key.strip(" \t") == name:
            if found is not None:
                return None
            found = value.strip(" \t")
    return found


def read(cookie_header: str | None, name: str, key: bytes) -> str | None:
    """The sealed text in a Cookie field; None where there is no cookie of the name that counts."""
    value = cookie_value(cookie_header, name)
    return opened(key, value) if value is not None else None


def _mac(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode("ascii"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
