"""Whether a request that rides on a cookie was made by our own pages.

A browser adds the cookie to whatever any site's page asks of us. Two things tell the difference: the browser's own word
(`Sec-Fetch-Site`, which no page can write, and `Origin`), and for what changes something a header that no page of
another site can add without asking first, which we never allow (ASVS 3.5.1). `Sec-Fetch-Site` is missing in old browsers
and on plain http; `SameSite=Lax` and the header stand alone there.

Reading is held to the first as well: a camera's picture must not be embeddable elsewhere (ASVS 3.5.8, H-24), and a
device's own page, which is in a sandbox, counts as another site's (H-10).
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from visiona.domain.errors import NotAllowed

GetHeader = Callable[[str], str | None]
"""Takes a field's name in lower case."""

CSRF_HEADER: Final = "x-visiona-csrf"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_OURS: Final = frozenset({"same-origin", "none"})
"""`none`: the person typed the address, or opened a bookmark. `same-site` is a sibling domain or another port."""

FOREIGN_PAGE: Final = "another site's page asked for this"
NO_HEADER: Final = "send X-Visiona-CSRF: 1 with what changes something"


def origin_of(url: str | None) -> str | None:
    """A URL's origin as browsers write it in `Origin`; None without a URL."""
    if url is None:
        return None
    parts = urlsplit(url.lower())
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def check_cross_site(method: str, get_header: GetHeader, own_origin: str | None) -> None:
    """Lets a request with a cookie pass that our own pages made.

    Args:
        method: GET for a WebSocket.
        own_origin: of the public URL, as browsers spell it; None: whatever host was asked.

    Raises:
        NotAllowed: another site's page made it, or nothing shows that none did.
    """
    if (fault := cross_site_fault(method, get_header, own_origin)) is not None:
        raise NotAllowed(fault)


def cross_site_fault(method: str, get_header: GetHeader, own_origin: str | None) -> str | None:
    """As `check_cross_site`; what is wrong, or None."""
    site = get_header("sec-fetch-site")
    if site is not None and site not in _OURS:
        return FOREIGN_PAGE
    origin = get_header("origin")
    if origin is not None and not _is_own(origin.lower(), get_header, own_origin):
        return FOREIGN_PAGE
    if method not in SAFE_METHODS and get_header(CSRF_HEADER) != "1":
        return NO_HEADER
    return None


def _is_own(origin: str, get_header: GetHeader, own_origin: str | None) -> bool:
    if own_origin is not None:
        return origin == own_origin
    host = (get_header("host") or "").lower()
    return bool(host) and origin in {f"http://{host}", f"https://{host}"}
