"""Where a PostgreSQL is, as `database.url` says it: checked once, and shown without what is secret in it.

The address is libpq's (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS) and is read
for good by the driver; here is what a person can get wrong in it.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEMES = ("postgresql", "postgres")
DEFAULT_PORT = 5432
MAX_NAME_BYTES = 63
"""PostgreSQL cuts longer names off without a word."""

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

OPTIONS = frozenset(
    {
        *("host", "port", "user", "password", "passfile", "options", "target_session_attrs"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation"),
    }
)
"""What may follow the `?`. Of libpq's others the driver makes settings of the server, which then refuses everybody."""

_HOW = "write postgresql://user:password@host:port/database, with ?sslmode=verify-full over a foreign network"
_IN_PERCENT = (
    "what is special in a user or password is written in percent: %40 for @, %2F for /, %23 for #, %25 for %"
)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]|/.*")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


CHECKING_MODES = ("verify-ca", "verify-full")


class NoAddress(ValueError):
    """The text is none; what this says is for a person and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server proves who it is, and we do.

    Attributes:
        authorities: PEM file with who may vouch for it; None for whom this machine trusts.
        certificate: PEM file with ours, None for none; `key`: the file of its key, if that is another one.
        checks_name: whether the certificate must be for the host.
    """

    authorities: str | None
    certificate: str | None
    key: str | None
    checks_name: bool


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """One or several servers, and a database on them.

    Attributes:
        dsn: for the driver, with all that is secret.
        hosts: names, addresses, or folders of sockets, each with its port; none for the usual places of this machine.
        tls: what is checked; None where nothing is.
    """

    dsn: str = field(repr=False)
    hosts: tuple[tuple[str, int], ...]
    database: str
    tls: Tls | None = None

    def __str__(self) -> str:
        """For people and logs: no user, no password."""
        hosts = ",".join(host if host.startswith("/") else f"{host}:{port}" for host, port in self.hosts)
        return f"postgresql://{hosts}/{self.database}"


def is_postgres(url: str) -> bool:
    """Whether it means to be such an address."""
    return url.partition(":")[0] in SCHEMES


def parsed(url: str) -> PostgresAddress:
    """Reads the address; raises NoAddress."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise NoAddress(f"{_HOW}; {_IN_PERCENT}") from None
    authority, _, places = parts.netloc.rpartition("@")
    is_odd = "@" in authority or "@" in parts.path or _BAD_PERCENT.search(authority) is not None
    if parts.scheme not in SCHEMES or is_odd or parts.fragment or "#" in url:
        raise NoAddress(f"{_HOW}; {_IN_PERCENT}")
    _check_options(options)
    hosts = tuple(_host(place) for place in (options.get("host") or places).split(",") if place)
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database or len(database.encode()) > MAX_NAME_BYTES:
        raise NoAddress(f"{_HOW}; after the host comes the name of the database, such as /visiona")
    if "sslmode" not in options and all(host.startswith("/") for host, _ in hosts):
        # No TLS over a socket of this machine; the driver would offer it when it cancels a question, and complain.
        options["sslmode"] = "disable"
    return PostgresAddress(
        urlunsplit(parts._replace(query=urlencode(options))), hosts, database, _tls(options)
    )


def _check_options(options: dict[str, str]) -> None:
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise NoAddress(f"after the ? only these are known: {', '.join(sorted(OPTIONS))}")
    if options.get("sslmode", "prefer") not in SSL_MODES:
        raise NoAddress(f"sslmode is one of {', '.join(SSL_MODES)}")


def _tls(options: dict[str, str]) -> Tls | None:
    mode = options.get("sslmode", "prefer")
    authorities = options.get("sslrootcert") or None
    # As libpq: whoever names authorities wants them asked.
    if mode not in CHECKING_MODES and (mode != "require" or authorities is None):
        return None
    return Tls(
        authorities,
        options.get("sslcert") or None,
        options.get("sslkey") or None,
        checks_name=mode == "verify-full",
    )


def _host(place: str) -> tuple[str, int]:
    host, port = place, ""
    if not place.startswith("/") and not place.endswith("]"):
        host, colon, port = place.rpartition(":")
        host = host if colon else place
        port = port if colon else ""
    host = unquote(host)
    is_port = not port or (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536)
    if not _HOST.fullmatch(host) or not is_port:
        raise NoAddress(f"{_HOW}; {_IN_PERCENT}")
    return host, int(port) if port else DEFAULT_PORT
