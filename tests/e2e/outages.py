"""A whole server whose ways to PostgreSQL and Redis can be spoilt, the outages that are played, and what is measured.

`measure` is one outage from its beginning to the first success after its end; test_outages.py judges the figures,
`scripts/bench outages` prints them.
"""

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from visiona.stores.settings import RedisSettings, StoreSettings

from tests.e2e.browsers import Browser, signed_in_often
from tests.e2e.client import Answer, Caller, until
from tests.e2e.evidence import Evidence
from tests.e2e.idle import Idle
from tests.e2e.server import Server
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer
from tests.support.toxics import ToxicRelay

TOGETHER = 40
UNKNOWN = 8
NAMED_SECONDS = 10.0
ANSWERED_SECONDS = 2.5
AT_ONCE_SECONDS = 0.5
RECOVERED_SECONDS = 5.0
SENTENCE = "the store does not answer at the moment; try again shortly"
BACK_SECONDS = 10.0

Request = tuple[str, str, object]


class Shot(NamedTuple):
    """One request, and what came of it after how many seconds."""

    method: str
    path: str
    answer: Answer
    began: float
    seconds: float

    def owed(self, idle: Idle) -> float:
        """How much of it is not the machine's."""
        return self.seconds - idle.longest(self.began, self.began + self.seconds)

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
        named_seconds: from its beginning until /healthz said so.
        shots: what was asked at its beginning, all at once.
        later: what was asked once it had been named, one after the other.
        recovered_seconds: from its end until a read and a write succeeded.
        spared: whether that went on which needs nothing of it.
        idle: what this machine added meanwhile to any answer.
    """

    named_seconds: float
    shots: Sequence[Shot]
    later: Sequence[Shot]
    recovered_seconds: float
    spared: bool
    idle: Idle

    @property
    def slowest(self) -> float:
        return max(shot.seconds for shot in self.shots)

    @property
    def slowest_later(self) -> float:
        return max(shot.seconds for shot in self.later)

    def must_be_in_time(self) -> None:
        """Every answer, and what comes back; what is known to be out is refused at once."""
        must_be_honest([*self.shots, *self.later], self.idle)
        for shot in self.later:
            assert shot.owed(self.idle) < AT_ONCE_SECONDS, shot
        assert self.recovered_seconds - self.idle.longest() < RECOVERED_SECONDS


class Site:
    """The server with its PostgreSQL and its Redis, each behind a relay.

    Attributes:
        direct: the database's URL past the relay.
        stores: the settings by which another server would use the same.
        known: somebody with a token.
        known_now: somebody whose token has just been checked.
        browser: somebody whose session has just been used.
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
        self._unknown: dict[str, Caller] = {}
        self._used: list[str] = []
        self._browsers: list[Browser] = []

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
        stores = ("--set", f"database.url={self.direct}", "--set", f"redis.url={self.redis.url()}")
        said = self.server.run(*stores, *arguments)
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
        """The callers are ready: some are known, others are not."""
        # What was over before the next look at its health is not named there.
        until(lambda: self.failing() == [] and self.reads_succeed(), "all is well", BACK_SECONDS)
        for token_id in self._used:
            assert self.known.ask("DELETE", f"/api/auth/tokens/{token_id}").status == 204
        self._used = []
        while len(self._unknown) <= UNKNOWN:
            made = self.known.ask("POST", "/api/auth/tokens", {"name": "unknown"}).data
            token = self.server.evidence.secret(made["token"], "a personal access token")
            self._unknown[made["id"]] = Caller(self.server.web, token)
        # Somebody else each time: who is checked is believed for half a minute, counted from the check.
        token_id, self.known_now = self._unknown.popitem()
        self._used.append(token_id)
        assert self.known_now.ask("GET", "/api/devices").status == 200

    def warm_browsers(self) -> None:
        """The same for people who are signed in."""
        self.warm()
        missing = UNKNOWN + 1 - len(self._browsers)
        if missing > 0:
            settings = StoreSettings(
                self.direct, self.server.state, redis=RedisSettings(url=self.redis.url())
            )
            self._browsers += signed_in_often(self.server, settings, "ada@example.org", missing)
        self.browser = self._browsers.pop()
        until(lambda: self.browser.ask("GET", "/api/auth/me").status == 200, "it is known", BACK_SECONDS)

    def shoot(self, request: Request, caller: Caller | None = None) -> Shot:
        method, path, body = request
        began = time.monotonic()
        answer = (caller or self.known).ask(method, path, body)
        return Shot(method, path, answer, began, time.monotonic() - began)

    def salvo(self, orders: Sequence[tuple[Caller, Request]]) -> list[Shot]:
        """All at once."""
        with ThreadPoolExecutor(TOGETHER) as threads:
            return list(threads.map(lambda order: self.shoot(order[1], order[0]), orders))

    def unknown(self) -> list[Caller]:
        """People who have not called yet; each is given once."""
        unknown, self._unknown = self._unknown, {}
        self._used += unknown
        return list(unknown.values())

    def unknown_browsers(self) -> list[Browser]:
        """The same, signed in."""
        unknown, self._browsers = self._browsers, []
        return unknown

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


class Side(Protocol):
    """What is asked to see how one of the two stores is."""

    store: str

    def warm(self, site: Site) -> None:
        """All is well, and whoever is to be known is."""

    def refused(self, site: Site) -> list[Shot]:
        """What cannot be answered now, asked all at once."""

    def refused_later(self, site: Site) -> list[Shot]:
        """The same, one after the other."""

    def spared(self, site: Site) -> bool:
        """Whether that goes on which goes on without it."""

    def works(self, site: Site) -> bool:
        """Whether all of it goes on."""


@dataclass(frozen=True)
class Outage:
    """Something that happens to one of the two."""

    name: str
    side: Side
    begin: Callable[[Site], object]
    end: Callable[[Site], object]


def measure(site: Site, outage: Outage) -> Figures:
    """Plays it."""
    side = outage.side
    side.warm(site)
    with Idle(site.server.web) as idle:
        began = time.monotonic()
        outage.begin(site)
        shots = side.refused(site)
        is_named = f"{outage.name} is named"
        until(lambda: idle.named_at(side.store, began) is not None, is_named, NAMED_SECONDS)
        named_at = idle.named_at(side.store, began) or math.inf
        later = side.refused_later(site)
        spared = side.spared(site)
        outage.end(site)
        recovered = until(lambda: side.works(site), f"{outage.name} is over", BACK_SECONDS)
    return Figures(named_at - began, shots, later, recovered, spared, idle)


def must_be_honest(shots: Sequence[Shot], idle: Idle, within_seconds: float = ANSWERED_SECONDS) -> None:
    """Each is 503 in time, says when to come again, and no word of a driver's."""
    for shot in shots:
        assert shot.is_unavailable, shot
        assert shot.owed(idle) < within_seconds, shot
        if not shot.answer.headers["Content-Type"].startswith("text/html"):
            assert shot.answer.error["message"] == SENTENCE


def tell(measured: Callable[[str, float], None], figures: Figures) -> None:
    """For the end of the run."""
    measured("named by /healthz", figures.named_seconds)
    measured("the slowest answer", figures.slowest)
    measured("the slowest answer once it is named", figures.slowest_later)
    measured("recovered after its return", figures.recovered_seconds)
