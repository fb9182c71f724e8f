"""Sign-ins under way in Redis: each deed is one script, and what is over is forgotten by Redis itself."""

from datetime import datetime, timedelta

from visiona.domain.sessions import MAX_PENDING, MAX_PENDING_PER_BROWSER, PendingLogin
from visiona.stores.errors import StoreConflict
from visiona.stores.redis.link import Link
from visiona.stores.redis.records import from_pending, to_micros, to_pending
from visiona.stores.redis.scripts import Script

CREATE = Script("logins", "login_create")
TAKE = Script("logins", "login_take")
PURGE = Script("logins", "login_purge")

_MILLISECOND = timedelta(milliseconds=1)


class RedisPendingLogins:
    """See sessions.PendingLoginStore."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def create(self, pending: PendingLogin) -> None:
        """See sessions.PendingLoginStore.create."""
        left = pending.expires_at - pending.created_at
        is_new = await self._link.run(
            CREATE,
            pending.state_hash,
            pending.browser_hash,
            from_pending(pending),
            max(1, left // _MILLISECOND + 1),
            to_micros(pending.expires_at),
            MAX_PENDING_PER_BROWSER,
            MAX_PENDING,
        )
        if not is_new:
            raise StoreConflict("there is such a sign-in already", about="state")

    async def take(self, state_hash: str, browser_hash: str, now: datetime) -> PendingLogin | None:
        """See sessions.PendingLoginStore.take."""
        data = await self._link.run(TAKE, state_hash, browser_hash)
        pending = to_pending(data) if data is not None else None
        return pending if pending is not None and pending.is_live(now) else None

    async def purge(self, now: datetime, limit: int) -> int:
        """See sessions.PendingLoginStore.purge."""
        return int(await self._link.run(PURGE, to_micros(now), limit))
