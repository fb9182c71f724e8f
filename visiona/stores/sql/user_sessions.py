"""People's sessions in SQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from visiona.domain.ids import SessionId, UserId
from visiona.domain.sessions import UserSession
from visiona.stores.sql.columns import Texts, to_micros, to_moment
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = (
    "id, token_hash, user_id, created_at, last_seen_at, idle, absolute_expires_at,"
    " user_agent, address, issuer, subject, idp_sid, id_token"
)
_SELECT = f"SELECT {_COLUMNS} FROM user_sessions"
_MICROSECOND = timedelta(microseconds=1)


class SqlUserSessions:
    """See sessions.UserSessionRows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, session: UserSession) -> None:
        await self._tx.execute(
            f"""INSERT INTO user_sessions ({_COLUMNS}, ends_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
            session.id,
            session.token_hash,
            session.user_id,
            to_micros(session.created_at),
            to_micros(session.last_seen_at),
            session.idle // _MICROSECOND,
            to_micros(session.absolute_expires_at),
            session.user_agent,
            session.address,
            session.issuer,
            session.subject,
            session.idp_sid,
            session.id_token,
            to_micros(session.idle_expires_at),
        )

    async def by_hash_or_none(self, token_hash: str) -> UserSession | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE token_hash = $1", token_hash)
        return _session(row) if row is not None else None

    async def by_id_or_none(self, session_id: SessionId) -> UserSession | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", session_id)
        return _session(row) if row is not None else None

    async def note_use(self, session: UserSession) -> bool:
        # Of two uses at once the later one counts, whichever is written last.
        changed = await self._tx.execute(
            """UPDATE user_sessions SET
            last_seen_at = CASE WHEN last_seen_at < $2 THEN $2 ELSE last_seen_at END,
            ends_at = CASE WHEN ends_at < $3 THEN $3 ELSE ends_at END
            WHERE id = $1""",
            session.id,
            to_micros(session.last_seen_at),
            to_micros(session.idle_expires_at),
        )
        return changed == 1

    async def remove(self, session_ids: Sequence[SessionId]) -> list[SessionId]:
        if not session_ids:
            return []
        # Held in their order first: of two who remove the same ones neither waits for the other in a circle.
        sql = """DELETE FROM user_sessions WHERE id IN
            (SELECT id FROM user_sessions WHERE id @any_of($1)@ ORDER BY id @for_update@) RETURNING id"""
        return [SessionId(row[0]) for row in await self._tx.fetch_all(sql, Texts(session_ids))]

    async def list_of_user(self, user_id: UserId, limit: int) -> list[UserSession]:
        sql = f"{_SELECT} WHERE user_id = $1 ORDER BY last_seen_at DESC, id DESC LIMIT $2"
        return [_session(row) for row in await self._tx.fetch_all(sql, user_id, limit)]

    async def list_of_subject(self, issuer: str, subject: str, limit: int) -> list[UserSession]:
        sql = f"{_SELECT} WHERE issuer = $1 AND subject = $2 LIMIT $3"
        return [_session(row) for row in await self._tx.fetch_all(sql, issuer, subject, limit)]

    async def list_of_sid(self, issuer: str, idp_sid: str, limit: int) -> list[UserSession]:
        sql = f"{_SELECT} WHERE issuer = $1 AND idp_sid = $2 LIMIT $3"
        return [_session(row) for row in await self._tx.fetch_all(sql, issuer, idp_sid, limit)]

    async def purge(self, ended_by: datetime, limit: int) -> int:
        sql = """DELETE FROM user_sessions WHERE token_hash IN
            (SELECT token_hash FROM user_sessions WHERE ends_at <= $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_by), limit)


def _session(row: Row) -> UserSession:
    (session_id, token_hash, user_id, created_at, last_seen_at, idle, absolute, *words) = row
    user_agent, address, issuer, subject, idp_sid, id_token = words
    return UserSession(
        id=SessionId(session_id),
        token_hash=token_hash,
        user_id=UserId(user_id),
        created_at=to_moment(created_at),
        last_seen_at=to_moment(last_seen_at),
        idle=timedelta(microseconds=idle),
        absolute_expires_at=to_moment(absolute),
        user_agent=user_agent,
        address=address,
        issuer=issuer,
        subject=subject,
        idp_sid=idp_sid,
        id_token=id_token,
    )
