"""What the stores of sessions promise. They stand apart from `Tx`: they may live in another engine than the rest.

So there is no transaction over both: each method is one deed, whole or not at all. A session alone lets nobody in:
its user is looked up each time, and a disabled user's session is good for nothing.

Every call may raise StoreUnavailable, before or after which nothing was changed; nobody may then be let in from
memory, or told that the session is over (A-12).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from visiona.domain.ids import SessionId, UserId
from visiona.domain.notices import Notice
from visiona.domain.sessions import Identity, PendingLogin, UserSession

Also = Callable[[Any, Sequence[SessionId]], Awaitable[None]]
"""What is written of sessions that are ended on purpose: given a transaction (interfaces.Tx, which is made of what
stands here) and their ids. Not called where none ended."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What became known of sessions that ended.

    Attributes:
        position: where the next question goes on.
        has_more: ask again at once.
        are_doubtful: sessions that were there at the position given may be gone without a word: whoever holds them has
            another memory by now, or none.
    """

    notices: Sequence[Notice]
    position: str
    has_more: bool = False
    are_doubtful: bool = False


class SessionStore(Protocol):
    """People's sessions, by the hash of their text.

    Every `delete…` leaves a SESSION_ENDED notice for each session that it ended, in the same deed, so that whoever
    serves cuts what runs on it: among the database's notices where sessions are kept there, else in `ends_after`. A
    session that ended by itself leaves none.

    `also` is done in the transaction that ends the sessions where they are kept in the database. Where they are kept
    elsewhere it follows, and if the database is away by then, the sessions are over all the same and only the log of
    the server says what could not be written.
    """

    async def create(self, session: UserSession) -> None:
        """Keeps it from its `created_at` on; beyond MAX_SESSIONS_PER_USER the user's least recently used ones are ended.

        Raises:
            StoreConflict: a session of this hash or id is there (about="session"), or there is no such user
                (about="reference").
        """
        ...

    async def get_or_none(self, token_hash: str, now: datetime) -> UserSession | None:
        """The session, if it is live."""
        ...

    async def by_id_or_none(self, session_id: SessionId, now: datetime) -> UserSession | None:
        """The session, if it is live."""
        ...

    async def touch(self, token_hash: str, at: datetime) -> UserSession | None:
        """Notes a use: its idle time begins anew. None, and nothing is noted, if it is not live any more.

        Waits for nobody: StoreUnavailable where it cannot be noted at once.
        """
        ...

    async def delete(
        self, session_id: SessionId, at: datetime, user_id: UserId | None = None, *, also: Also | None = None
    ) -> bool:
        """Ends it; False if there is none, or it is not this user's."""
        ...

    async def list_of_user(self, user_id: UserId, now: datetime) -> list[UserSession]:
        """The live ones, the most recently used first."""
        ...

    async def delete_of_user(
        self, user_id: UserId, at: datetime, keep: SessionId | None = None, *, also: Also | None = None
    ) -> list[SessionId]:
        """Ends all of a user's but `keep`; says which."""
        ...

    async def delete_of_idp(
        self,
        issuer: str,
        subject: str | None,
        idp_sid: str | None,
        at: datetime,
        *,
        also: Also | None = None,
    ) -> list[SessionId]:
        """Ends those of the issuer that have the subject and the provider's session id, as far as they are given.

        ValueError where neither is: that would be everybody's.
        """
        ...

    async def purge(self, now: datetime, limit: int) -> int:
        """Forgets those that ended by themselves; says how many."""
        ...

    async def ends_after(self, position: str) -> Ends:
        """The ends that the database's notices do not tell; "" for all that are still known, the oldest first."""
        ...


class PendingLoginStore(Protocol):
    """Sign-ins under way, by the hash of their state."""

    async def create(self, pending: PendingLogin) -> None:
        """Keeps it; the oldest of the browser, and the oldest of all, make room for it at the limits (A-16).

        Raises:
            StoreConflict: the state is there already (about="state").
        """
        ...

    async def take(self, state_hash: str, browser_hash: str, now: datetime) -> PendingLogin | None:
        """The attempt, for one caller alone: it is gone then.

        None if there is none, it is over, or it began in another browser; that one's attempt stays as it is.
        """
        ...

    async def purge(self, now: datetime, limit: int) -> int:
        """Forgets those that are over; says how many."""
        ...


class IdentityStore(Protocol):
    """Who users are at identity providers."""

    async def add(self, identity: Identity) -> None:
        """Raises StoreConflict(about="identity") if the person has an account, (about="reference") for no user."""
        ...

    async def get_or_none(self, issuer: str, subject: str) -> Identity | None: ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[Identity]: ...


class UserSessionRows(Protocol):
    """People's sessions where this engine keeps them; for stores/kept_sessions.py alone, which says what they mean."""

    async def add(self, session: UserSession) -> None:
        """Raises StoreConflict(about="session" | "reference")."""
        ...

    async def by_hash_or_none(self, token_hash: str) -> UserSession | None: ...

    async def by_id_or_none(self, session_id: SessionId) -> UserSession | None: ...

    async def note_use(self, session: UserSession) -> bool:
        """The one of this id was last seen when this one was, or later; nothing else changes. False if it is gone."""
        ...

    async def remove(self, session_ids: Sequence[SessionId]) -> list[SessionId]:
        """Says which it removed: each is told to exactly one caller, however many there are."""
        ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[UserSession]:
        """Also those that are over, the most recently used first."""
        ...

    async def list_of_subject(self, issuer: str, subject: str, limit: int) -> list[UserSession]:
        """In no order."""
        ...

    async def list_of_sid(self, issuer: str, idp_sid: str, limit: int) -> list[UserSession]:
        """In no order."""
        ...

    async def purge(self, ended_by: datetime, limit: int) -> int:
        """Forgets those that ended by themselves at that moment or before; says how many."""
        ...


class PendingLoginRows(Protocol):
    """Sign-ins under way where this engine keeps them; for stores/kept_sessions.py alone."""

    async def add(self, pending: PendingLogin) -> None:
        """Raises StoreConflict(about="state")."""
        ...

    async def get_or_none(self, state_hash: str) -> PendingLogin | None: ...

    async def remove(self, state_hash: str) -> bool:
        """True for exactly one caller, however many there are."""
        ...

    async def take_turns(self) -> None:
        """Whoever else calls it waits until this transaction ends."""
        ...

    async def trim(self, browser_hash: str, of_browser: int, of_all: int) -> int:
        """Forgets the oldest of the browser and of all, down to those numbers; says how many."""
        ...

    async def purge(self, ended_by: datetime, limit: int) -> int: ...
