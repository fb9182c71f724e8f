"""People's sessions: who holds one, which there are, ending them."""

from datetime import datetime

from visiona.domain.access import Actor
from visiona.domain.errors import NotSignedIn
from visiona.domain.ids import SessionId, UserId
from visiona.domain.sessions import UserSession
from visiona.stores.interfaces import Stores


async def identify_session(stores: Stores, text: str, now: datetime) -> Actor:
    """Who holds this session; its use is noted at most once a minute.

    Raises:
        NotSignedIn: there is none, it is over, or its user is disabled: the caller cannot tell which.
        StoreUnavailable: nothing can be said about it now.
    """
    raise NotSignedIn("nobody can sign in yet")


async def session_or_none(stores: Stores, text: str, now: datetime) -> UserSession | None:
    """The live session of this text, for signing out; its use is not noted."""
    raise NotImplementedError


async def list_sessions(stores: Stores, user_id: UserId, now: datetime) -> list[UserSession]:
    """A user's live sessions, the most recently used first."""
    raise NotImplementedError


async def end_session(stores: Stores, session_id: SessionId, *, user_id: UserId | None = None) -> None:
    """Ends one; whoever serves learns it within a second.

    Args:
        user_id: whose it must be; None for the operator, who may end anybody's.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    raise NotImplementedError


async def end_all_sessions(
    stores: Stores, user_id: UserId, *, keep: SessionId | None = None
) -> list[SessionId]:
    """Ends all of a user's but `keep`; says which."""
    raise NotImplementedError


async def end_sessions_of_idp(
    stores: Stores, issuer: str, *, subject: str | None = None, idp_sid: str | None = None
) -> list[SessionId]:
    """What a back-channel logout names; says which ended. At least one of the two must be given."""
    raise NotImplementedError
