"""Forms that only we have made, for this browser and this very request: against sign-ins that another site submits.

The seal is a signed token (HS256, the forms' own key) over the browser's id and what the form is for; nothing is kept
for it on the server, so a flood of opened pages fills nothing (A-16).
"""

import hashlib
import hmac
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from quart import request

FORM_LIFE = timedelta(minutes=10)
"""As long as the sign-in itself may take (PENDING_LOGIN_TTL)."""

_ALGORITHM = "HS256"


def seal(key: OctKey, browser: str, purpose: bytes, now: datetime) -> str:
    """The hidden field's value.

    Args:
        key: of the forms.
        browser: see browser.py.
        purpose: what the form is for, such as the query of the page.
        now: this moment.
    """
    claims = {"exp": int((now + FORM_LIFE).timestamp()), "form": _digest(browser, purpose)}
    return jwt.encode({"alg": _ALGORITHM}, claims, key, [_ALGORITHM])


def is_sealed(key: OctKey, text: str, browser: str | None, purpose: bytes, now: datetime) -> bool:
    """Whether we made it, for this browser and purpose, a short while ago."""
    if browser is None:
        return False
    try:
        claims = jwt.decode(text, key, [_ALGORITHM]).claims
    except (JoseError, ValueError):
        return False
    ours, expires = claims.get("form"), claims.get("exp")
    return (
        isinstance(ours, str)
        and isinstance(expires, int)
        and hmac.compare_digest(ours.encode(), _digest(browser, purpose).encode())
        and now.timestamp() < expires
    )


def is_from_own_page() -> bool:
    """Whether the browser says that one of our pages submits this; one that says nothing is believed the seal.

    The Origin header would be no help: pages with `Referrer-Policy: no-referrer` send `null`.
    """
    return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"


def _digest(browser: str, purpose: bytes) -> str:
    return hashlib.sha256(browser.encode() + b"\n" + purpose).hexdigest()
