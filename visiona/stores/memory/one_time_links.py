"""One-time links in memory."""

from dataclasses import replace
from datetime import datetime

from visiona.domain.ids import UserId
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL, LinkPurpose, OneTimeLink
from visiona.stores.memory.state import State, need_new, need_ttl


class MemoryOneTimeLinks:
    """See one_time_links.OneTimeLinkStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._links = state.one_time_links

    async def add(self, link: OneTimeLink) -> None:
        need_new(link.hash not in self._links, "link")
        need_ttl(link.created_at, link.expires_at, ONE_TIME_LINK_TTL)
        if link.user_id is not None:
            self._state.need_user(link.user_id)
        self._links.put(link.hash, link)

    async def get_or_none(self, link_hash: str) -> OneTimeLink | None:
        return self._links.get(link_hash)

    async def take_turns(self) -> None:
        """Nobody else is here."""

    async def consume(self, link_hash: str, now: datetime) -> bool:
        link = self._links.get(link_hash)
        if link is None or not link.is_live(now):
            return False
        self._links.put(link_hash, replace(link, used_at=now))
        return True

    async def end(self, purpose: LinkPurpose, user_id: UserId | None, at: datetime) -> int:
        wanted = (purpose, user_id, None)
        found = [link for link in self._links.rows() if (link.purpose, link.user_id, link.used_at) == wanted]
        for link in found:
            self._links.put(link.hash, replace(link, used_at=at))
        return len(found)

    async def purge(self, ended_before: datetime, limit: int) -> int:
        over = [link.hash for link in self._links.rows() if link.expires_at < ended_before][:limit]
        for link_hash in over:
            self._links.remove(link_hash)
        return len(over)
