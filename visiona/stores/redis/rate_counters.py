"""Counts that several processes share, in Redis, and by Redis's clock; each attempt is judged and counted as one.

This process counts along. While Redis is away its own counts decide, and after Redis has lost its memory they still
know what passed here: a limit is never gone, and no attempt fails for Redis.
"""

import json

from visiona.domain.rates import Limit, Take
from visiona.stores.errors import StoreUnavailable
from visiona.stores.process_rates import ProcessRates
from visiona.stores.redis.link import Link
from visiona.stores.redis.records import digest_of
from visiona.stores.redis.scripts import Script

TAKE = Script("rates", "rate_take")
CHARGE = Script("rates", "rate_charge")
FORGET = Script("rates", "rate_forget")

_SECOND = 1_000_000


class RedisRates:
    """See rates.RateStore.

    Args:
        own: the counts of this process.
    """

    def __init__(self, link: Link, own: ProcessRates) -> None:
        self._link = link
        self._own = own

    async def take(self, *takes: Take) -> float:
        """See rates.RateStore.take."""
        wait = self._own.wait_seconds(*takes)
        if wait > 0.0:
            return wait
        try:
            answer = await self._link.run(TAKE, json.dumps([_take(take) for take in takes]))
        except StoreUnavailable:
            return await self._own.take(*takes)
        wait = int(answer) / _SECOND
        if wait == 0.0:
            self._own.count(*takes)
        return wait

    async def charge(self, limit: Limit, key: str) -> None:
        """See rates.RateStore.charge."""
        await self._own.charge(limit, key)
        await self._tell(CHARGE, limit, key)

    async def forget(self, limit: Limit, key: str) -> None:
        """See rates.RateStore.forget."""
        await self._own.forget(limit, key)
        await self._tell(FORGET, limit, key)

    async def _tell(self, script: Script, limit: Limit, key: str) -> None:
        try:
            await self._link.run(script, json.dumps(_limit(limit, key)))
        except StoreUnavailable:
            return


def _take(take: Take) -> dict[str, object]:
    shown: dict[str, object] = {"limit": _limit(take.limit, take.key), "counts": take.counts}
    if take.instead is not None:
        shown["instead"] = _limit(take.instead.limit, take.instead.key)
    return shown


def _limit(limit: Limit, key: str) -> dict[str, object]:
    """Keys hold digests: an address, or whose account it is, is nobody's business."""
    return {
        "name": limit.name,
        "key": digest_of(key)[:32],
        "most": limit.max_keys,
        "windows": [[window.limit, round(window.seconds * _SECOND)] for window in limit.windows],
    }
