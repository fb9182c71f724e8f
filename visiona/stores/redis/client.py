"""Asks a Redis, on asyncio's loop: scripts and commands, each within one deadline, and what is done when they fail."""

import asyncio  # noqa: TID251 - a driver of asyncio's
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from redis.asyncio.connection import Connection
from redis.exceptions import NoScriptError, ResponseError

from visiona.stores.errors import StoreUnavailable
from visiona.stores.outage import RETRY_SECONDS, Outage
from visiona.stores.redis.answers import Answer, forgetfulness, is_of_replica
from visiona.stores.redis.errors import DRIVER_ERRORS, NotPrimary, code_of, is_replica, translated
from visiona.stores.redis.pool import RedisPool, Words, converse
from visiona.stores.redis.scripts import Script
from visiona.stores.settings import RedisSettings

T = TypeVar("T")

log = logging.getLogger(__name__)

WRITE = Script("sessions", "write")

_PING_SHARE = 0.8


class RedisClient:
    """One Redis. Close it.

    Args:
        settings: must have passed `check()` and name an address.
    """

    def __init__(self, settings: RedisSettings) -> None:
        address = settings.address
        assert address is not None
        self._prefix = settings.key_prefix
        self._seconds = settings.timeout_seconds
        self._pool = RedisPool(address, settings.pool_size)
        self._ear: Connection | None = None
        self._outage = Outage()
        self._probe: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._advice: str | None = None
        self._has_refused = False
        self._limits: set[asyncio.Timeout] = set()
        """Of the questions under way: who waits for a server that is out need not wait to the end."""

    async def run(self, script: Script, *words: str | int) -> Answer:
        """Runs a script; the first word that it sees is the prefix of our keys.

        Raises:
            StoreUnavailable: nobody knows whether it ran.
        """
        return await self._within_deadline(lambda: self._run(script, words))

    async def ask(self, *words: str | int) -> Answer:
        """Sends a command; raises StoreUnavailable."""
        return await self._within_deadline(lambda: self._pool.ask(words))

    async def ping(self) -> str | None:
        """Raises StoreUnavailable unless it answers and is no replica by now; gives what should be known of it.

        After something was refused, a write is tried until one succeeds: a full Redis answers questions.
        """

        async def look() -> str | None:
            await self._pool.ask(["PING"])
            if self._has_refused:
                await self._run(WRITE, ())
                self._has_refused = False
            if is_of_replica(await self._pool.ask(["HELLO"])):
                raise NotPrimary
            try:
                return forgetfulness(await self._pool.ask(["INFO", "memory"]))
            except ResponseError:
                # Not everybody may ask this, and nothing depends on it.
                return None

        # Whoever asks for health has a deadline too, and a ping that is cancelled tells us nothing.
        advice = await self._within_deadline(look, self._seconds * _PING_SHARE)
        if advice is not None and advice != self._advice:
            log.warning(advice)
        self._advice = advice
        return advice

    async def wait_entries(self, after: Mapping[str, str], seconds: float) -> dict[str, str]:
        """Waits until one of the streams has an entry; gives the id of the last one of each that has.

        On a connection of its own, for one caller at a time. Empty where none came within `seconds`.

        Args:
            after: stream, without our prefix → the id after which entries count; `$` for those from now on.

        Raises:
            StoreUnavailable: likewise.
        """
        names = [self._prefix + name for name in after]
        words: Words = ["XREAD", "BLOCK", round(seconds * 1000), "STREAMS", *names, *after.values()]
        if self._ear is None:
            self._ear = self._pool.connection()
        try:
            async with asyncio.timeout(seconds + self._seconds):
                found = await converse(self._ear, words)
        except DRIVER_ERRORS as error:
            # Also where it is a bug: an alarm clock that does not ring must not end the server.
            known = translated(error)
            self._say(error, known)
            raise known or StoreUnavailable("Redis does not tell what is new") from error
        return {name.decode().removeprefix(self._prefix): rows[-1][0].decode() for name, rows in found or []}

    async def close(self) -> None:
        """Ends every connection; nobody may ask any more."""
        if self._probe is not None:
            self._probe.cancel()
        await self._pool.forget()
        if self._ear is not None:
            await self._ear.disconnect()
        # Transports say goodbye in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _run(self, script: Script, words: Words) -> Answer:
        rest = (0, self._prefix, *words)
        try:
            return await self._pool.ask(["EVALSHA", script.digest, *rest])
        except NoScriptError:
            # It has not seen the text yet, or was started anew since.
            return await self._pool.ask(["EVAL", script.text, *rest])

    async def _within_deadline(self, deed: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        began = asyncio.get_running_loop().time()
        self._refuse_if_out(began)
        try:
            async with asyncio.timeout(seconds or self._seconds) as limit:
                self._limits.add(limit)
                answer = await deed()
        except DRIVER_ERRORS as error:
            known = translated(error)
            await self._conclude(error, known, began)
            if known is None:
                raise
            raise known from error
        finally:
            self._limits.discard(limit)
        self._heard()
        return answer

    async def _conclude(self, error: BaseException, known: StoreUnavailable | None, began: float) -> None:
        """What an error says about the server."""
        self._has_refused |= known is not None and isinstance(error, ResponseError)
        if isinstance(error, TimeoutError):
            await self._pool.forget()
            if self._outage.waited_in_vain(began, asyncio.get_running_loop().time()):
                log.warning("Redis: nobody is sent there until it answers")
                for limit in self._limits:
                    if not limit.expired():
                        limit.reschedule(began)
        else:
            self._outage.heard(asyncio.get_running_loop().time())
        if is_replica(error):
            await self._pool.forget()
        self._say(error, known)

    def _say(self, error: BaseException, known: StoreUnavailable | None) -> None:
        """A line for whoever has to mend it, one for each trouble."""
        code = code_of(error)
        if code != self._trouble:
            self._trouble = code
            log.warning("Redis: %s", known or "a bug", extra={"code": code, "detail": str(error)})

    def _heard(self) -> None:
        self._outage.heard(asyncio.get_running_loop().time())
        # Reads still work where nothing can be kept: then all is not well.
        if self._trouble is not None and not self._has_refused:
            self._trouble = None
            log.warning("Redis: all is well again")

    def _refuse_if_out(self, now: float) -> None:
        if not self._outage.is_out:
            return
        if self._outage.begin_probe(now):
            self._probe = asyncio.ensure_future(self._try_again())
        raise StoreUnavailable("Redis does not answer", retry_after_seconds=RETRY_SECONDS)

    async def _try_again(self) -> None:
        """One probe: also whoever refuses was heard."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._pool.ask(["PING"])
        except TimeoutError:
            return
        except DRIVER_ERRORS:
            self._heard()
        else:
            self._heard()
        finally:
            self._outage.end_probe()
