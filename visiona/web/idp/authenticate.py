"""Is this the password of this account? In constant work, in a worker thread, and not too often.

Whoever asks learns yes or no. An unknown address, an account without a password, a disabled one and a wrong password
cost the same and say the same.
"""

import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import TypeVar

import trio

from visiona.domain.audit import Deed
from visiona.domain.errors import Invalid, TooMany
from visiona.domain.ids import UserId
from visiona.domain.users import User, normalised_email
from visiona.services.audit import note_refused
from visiona.services.passwords import hash_password, verify_password
from visiona.stores.interfaces import Stores
from visiona.web.idp.limits import SignInLimits

log = logging.getLogger(__name__)

T = TypeVar("T")

HASHES_AT_ONCE = 2
"""Each takes 64 MiB and four threads for tens of milliseconds; more at once would starve the tunnels."""

HASHES_WAITING = 40
"""Beyond it people are asked to come back: about two seconds' work."""

UNKNOWN_ACCOUNT = "unknown"
"""Every address that is none counts as one account; only its own attempts are slowed by it."""


class Hashing:
    """The worker threads for passwords, and the queue before them."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(HASHES_AT_ONCE)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Runs it in a thread; raises TooMany where too many wait, and what `work` raises."""
        if self._limiter.statistics().tasks_waiting >= HASHES_WAITING:
            raise TooMany("too many sign-ins at once; try again in a moment", retry_after_seconds=2)
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter)


class PasswordCheck:
    """The check of one provider."""

    def __init__(self, stores: Stores, limits: SignInLimits, hashing: Hashing) -> None:
        self._stores = stores
        self._limits = limits
        self._hashing = hashing
        self._stand_in: str | None = None

    async def stand_in(self) -> str:
        """The hash of a password that nobody has, made once: call it before anybody could notice the difference."""
        if self._stand_in is None:
            self._stand_in = await self._hashing.run(hash_password, secrets.token_urlsafe(32))
        return self._stand_in

    async def user_or_none(self, email: str, password: str, address: str) -> User | None:
        """The account, if this is its password and it may sign in.

        Raises:
            TooMany: not now; nothing was looked at.
            StoreUnavailable: it cannot be known now.
        """
        account = _account(email)
        await self._limits.attempt(account, address)
        user = await self._look_up(account)
        password_hash = user.password_hash if user is not None else None
        stand_in = await self.stand_in()
        is_right = await self._hashing.run(verify_password, password_hash or stand_in, password)
        why = _why_not(user, is_right=is_right)
        if user is None or why is not None:
            # Not what was typed: people type their password where the address belongs.
            extra = {"why": why, "address": address, "user_id": user.id if user is not None else None}
            log.warning("sign-in refused", extra=extra)
            note_refused(Deed.SIGN_IN_REFUSED, why or "", subject=user.id if user is not None else None)
            return None
        await self._limits.succeeded(account, address)
        return user

    async def _look_up(self, account: str) -> User | None:
        return await self._stores.read(lambda tx: tx.users.by_email_or_none(account))


async def account_or_none(stores: Stores, user_id: UserId) -> User | None:
    """The account, unless it is gone or disabled."""
    user = await stores.read(lambda tx: tx.users.get_or_none(user_id))
    return user if user is not None and user.disabled_at is None else None


def _account(email: str) -> str:
    with contextlib.suppress(Invalid):
        return normalised_email(email)
    return UNKNOWN_ACCOUNT


def _why_not(user: User | None, *, is_right: bool) -> str | None:
    if user is None:
        return "there is no such account"
    if user.password_hash is None:
        return "the account has no password"
    if not is_right:
        return "wrong password"
    return "the account is disabled" if user.disabled_at is not None else None
