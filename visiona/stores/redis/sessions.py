"""People's sessions in Redis: each deed is one script, and what is over is forgotten by Redis itself.

Both limits are in the time that Redis lets a session live: a use sets it anew, never beyond the absolute end. That is
counted from the caller's clock, and the domain looks again at each answer: Redis's own clock decides about nobody.
A session is kept under its id; its hash, its user, and who it is at the provider lead there, and live no longer.
What ended on purpose is in a stream, with the newest 10,000 ends in it, for whoever serves.
"""

import logging
import secrets
from datetime import datetime

from visiona.domain.ids import SessionId, UserId
from visiona.domain.notices import Notice, NoticeKind
from visiona.domain.sessions import MAX_SESSIONS_PER_USER, UserSession
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.redis.answers import Answer
from visiona.stores.redis.link import Link
from visiona.stores.redis.records import (
    digest_of,
    from_session,
    to_micros,
    to_moment,
    to_session,
    to_sessions,
    to_span,
)
from visiona.stores.redis.scripts import Script
from visiona.stores.sessions import Also, Ends

log = logging.getLogger(__name__)

CREATE = Script("sessions", "session_create")
FIND = Script("sessions", "session_find")
TOUCH = Script("sessions", "session_touch")
LIST = Script("sessions", "session_list")
END = Script("sessions", "session_end")
END_OF_USER = Script("sessions", "session_end_of_user")
END_OF_IDP = Script("sessions", "session_end_of_idp")
PURGE = Script("sessions", "session_purge")
ENDS = Script("sessions", "session_ends")

_BATCH = 500
_NOTHING = ""


class RedisSessions:
    """See sessions.SessionStore.

    Args:
        database: knows which users there are.
    """

    def __init__(self, link: Link, database: Stores) -> None:
        self._link = link
        self._database = database

    async def create(self, session: UserSession) -> None:
        """See sessions.SessionStore.create."""
        user = await self._database.read(lambda tx: tx.users.get_or_none(session.user_id))
        if user is None:
            raise StoreConflict("there is no such user", about="reference")
        is_new = await self._link.run(
            CREATE,
            session.id,
            session.token_hash,
            session.user_id,
            digest_of(session.issuer, session.subject),
            digest_of(session.issuer, session.idp_sid) if session.idp_sid is not None else _NOTHING,
            to_micros(session.created_at),
            to_micros(session.last_seen_at),
            to_span(session.idle),
            to_micros(session.absolute_expires_at),
            from_session(session),
            MAX_SESSIONS_PER_USER,
            secrets.token_hex(8),
        )
        if not is_new:
            raise StoreConflict("there is such a session already", about="session")

    async def get_or_none(self, token_hash: str, now: datetime) -> UserSession | None:
        """See sessions.SessionStore.get_or_none."""
        return _live_or_none(await self._link.run(FIND, token_hash, _NOTHING), now)

    async def by_id_or_none(self, session_id: SessionId, now: datetime) -> UserSession | None:
        """See sessions.SessionStore.by_id_or_none."""
        return _live_or_none(await self._link.run(FIND, _NOTHING, session_id), now)

    async def touch(self, token_hash: str, at: datetime) -> UserSession | None:
        """See sessions.SessionStore.touch."""
        return _live_or_none(await self._link.run(TOUCH, token_hash, to_micros(at)), at)

    async def delete(
        self, session_id: SessionId, at: datetime, user_id: UserId | None = None, *, also: Also | None = None
    ) -> bool:
        """See sessions.SessionStore.delete."""
        is_ended = bool(await self._link.run(END, session_id, to_micros(at), user_id or _NOTHING))
        await self._also(also, [session_id] if is_ended else [])
        return is_ended

    async def list_of_user(self, user_id: UserId, now: datetime) -> list[UserSession]:
        """See sessions.SessionStore.list_of_user."""
        found = [each for each in to_sessions(await self._link.run(LIST, user_id)) if each.is_live(now)]
        return sorted(found, key=lambda each: (each.last_seen_at, each.id), reverse=True)

    async def delete_of_user(
        self, user_id: UserId, at: datetime, keep: SessionId | None = None, *, also: Also | None = None
    ) -> list[SessionId]:
        """See sessions.SessionStore.delete_of_user."""
        ended = _ids(await self._link.run(END_OF_USER, user_id, to_micros(at), keep or _NOTHING))
        await self._also(also, ended)
        return ended

    async def delete_of_idp(
        self,
        issuer: str,
        subject: str | None,
        idp_sid: str | None,
        at: datetime,
        *,
        also: Also | None = None,
    ) -> list[SessionId]:
        """See sessions.SessionStore.delete_of_idp."""
        if subject is None and idp_sid is None:
            raise ValueError("name a subject or a session of the provider")
        names = [digest_of(issuer, name) if name is not None else _NOTHING for name in (subject, idp_sid)]
        ended = _ids(await self._link.run(END_OF_IDP, *names, to_micros(at)))
        await self._also(also, ended)
        return ended

    async def purge(self, now: datetime, limit: int) -> int:
        """See sessions.SessionStore.purge."""
        return int(await self._link.run(PURGE, to_micros(now), limit))

    async def ends_after(self, position: str) -> Ends:
        """See sessions.SessionStore.ends_after. A position is the memory's name and an entry's id."""
        known, _, last = position.partition("/")
        name, rows = await self._link.run(ENDS, known, last, _BATCH)
        generation = name.decode()
        is_another = known != generation
        if is_another and known:
            log.warning("Redis has lost the sessions that it held; everybody signs in again")
        if rows:
            last = rows[-1][0].decode()
        elif is_another:
            last = _NOTHING
        # No name: no session was begun here yet, so none that anybody remembers can be a good one.
        return Ends(
            [_notice(row) for row in rows],
            f"{generation}/{last}",
            has_more=len(rows) == _BATCH,
            are_doubtful=is_another or not generation,
        )

    async def _also(self, also: Also | None, ended: list[SessionId]) -> None:
        """The sessions are over whatever the database says: an end is not taken back for the sake of its record."""
        if also is None or not ended:
            return
        try:
            await self._database.write(lambda tx: also(tx, ended))
        except StoreUnavailable as error:
            extra = {"session_ids": " ".join(ended)[:500]}
            log.warning("sessions were ended, which could not be written down: %s", error, extra=extra)


def _live_or_none(answer: Answer, now: datetime) -> UserSession | None:
    session = to_session(*answer) if answer is not None else None
    return session if session is not None and session.is_live(now) else None


def _ids(answer: Answer) -> list[SessionId]:
    return [SessionId(each.decode()) for each in answer]


def _notice(row: Answer) -> Notice:
    entry, (_, session_id, _, at) = row
    millisecond, _, number = entry.decode().partition("-")
    order = int(millisecond) * 1_000_000 + int(number)
    return Notice(order, NoticeKind.SESSION_ENDED, session_id.decode(), to_moment(int(at)))
