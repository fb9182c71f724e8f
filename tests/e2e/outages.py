"""A whole server whose ways to PostgreSQL and Redis can be spoilt, the outages that are played, and what is measured.

`measure` is one outage from its beginning to the first success after its end; test_outages.py judges the figures,
`scripts/bench outages` prints them.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.e2e.client import Answer, Caller, until
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server
from tests.support.route_needs import DATABASE, NEEDS
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer
from tests.support.toxics import ToxicRelay

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
AT_ONCE = 40
NAMED_SECONDS = 10.0
BACK_SECONDS = 10.0

Request = tuple[str, str, object]


class Shot(NamedTuple):
    """One request, and what came of it after how many seconds."""

    method: str
    path: str
    answer: Answer
    seconds: float

    @property
    def is_unavailable(self) -> bool:
        """503, with a moment to come back and no word of a driver."""
        answer = self.answer
        if answer.status != 503 or int(answer.headers["Retry-After"]) < 1:
            return False
        is_page = answer.headers["Content-Type"].startswith("text/html")
        return is_page or answer.error["code"] == "STORE_UNAVAILABLE"


class Figures(NamedTuple):
    """What was measured of one outage.

    Attributes:
        named_seconds: from its beginning until /healthz said so; None if it never does.
        shots: what was asked at its beginning, all at once.
        later: what was asked once it had been named, one after the other.
        recovered_seconds: from its end until a read and a write succeeded.
        could_read: whether reading went on meanwhile.
    """

    named_seconds: float | None
    shots: Sequence[Shot]
    later: Sequence[Shot]
    recovered_seconds: float
    could_read: bool

    @property
    def slowest(self) -> float:
        return max(shot.seconds for shot in self.shots)

    @property
    def slowest_later(self) -> float:
        return max(shot.seconds for shot in self.later)


class Site:
    """The server with its PostgreSQL and its Redis, each behind a relay.

    Attributes:
        direct: the database's URL past the relay.
        stores: the settings by which another server would use the same.
        known: somebody whose credential has just been used.
    """

    def __init__(self, folder: Path, evidence: Evidence, *settings: str) -> None:
        self.postgres, self.redis = PostgresServer(), RedisServer(keeps=True)
        self.direct = self.postgres.create_database()
        self.database = self.direct.rpartition("/")[2].partition("?")[0]
        self.to_postgres, self.to_redis = ToxicRelay(self.postgres.port), ToxicRelay(self.redis.port)
        url = self.direct.replace(f":{self.postgres.port}/", f":{self.to_postgres.port}/")
        redis = self.redis.url().replace(f":{self.redis.port}/", f":{self.to_redis.port}/")
        self.stores = (f"database.url={url}", f"redis.url={redis}")
        self.server = Server(folder, evidence, *self.stores, *settings)
        self._unknown: list[Caller] = []

    def start(self) -> None:
        self.server.start()
        self.known = self.server.person("ada")

    def close(self) -> int:
        """Stops everything; the server's exit code."""
        code = self.server.stop()
        for one in (self.to_postgres, self.to_redis, self.postgres, self.redis):
            one.close()
        return code

    def beside(self, *arguments: str) -> str:
        """A command of somebody's who reaches the database all the same."""
        said = self.server.run("--set", f"database.url={self.direct}", *arguments)
        assert said.code == 0, said
        return said.out

    def sql(self, text: str) -> str:
        return self.postgres.sql(text, self.database)

    def cut_connections(self) -> None:
        """As an administrator does, or a failover: every connection to the database is told and cut."""
        self.postgres.sql(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{self.database}'"
        )

    def forbid_writing(self) -> None:
        """The database is a standby now, and connections to what it was are cut."""
        self.postgres.sql(f"ALTER DATABASE {self.database} SET default_transaction_read_only = on")
        self.cut_connections()

    def allow_writing(self) -> None:
        """Who is connected stays as they are."""
        self.postgres.sql(f"ALTER DATABASE {self.database} RESET default_transaction_read_only")

    def move_database(self, folder: Path | None) -> None:
        """Puts the database's files on another disk; None: back. Nobody can be connected meanwhile."""
        self.postgres.sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
        self.cut_connections()
        if folder is not None:
            self.postgres.give(folder)
            self.postgres.sql(f"CREATE TABLESPACE elsewhere LOCATION '{folder}'")
        place = "elsewhere" if folder is not None else "pg_default"
        self.postgres.sql(f"ALTER DATABASE {self.database} SET TABLESPACE {place}")
        if folder is None:
            self.postgres.sql("DROP TABLESPACE elsewhere")
        self.postgres.sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")

    @property
    def connections(self) -> int:
        """How many the server has, says PostgreSQL."""
        where = f"datname = '{self.database}' AND backend_type = 'client backend'"
        return int(self.postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {where}"))

    def failing(self) -> list[str]:
        found: list[str] = Caller(self.server.web, None).ask("GET", "/healthz").json.get("failing", [])
        return found

    def warm(self) -> None:
        """The callers are ready: one is known, others are not."""
        while len(self._unknown) < 8:
            made = self.known.ask("POST", "/api/auth/tokens", {"name": "unknown", "ttl_seconds": 600}).data
            token = self.server.evidence.secret(made["token"], "a personal access token")
            self._unknown.append(Caller(self.server.web, token))
        assert self.known.ask("GET", "/api/devices").status == 200
        until(lambda: self.failing() == [], "all is well", BACK_SECONDS)

    def shoot(self, request: Request, caller: Caller | None = None) -> Shot:
        method, path, body = request
        began = time.monotonic()
        answer = (caller or self.known).ask(method, path, body)
        return Shot(method, path, answer, time.monotonic() - began)

    def salvo(self, requests: Sequence[Request], *, with_unknown: bool) -> list[Shot]:
        """All at once, and beside them, if told so, people who are not known yet."""
        unknown: list[Caller] = []
        if with_unknown:
            unknown, self._unknown = self._unknown, []
        with ThreadPoolExecutor(AT_ONCE) as threads:
            first = [threads.submit(self.shoot, request) for request in requests]
            second = [threads.submit(self.shoot, ("GET", "/api/system/info", None), one) for one in unknown]
            return [each.result() for each in (*first, *second)]

    def writes_succeed(self) -> bool:
        return self.known.ask("POST", "/api/auth/tokens", {"name": "t", "ttl_seconds": 1}).status == 201

    def reads_succeed(self) -> bool:
        return self.known.ask("GET", "/api/devices").status == 200


def figure(server: Server, name: str) -> float:
    """Of the metrics page."""
    page = Caller(server.internal, None).ask("GET", "/metrics").body.decode()
    found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


@contextmanager
def running_site(folder: Path, evidence: Evidence, *settings: str) -> Iterator[Site]:
    """A site while the block runs; its server's end must be a clean one."""
    site = Site(folder, evidence, *settings)
    try:
        site.start()
        yield site
    finally:
        code = site.close()
    assert code == 0, site.server.text[-3000:]
    assert "Traceback" not in site.server.text, site.server.text


def requests_for(store: str) -> list[Request]:
    """One of each route that needs the store of a caller who is known."""
    found: list[Request] = []
    for (method, rule), need in NEEDS.items():
        if store in need.of and not need.why:
            path = "/".join(NOWHERE if part.startswith("<") else part for part in rule.split("/"))
            found.append((method, path, need.body))
    return found


WRITES: list[Request] = [
    ("POST", "/api/pairing/token", {}),
    ("POST", "/api/auth/tokens", {"name": "t", "ttl_seconds": 1}),
]


@dataclass(frozen=True)
class Outage:
    """Something that happens to one of the two.

    Attributes:
        store: as /healthz names it.
        requests: what is refused meanwhile.
        is_named: whether /healthz says so.
    """

    name: str
    store: str
    begin: Callable[[Site], object]
    end: Callable[[Site], object]
    requests: Sequence[Request]
    is_named: bool = True


def measure(site: Site, outage: Outage) -> Figures:
    """Plays it."""
    site.warm()
    with ThreadPoolExecutor(1) as watcher:
        began = time.monotonic()
        outage.begin(site)
        begun_after = time.monotonic() - began
        named = watcher.submit(
            until, lambda: outage.store in site.failing(), f"{outage.name} is named", NAMED_SECONDS
        )
        shots = site.salvo(outage.requests, with_unknown=outage.requests is not WRITES)
        named_after = begun_after + named.result() if outage.is_named else None
    later = [site.shoot(request) for request in outage.requests[:6]]
    could_read = site.reads_succeed()
    outage.end(site)
    recovered = until(
        lambda: site.reads_succeed() and site.writes_succeed(), f"{outage.name} is over", BACK_SECONDS
    )
    return Figures(named_after, shots, later, recovered, could_read)


_OF_DATABASE = requests_for(DATABASE)


def _database(name: str, begin: Callable[[Site], object], end: Callable[[Site], object]) -> Outage:
    return Outage(name, DATABASE, begin, end, _OF_DATABASE)


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
        DATABASE,
        lambda site: site.forbid_writing(),
        lambda site: site.allow_writing(),
        WRITES,
    ),
]


def outage_named(name: str) -> Outage:
    """One of them."""
    return next(outage for outage in DATABASE_OUTAGES if outage.name == name)
