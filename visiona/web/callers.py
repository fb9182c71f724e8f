"""Who is calling: credential in, `Actor` out, without asking the store each time.

The warm path (a camera viewer, a polling script) must not cost a store call a request, so a checked credential is
believed for a short while. What ends a credential does not wait for that while: `forget` takes the notice that says
so, and the moment of expiry is looked at on every use. Where no notice could come, for whoever holds the sessions is
away or was emptied, `doubt_sessions` is called: nobody is let in from memory (A-12). Only digests are kept.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import trio

from visiona.domain.access import Actor, Via
from visiona.domain.audit import Deed, Through
from visiona.domain.errors import NotAllowed, NotSignedIn
from visiona.domain.notices import Notice, NoticeKind, split_member_subject
from visiona.domain.tokens import TokenKind, mask
from visiona.services.audit import note_refused, set_caller
from visiona.services.clock import now as wall_clock
from visiona.services.identify import identify_program
from visiona.services.sessions import identify_session
from visiona.stores.interfaces import Stores
from visiona.web.cookies import SessionCookie
from visiona.web.credentials import Credentials

MAX_CACHED = 10_000
"""Entries kept; beyond it the oldest goes. An entry is about 1 KiB, so 10 MiB at the most."""

MAX_CREDENTIAL_CHARACTERS = 512
"""Longer text is no credential of ours; refused before anything is computed from it (T-06)."""

NOBODY = "sign in, or send a personal access token as a bearer token"


class _Entry(NamedTuple):
    actor: Actor
    good_until: float


class Callers:
    """The checked credentials of this process."""

    def __init__(
        self,
        stores: Stores,
        *,
        cookie: SessionCookie | None = None,
        ttl_seconds: float = 30.0,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._stores = stores
        self._cookie = cookie
        self._ttl_seconds = ttl_seconds
        self._now = now
        self._cached: dict[bytes, _Entry] = {}
        self._notices_during_lookup: set[_Lookup] = set()

    def known(self, credentials: Credentials) -> Actor | None:
        """The actor, if the credential was checked a short while ago and is still good; never waits."""
        return self._cached_or_none(credentials) if credentials.foreign is None else None

    async def identify(self, credentials: Credentials) -> Actor:
        """The actor behind the credentials, from the store if need be.

        Raises:
            NotSignedIn: nobody, or nobody any more.
            NotAllowed: somebody, but another site's page made the request with the person's cookie.
            StoreUnavailable: it cannot be known now.
        """
        actor = self._cached_or_none(credentials)
        if actor is None:
            try:
                actor = await self._look_up(credentials)
            except NotSignedIn as error:
                _note_refused(credentials, error)
                raise
            self._keep(_key(credentials), actor)
        set_caller(actor)
        if credentials.foreign is not None:
            raise NotAllowed(credentials.foreign)
        return actor

    def forget(self, notice: Notice) -> None:
        """Drops whatever the notice makes doubtful; the next use asks the store."""
        doubtful = [key for key, entry in self._cached.items() if _touches(notice, entry.actor)]
        for key in doubtful:
            del self._cached[key]
        for lookup in self._notices_during_lookup:
            lookup.notices.append(notice)

    def doubt_sessions(self) -> None:
        """Drops every person's session: some may have ended of which no notice can tell."""
        doubtful = [key for key, entry in self._cached.items() if entry.actor.via is Via.SESSION]
        for key in doubtful:
            del self._cached[key]
        for lookup in self._notices_during_lookup:
            lookup.doubts_sessions = True

    @property
    def cached_count(self) -> int:
        """How many credentials are believed at the moment."""
        return len(self._cached)

    def _cached_or_none(self, credentials: Credentials) -> Actor | None:
        if not _is_plausible(credentials):
            return None
        key = _key(credentials)
        entry = self._cached.get(key)
        if entry is None:
            return None
        if entry.good_until <= trio.current_time() or self._is_expired(entry.actor):
            del self._cached[key]
            return None
        return entry.actor

    async def _look_up(self, credentials: Credentials) -> Actor:
        if not _is_plausible(credentials):
            raise NotSignedIn(NOBODY)
        # A notice can arrive between the store's answer and our use of it; then the answer is asked again, or a
        # credential revoked in that gap would be believed for the whole cache time.
        while True:
            lookup = _Lookup()
            self._notices_during_lookup.add(lookup)
            try:
                actor = await self._ask(credentials)
            finally:
                self._notices_during_lookup.discard(lookup)
            if not lookup.has_doubts(actor):
                return actor

    async def _ask(self, credentials: Credentials) -> Actor:
        if credentials.bearer is not None:
            return await identify_program(self._stores, credentials.bearer, self._now())
        text = self._cookie.opened(credentials.cookie or "") if self._cookie is not None else None
        if text is None:
            raise NotSignedIn(NOBODY)
        return await identify_session(self._stores, text, self._now())

    def _keep(self, key: bytes, actor: Actor) -> None:
        if len(self._cached) >= MAX_CACHED:
            del self._cached[next(iter(self._cached))]
        self._cached[key] = _Entry(actor, trio.current_time() + self._ttl_seconds)

    def _is_expired(self, actor: Actor) -> bool:
        return actor.expires_at is not None and actor.expires_at <= self._now()


class _Lookup:
    """One question to the store under way, and what came meanwhile."""

    __slots__ = ("doubts_sessions", "notices")

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.doubts_sessions = False

    def has_doubts(self, actor: Actor) -> bool:
        """Whether the answer may be old by now."""
        is_session = actor.via is Via.SESSION
        return (self.doubts_sessions and is_session) or any(_touches(each, actor) for each in self.notices)


def _touches(notice: Notice, actor: Actor) -> bool:
    match notice.kind:
        case NoticeKind.TOKEN_REVOKED | NoticeKind.SESSION_ENDED:
            return notice.subject == actor.credential_id
        case NoticeKind.USER_DISABLED:
            return notice.subject == actor.user_id
        case NoticeKind.MEMBER_REMOVED | NoticeKind.MEMBER_CHANGED:
            return split_member_subject(notice.subject)[1] == actor.user_id
        case NoticeKind.SESSION_TOKEN_REVOKED | NoticeKind.DEVICE_DELETED | NoticeKind.DEVICE_MOVED:
            return False


def _note_refused(credentials: Credentials, error: NotSignedIn) -> None:
    """For the audit log: somebody came with a credential that is no good. Who came with none was only asked for one."""
    text = credentials.bearer or credentials.cookie
    if text is None:
        return
    kind = Through.TOKEN if credentials.bearer is not None else Through.SESSION
    # Of what is spelled like no token of ours nothing is kept: it may be somebody's password.
    shown = mask(text) if text.startswith(TokenKind.ACCESS.prefix) else None
    once = _key(credentials).hex()[:16] if _is_plausible(credentials) else "too long"
    note_refused(Deed.CREDENTIAL_REFUSED, error.message, once=once, kind=kind, prefix=shown)


def _is_plausible(credentials: Credentials) -> bool:
    text = credentials.bearer or credentials.cookie
    return text is not None and len(text) <= MAX_CREDENTIAL_CHARACTERS


def _key(credentials: Credentials) -> bytes:
    """The two kinds apart: a cookie's value is no bearer token."""
    text = f"b{credentials.bearer}" if credentials.bearer is not None else f"c{credentials.cookie}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
