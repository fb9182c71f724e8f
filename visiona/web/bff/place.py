"""Where browsers reach this server: the configured public URL, or what was bound, and nothing a request says (H-05)."""

from collections.abc import Callable
from urllib.parse import urlsplit

from visiona.web.cross_site import origin_of

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

CALLBACK = "api/auth/callback"
LOGIN = "api/auth/login"


class Place:
    """The public base and what is made of it.

    Args:
        public_url: `[web] public_url`, perhaps with a path; None if it is not set.
        bound: what the web port was bound to, as a URL; asked at each use, for it is not known from the start.
    """

    def __init__(self, public_url: str | None, bound: Callable[[], str]) -> None:
        self._public_url = public_url.rstrip("/") if public_url is not None else None
        self._bound = bound

    @property
    def base(self) -> str:
        """The URL without a slash at its end."""
        return self._public_url if self._public_url is not None else self._bound().rstrip("/")

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a browser writes it into `Origin`."""
        return origin_of(self.base) or ""

    @property
    def own_origin(self) -> str | None:
        """For cross_site.py: the public URL's origin; None where there is none, and any host that was asked will do."""
        return origin_of(self._public_url)

    @property
    def home(self) -> str:
        """The start page's path, with a slash at its end."""
        return urlsplit(self.base).path + "/"

    @property
    def home_url(self) -> str:
        """The start page; registered at the provider as the place to come back to after signing out."""
        return self.base + "/"

    @property
    def callback_url(self) -> str:
        """Where the provider sends people back to; registered there, letter by letter."""
        return f"{self.base}/{CALLBACK}"

    @property
    def login_path(self) -> str:
        """Where a sign-in begins."""
        return self.home + LOGIN

    @property
    def is_https(self) -> bool:
        """Whether cookies may say `Secure` and `__Host-`."""
        return self.base.lower().startswith("https://")

    def is_here(self, host: str | None) -> bool:
        """Whether a request's Host is this place. A sign-in that begins elsewhere loses its cookies on the way."""
        parts = urlsplit(self.base)
        return host is not None and _plain_host(host, parts.scheme) == _plain_host(parts.netloc, parts.scheme)

    def is_sure(self, host: str | None) -> bool:
        """Whether somebody who asked `host` can be sent to this place: an administrator said where it is, or both
        are this very machine.
        """
        if self._public_url is not None:
            return True
        return host is not None and _is_loopback(host) and _is_loopback(urlsplit(self.base).netloc)


def _plain_host(host: str, scheme: str) -> str:
    return host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _is_loopback(host: str) -> bool:
    name, colon, port = host.lower().rpartition(":")
    return (name if colon and port.isdigit() else host.lower()) in _LOOPBACK
