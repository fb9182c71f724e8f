"""Token in, session or refusal out, before anything is upgraded.

Every connect is checked against the store, by hash, and nothing is written. What protects the store and the token:
a bound on checks at one time; texts that were refused are remembered, so that a device that was unpaired and keeps
knocking costs nothing; wrong tokens are counted per address, so that nobody can try many, and nobody can lock out a
device that comes from elsewhere; and a device that reconnects too often, or fights with a clone, is told to wait.

All of it is counted in this process, also where other limits are shared: it guards this process and its way to the
store, and must hold without asking anybody.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import trio

from visiona.domain.audit import Deed, Through
from visiona.domain.rates import KeyedLimiter, Window, address_key
from visiona.domain.tokens import TokenKind, mask, token_hash
from visiona.relay.clones import CloneWatch, same_installation
from visiona.relay.newcomer import Newcomer
from visiona.relay.refusals import Refusal
from visiona.relay.registry import Registry
from visiona.relay.settings import RelaySettings
from visiona.services import clock
from visiona.services.audit import Origin
from visiona.services.identify import (
    ExpiredToken,
    RevokedToken,
    SessionRefusal,
    TunnelSession,
    UnknownToken,
    identify_session_token,
)
from visiona.services.refusals import Refusals
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

logger = logging.getLogger(__name__)

MAX_KEYS = 50_000
"""Addresses and devices whose attempts are counted: at some 500 bytes each, 25 MB if a botnet comes."""

MAX_REFUSED_TOKENS = 10_000
REFUSED_FOR_SECONDS = 3600.0
"""An unknown or expired token never becomes good, so the hour is only there to forget."""

REVOKED_FOR_SECONDS = 5.0
"""A disabled user may be enabled again; a knocking device then waits this much longer than it had to."""

DRAIN_RETRY_SECONDS = 5

_MESSAGES = {
    UnknownToken.code: "this session token is not known here; pair the device again",
    ExpiredToken.code: "this session token has expired; pair the device again",
    RevokedToken.code: "this session token was revoked; pair the device again",
}


class Admission:
    """The judge of newcomers.

    Args:
        is_stopping: true from the moment the server begins to drain.
        alarm: told of a fight between clones: the device, and a sentence.
        refusals: told of what is refused, for the audit log.
        now: the wall clock, by which tokens expire.
    """

    def __init__(
        self,
        settings: RelaySettings,
        stores: Stores,
        registry: Registry,
        *,
        is_stopping: Callable[[], bool],
        alarm: Callable[[TunnelSession, str], None],
        refusals: Refusals | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._stores = stores
        self._registry = registry
        self._is_stopping = is_stopping
        self._alarm = alarm
        self._refusals = refusals
        self._now = now
        self._checks = trio.CapacityLimiter(settings.verifications)
        self._failures = KeyedLimiter([Window(settings.failures_per_minute, 60.0)], MAX_KEYS)
        self._reconnects = KeyedLimiter(
            [Window(settings.reconnects_burst, 10.0), Window(settings.reconnects_per_minute, 60.0)], MAX_KEYS
        )
        self._clones = CloneWatch(
            settings.clone_replacements, settings.clone_window_seconds, settings.clone_hold_seconds
        )
        self._refused: OrderedDict[str, tuple[float, Refusal]] = OrderedDict()

    async def judge(self, newcomer: Newcomer, address: str) -> TunnelSession | Refusal:
        """Decides about one newcomer. Cancelling is safe; nothing was promised yet."""
        await trio.lowlevel.checkpoint()
        if self._is_stopping():
            return Refusal(503, "SERVER_STOPPING", "the server is restarting", DRAIN_RETRY_SECONDS)
        hashed = token_hash(newcomer.token, TokenKind.SESSION)
        known = self._known_refusal(hashed)
        if known is not None:
            return known
        key = address_key(address)
        wait = self._failures.wait_seconds(key, trio.current_time())
        if wait:
            return _wait(429, "RATE_LIMITED", "too many wrong tokens from this address", wait)
        verdict = await self._identify(newcomer.token)
        if isinstance(verdict, TunnelSession):
            return self._welcome(newcomer, address, verdict)
        if isinstance(verdict, Refusal):
            return verdict
        return self._refuse(hashed, key, verdict, newcomer, address)

    async def session_now_or_none(self, newcomer: Newcomer) -> TunnelSession | None:
        """Asks the store once more, for a token that was good a moment ago: whose device it is may be otherwise too."""
        found = await self._identify(newcomer.token)
        return found if isinstance(found, TunnelSession) else None

    async def _identify(self, token: str) -> TunnelSession | SessionRefusal | Refusal:
        try:
            async with self._checks:
                return await identify_session_token(self._stores, token, self._now())
        except StoreUnavailable as error:
            return Refusal(
                503, "STORE_UNAVAILABLE", "the token cannot be checked now", error.retry_after_seconds
            )

    def _welcome(self, newcomer: Newcomer, address: str, session: TunnelSession) -> TunnelSession | Refusal:
        """A good token. It still has to wait if it comes too often, or if a clone of it holds the tunnel."""
        now = trio.current_time()
        wait = self._reconnects.take(session.device_id, now)
        if wait:
            return _wait(429, "RATE_LIMITED", "this device connects too often", wait)
        live = self._registry.online(session.device_id)
        if live is None or same_installation(live.instance, live.peer_address, newcomer.instance, address):
            return session
        if not self._clones.hold_seconds(session.device_id, now):
            if not self._clones.note_replacement(session.device_id, now):
                return session
            self._alarm(session, f"two agents fight over one token, from {live.peer_address} and {address}")
        wait = self._clones.hold_seconds(session.device_id, now)
        return _wait(409, "CONFLICT", "another installation uses this token; pair one of the two again", wait)

    def _known_refusal(self, hashed: str | None) -> Refusal | None:
        if hashed is None or (found := self._refused.get(hashed)) is None:
            return None
        until, refusal = found
        if until <= trio.current_time():
            del self._refused[hashed]
            return None
        return refusal

    def _refuse(
        self, hashed: str | None, key: str, verdict: SessionRefusal, newcomer: Newcomer, address: str
    ) -> Refusal:
        now = trio.current_time()
        self._failures.charge(key, now)
        refusal = Refusal(401, verdict.code, _MESSAGES[verdict.code])
        if hashed is not None:
            lasting = REVOKED_FOR_SECONDS if isinstance(verdict, RevokedToken) else REFUSED_FOR_SECONDS
            self._refused[hashed] = (now + lasting, refusal)
            if len(self._refused) > MAX_REFUSED_TOKENS:
                self._refused.popitem(last=False)
        logger.info("token refused", extra={"code": verdict.code, "token_prefix": mask(newcomer.token)})
        if self._refusals is not None:
            self._refusals.note(
                Deed.DEVICE_REFUSED,
                _MESSAGES[verdict.code],
                once=hashed,
                origin=Origin(Through.AGENT, address),
                # Of what is spelled like no token of ours nothing is kept.
                details={
                    "code": verdict.code,
                    "prefix": mask(newcomer.token) if hashed is not None else None,
                },
            )
        return refusal


def _wait(status: int, code: str, message: str, seconds: float) -> Refusal:
    return Refusal(status, code, message, max(1, math.ceil(seconds)))
