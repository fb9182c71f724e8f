"""Where a Redis is, as `redis.url` says it: read once, and shown without what is secret in it."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

DEFAULT_PORT = 6379
MAX_NUMBER = 1_000_000
"""Far more databases than any server has; a longer number is a mistake."""

_HOW = "write redis://[[user]:password@]host[:port][/number], or rediss:// for TLS"


class NoAddress(ValueError):
    """The text is none; what this says is for a person and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A server and a database on it.

    Attributes:
        number: of the database.
        ca_file: PEM file with who vouches for the server's certificate; None for whom this machine trusts.
    """

    host: str
    port: int = DEFAULT_PORT
    number: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    is_tls: bool = False
    ca_file: str | None = None

    def __str__(self) -> str:
        """For people and logs: no name, no password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.is_tls else 'redis'}://{host}:{self.port}/{self.number}"


def parsed(url: str) -> RedisAddress:
    """Reads the address; raises NoAddress."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # It may repeat the password, which an unescaped `[` or `/` turns into a port.
        raise NoAddress(f"{_HOW}; what stands in a password is written in percent: %2F for /") from None
    if parts.scheme not in {"redis", "rediss"} or not host:
        raise NoAddress(_HOW)
    if parts.fragment:
        raise NoAddress(f"{_HOW}; a # in a password is written %23")
    is_tls = parts.scheme == "rediss"
    return RedisAddress(
        host=unquote(host),
        port=DEFAULT_PORT if port is None else port,
        number=_number(parts.path),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        is_tls=is_tls,
        ca_file=_ca_file(parts.query, is_tls=is_tls),
    )


def _number(path: str) -> int:
    text = path.strip("/")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or int(text[:10]) > MAX_NUMBER:
        raise NoAddress(f"{_HOW}; after the host comes the number of a database, such as /0")
    return int(text)


def _ca_file(query: str, *, is_tls: bool) -> str | None:
    options = parse_qs(query, keep_blank_values=True)
    unknown = set(options) - {"ssl_ca_certs"}
    if unknown or (options and not is_tls):
        raise NoAddress("the only option after a ? is ssl_ca_certs=FILE, with rediss://")
    return options["ssl_ca_certs"][-1] or None if options else None
