"""The outages that are played, of PostgreSQL and of Redis, and what is asked in each."""

from collections.abc import Callable

from tests.e2e.client import Caller, until
from tests.e2e.outages import ANSWERED_SECONDS, Outage, Request, Shot, Site
from tests.support.route_needs import DATABASE, NEEDS, SESSIONS

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
REDIS = "redis"

ANYTHING: Request = ("GET", "/api/system/info", None)
"""Needs to know the caller and nothing else."""

WRITES: list[Request] = [
    ("POST", "/api/pairing/token", {}),
    ("POST", "/api/auth/tokens", {"name": "t", "ttl_seconds": 1}),
]


def requests_for(store: str, *, is_session: bool = False) -> list[Request]:
    """One of each route that needs the store of a caller who is known."""
    found: list[Request] = []
    for (method, rule), need in NEEDS.items():
        if store in (need.of | need.of_session if is_session else need.of) and not need.why:
            path = "/".join(NOWHERE if part.startswith("<") else part for part in rule.split("/"))
            found.append((method, path, need.body))
    return found


class DatabaseSide:
    """The database: every data route, of people who are known and of some who are not.

    Args:
        is_readable: whether it can be read in these outages; then writes alone are refused.
    """

    store = DATABASE

    def __init__(self, *, is_readable: bool = False) -> None:
        self._is_readable = is_readable
        self._requests = WRITES if is_readable else requests_for(DATABASE)

    def warm(self, site: Site) -> None:
        site.warm()

    def refused(self, site: Site) -> list[Shot]:
        unknown = [] if self._is_readable else site.unknown()
        orders = [(site.known_now, request) for request in self._requests]
        return site.salvo([*orders, *((one, ANYTHING) for one in unknown)])

    def refused_later(self, site: Site) -> list[Shot]:
        return [site.shoot(request, site.known_now) for request in self._requests[:6]]

    def spared(self, site: Site) -> bool:
        return site.reads_succeed() if self._is_readable else site.known_now.ask(*ANYTHING).status == 200

    def works(self, site: Site) -> bool:
        return site.reads_succeed() and site.writes_succeed()


class SessionsSide:
    """Redis: people's sessions, and nothing that a program does.

    Args:
        refuses: what is refused at once in these outages: to begin a sign-in, to end a session, to know one.
        spares: whether sessions can be known all the time.
    """

    store = REDIS

    def __init__(self, *refuses: str, spares: bool = False) -> None:
        self._refuses = refuses
        self._spares = spares

    def warm(self, site: Site) -> None:
        site.warm_browsers()

    def refused(self, site: Site) -> list[Shot]:
        known = [ANYTHING] if "know" in self._refuses else []
        return site.salvo(
            [*self._orders(site), *((one, request) for one in site.unknown_browsers() for request in known)]
        )

    def refused_later(self, site: Site) -> list[Shot]:
        """Soon also whoever was known: what is said of sessions elsewhere cannot be heard now."""
        orders = self._orders(site)[:5]
        if "know" in self._refuses:
            is_refused = "who was known is known no more"
            until(lambda: site.browser.ask(*ANYTHING).status == 503, is_refused, ANSWERED_SECONDS)
            orders.append((site.browser, ANYTHING))
        return [site.shoot(request, caller) for caller, request in orders]

    def spared(self, site: Site) -> bool:
        """Programs, known or not; and sessions, where they can be known."""
        callers: list[Caller] = [site.known, *site.unknown()[:2]]
        if self._spares:
            callers += [site.browser, *site.unknown_browsers()[:2]]
        return {one.ask("GET", "/api/devices").status for one in callers} == {200} and site.writes_succeed()

    def works(self, site: Site) -> bool:
        """Reading a session, beginning a sign-in."""
        beginning = Caller(site.server.web, None).ask("GET", "/api/auth/login").status
        return site.browser.ask("GET", "/api/auth/me").status == 200 and beginning == 302

    def _orders(self, site: Site) -> list[tuple[Caller, Request]]:
        ends: Request = ("DELETE", f"/api/auth/sessions/{site.browser.session_id}", None)
        known = requests_for(SESSIONS, is_session=True)
        orders: dict[str, list[tuple[Caller, Request]]] = {
            "begin": [(Caller(site.server.web, None), ("GET", "/api/auth/login", None))],
            "end": [(site.browser, ("POST", "/api/auth/logout", None)), (site.browser, ends)],
            "know": [(site.browser, request) for request in known],
        }
        return [order for name in self._refuses for order in orders[name]]


def _database(name: str, begin: Callable[[Site], object], end: Callable[[Site], object]) -> Outage:
    return Outage(name, DatabaseSide(), begin, end)


def _redis(name: str, begin: Callable[[Site], object], end: Callable[[Site], object]) -> Outage:
    return Outage(name, SessionsSide("begin", "end", "know"), begin, end)


DATABASE_OUTAGES = [
    _database("killed (SIGKILL)", lambda site: site.postgres.kill(), lambda site: site.postgres.start()),
    _database("stopped", lambda site: site.postgres.stop(), lambda site: site.postgres.start()),
    _database("frozen (SIGSTOP)", lambda site: site.postgres.freeze(), lambda site: site.postgres.thaw()),
    _database("refused", lambda site: site.to_postgres.refuse(), lambda site: site.to_postgres.heal()),
    _database("black hole", lambda site: site.to_postgres.vanish(), lambda site: site.to_postgres.heal()),
    _database("answers lost", lambda site: site.to_postgres.swallow(), lambda site: site.to_postgres.heal()),
    _database("slow, 5 s", lambda site: site.to_postgres.delay(2.5), lambda site: site.to_postgres.heal()),
    Outage(
        "read-only after a failover",
        DatabaseSide(is_readable=True),
        lambda site: site.forbid_writing(),
        lambda site: site.allow_writing(),
    ),
]

SESSION_OUTAGES = [
    _redis("killed (SIGKILL)", lambda site: site.redis.kill(), lambda site: site.redis.start()),
    _redis("frozen (SIGSTOP)", lambda site: site.redis.freeze(), lambda site: site.redis.thaw()),
    _redis("refused", lambda site: site.to_redis.refuse(), lambda site: site.to_redis.heal()),
    _redis("black hole", lambda site: site.to_redis.vanish(), lambda site: site.to_redis.heal()),
    _redis("answers lost", lambda site: site.to_redis.swallow(), lambda site: site.to_redis.heal()),
    _redis("slow, 5 s", lambda site: site.to_redis.delay(2.5), lambda site: site.to_redis.heal()),
    Outage(
        "memory full (OOM)",
        SessionsSide("begin", spares=True),
        lambda site: site.redis.command("CONFIG", "SET", "maxmemory", "1"),
        lambda site: site.redis.command("CONFIG", "SET", "maxmemory", "0"),
    ),
    # It can be read until it is noticed that it may be behind the one that sessions are ended on.
    Outage(
        "a replica now (READONLY)",
        SessionsSide("begin", "end"),
        lambda site: site.redis.command("REPLICAOF", "127.0.0.1", "1"),
        lambda site: site.redis.command("REPLICAOF", "NO", "ONE"),
    ),
]


def outage_named(name: str) -> Outage:
    """One of the database."""
    return next(outage for outage in DATABASE_OUTAGES if outage.name == name)
