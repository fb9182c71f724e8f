"""People's sessions: who holds one, which there are, ending them."""

import contextlib
from collections.abc import Sequence
from datetime import datetime

from visiona.domain.access import ALL_SCOPES, Actor, Via
from visiona.domain.audit import Deed
from visiona.domain.errors import NotFound, NotSignedIn
from visiona.domain.ids import SessionId, UserId, is_uuid
from visiona.domain.sessions import UserSession, secret_hash
from visiona.services.audit import note
from visiona.services.identify import actor_or_none
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx
from visiona.stores.sessions import Also


async def identify_session(stores: Stores, text: str, now: datetime) -> Actor:
    """Who holds this session; its use is noted at most once a minute.

    Raises:
        NotSignedIn: there is none, it is over, or its user is disabled: the caller cannot tell which.
        StoreUnavailable: nothing can be said about it now.
    """
    session = await session_or_none(stores, text, now)
    if session is None:
        raise NotSignedIn("you are not signed in, or not any more")
    if session.is_touch_due(now):
        # A store that can be read but not written (a full disk) must not keep anybody out.
        with contextlib.suppress(StoreUnavailable):
            session = await stores.sessions.touch(session.token_hash, now) or session
    actor = await _actor_or_none(stores, session)
    if actor is None:
        raise NotSignedIn("you are not signed in, or not any more")
    return actor


async def session_or_none(stores: Stores, text: str, now: datetime) -> UserSession | None:
    """The live session of this text, its user aside; its use is not noted."""
    hashed = secret_hash(text)
    return await stores.sessions.get_or_none(hashed, now) if hashed is not None else None


async def current_session_or_none(stores: Stores, actor: Actor, now: datetime) -> UserSession | None:
    """The session that the caller came with; None for a program's token, and where it has just ended."""
    if actor.via is not Via.SESSION:
        return None
    return await stores.sessions.by_id_or_none(SessionId(actor.credential_id), now)


async def list_sessions(stores: Stores, user_id: UserId, now: datetime) -> list[UserSession]:
    """A user's live sessions, the most recently used first."""
    return await stores.sessions.list_of_user(user_id, now)


async def end_session(
    stores: Stores, session_id: SessionId, now: datetime, *, user_id: UserId | None = None
) -> None:
    """Ends one; whoever serves learns it within a second.

    Args:
        user_id: whose it must be; None for the operator, who may end anybody's.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    also = noted_ends(now, Deed.SESSION_ENDED)
    if not is_uuid(session_id) or not await stores.sessions.delete(session_id, now, user_id, also=also):
        raise NotFound("there is no such session")


async def sign_out(stores: Stores, session: UserSession, now: datetime) -> bool:
    """Ends the session that its own holder came with; False if it was over already."""
    also = noted_ends(now, Deed.SIGN_OUT, by=session.user_id)
    return await stores.sessions.delete(session.id, now, also=also)


async def end_all_sessions(
    stores: Stores, user_id: UserId, now: datetime, *, keep: SessionId | None = None
) -> list[SessionId]:
    """Ends all of a user's but `keep`; says which."""
    return await stores.sessions.delete_of_user(user_id, now, keep, also=noted_ends(now, Deed.SESSION_ENDED))


async def end_sessions_of_idp(
    stores: Stores, issuer: str, now: datetime, *, subject: str | None = None, idp_sid: str | None = None
) -> list[SessionId]:
    """What a back-channel logout names; says which ended. At least one of the two must be given."""
    also = noted_ends(now, Deed.SIGN_OUT, issuer=issuer)
    return await stores.sessions.delete_of_idp(issuer, subject, idp_sid, now, also=also)


def noted_ends(
    now: datetime,
    deed: Deed,
    *,
    by: UserId | None = None,
    issuer: str | None = None,
    why: str | None = None,
) -> Also:
    """A line in the audit log for each session that ends.

    Args:
        by: whose doing it is, where nobody was identified at the edge.
        issuer: the identity provider that said so.
        why: for a person, where it is a consequence of something else.
    """

    async def also(tx: Tx, ended: Sequence[SessionId]) -> None:
        user = await tx.users.get_or_none(by) if by is not None else None
        for session_id in ended:
            await note(tx, now, deed, by=user, subject=session_id, issuer=issuer, why=why)

    return also


async def _actor_or_none(stores: Stores, session: UserSession) -> Actor | None:
    async def look_up(tx: Tx) -> Actor | None:
        return await actor_or_none(
            tx, session.user_id, session.id, ALL_SCOPES, session.idle_expires_at, Via.SESSION
        )

    return await stores.read(look_up)
