"""A database, and Redis beside it for what is asked often and may be lost: sessions, sign-ins under way, rates.

There is no falling back: while Redis is away, people's sessions are, too (A-12).
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import trio

from visiona.domain.notices import NoticeKind
from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.background import running
from visiona.stores.interfaces import NoticeStore, Ping, Stores, Tx
from visiona.stores.process_rates import ProcessRates
from visiona.stores.rates import RateStore
from visiona.stores.redis.client import RedisClient
from visiona.stores.redis.link import GuestLink
from visiona.stores.redis.news import News
from visiona.stores.redis.pending_logins import RedisPendingLogins
from visiona.stores.redis.rate_counters import RedisRates
from visiona.stores.redis.sessions import RedisSessions
from visiona.stores.sessions import PendingLoginStore, SessionStore
from visiona.stores.settings import RedisSettings

T = TypeVar("T")


@contextlib.asynccontextmanager
async def open_redis(
    settings: RedisSettings, guest: AsyncioGuest, database: Stores, *, listens: bool
) -> AsyncIterator[Stores]:
    """The database's stores with Redis beside them. A Redis that is down is no hindrance: it may come.

    Args:
        settings: must name an address.
        listens: whether to hear at once of what others end; for a server.
    """
    client = RedisClient(settings)
    link = GuestLink(guest, client)

    async def listen(after: Mapping[str, str], seconds: float) -> dict[str, str]:
        return await guest.run(client.wait_entries, after, seconds)

    async def ping() -> str | None:
        return await guest.run(client.ping)

    news = News(link, listen)
    loops = [news.tell_forever, news.listen_forever] if listens else [news.tell_forever]
    try:
        async with running(*loops):
            yield StoresWithRedis(database, link, news, ping)
    finally:
        await news.tell_the_rest()
        with trio.CancelScope(shield=True):
            await guest.run(client.close)


class StoresWithRedis:
    """See interfaces.Stores. Made by `open_redis`."""

    def __init__(self, database: Stores, link: GuestLink, news: News, ping: Ping) -> None:
        self._database = database
        self._news = news
        self.sessions: SessionStore = RedisSessions(link, database)
        self.pending_logins: PendingLoginStore = RedisPendingLogins(link)
        self.rates: RateStore = RedisRates(link, ProcessRates())
        self.pings: Mapping[str, Ping] = {**database.pings, "redis": ping}

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        """See interfaces.Stores.read."""
        return await self._database.read(operation)

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        tells = False

        async def watched(tx: Tx) -> T:
            nonlocal tells
            heard = _HeardTx(tx)
            # Cast: it has whatever the transaction has.
            result = await operation(cast("Tx", heard))
            # Said anew by each attempt; the last one is the one that is kept.
            tells = heard.notices.has_appended
            return result

        result = await self._database.write(watched, waits=waits)
        if tells:
            self._news.tell()
        return result

    async def ping(self) -> None:
        """See interfaces.Stores.ping."""
        await self._database.ping()

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        return await self._database.change_mark()

    async def wait_notice(self, seconds: float) -> None:
        """See interfaces.Stores.wait_notice."""
        await self._news.wait(seconds)


class _HeardTx:
    """A transaction; its notices are listened to."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.notices = _HeardNotices(tx.notices)

    def __getattr__(self, noun: str) -> Any:  # noqa: ANN401 - whatever the other has
        return getattr(self._tx, noun)


class _HeardNotices:
    def __init__(self, notices: NoticeStore) -> None:
        self._notices = notices
        self.has_appended = False

    async def append(self, kind: NoticeKind, subject: str, at: datetime) -> None:
        self.has_appended = True
        await self._notices.append(kind, subject, at)

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - whatever the other has
        return getattr(self._notices, method)
