"""Sessions and sign-ins under way, to and from what Redis keeps: JSON, moments as microseconds since 1970.

What changes, a session's last use, stands beside the JSON, for Redis alone may change it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from visiona.domain.ids import SessionId, UserId
from visiona.domain.sessions import PendingLogin, UserSession

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """A zoned moment as a number; exact."""
    return (at - _EPOCH) // _MICROSECOND


def to_span(time: timedelta) -> int:
    """A length of time as a number; exact."""
    return time // _MICROSECOND


def to_moment(micros: int) -> datetime:
    """The moment again, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def digest_of(*words: str) -> str:
    """A name for words that must not stand in a key: they may be long, or nobody's business."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def from_session(session: UserSession) -> str:
    """All of it but its last use."""
    return json.dumps(
        {
            "id": session.id,
            "token_hash": session.token_hash,
            "user_id": session.user_id,
            "created_at": to_micros(session.created_at),
            "idle": to_span(session.idle),
            "absolute_expires_at": to_micros(session.absolute_expires_at),
            "user_agent": session.user_agent,
            "address": session.address,
            "issuer": session.issuer,
            "subject": session.subject,
            "idp_sid": session.idp_sid,
            "id_token": session.id_token,
        }
    )


def to_session(data: bytes, last_seen: bytes) -> UserSession:
    """The session again."""
    fields = json.loads(data)
    return UserSession(
        id=SessionId(fields["id"]),
        token_hash=fields["token_hash"],
        user_id=UserId(fields["user_id"]),
        created_at=to_moment(fields["created_at"]),
        last_seen_at=to_moment(int(last_seen)),
        idle=timedelta(microseconds=fields["idle"]),
        absolute_expires_at=to_moment(fields["absolute_expires_at"]),
        user_agent=fields["user_agent"],
        address=fields["address"],
        issuer=fields["issuer"],
        subject=fields["subject"],
        idp_sid=fields["idp_sid"],
        id_token=fields["id_token"],
    )


def to_sessions(answer: Sequence[bytes]) -> Iterator[UserSession]:
    """Those of an answer that has data and last use in turn."""
    for data, last_seen in zip(answer[::2], answer[1::2], strict=True):
        yield to_session(data, last_seen)


def from_pending(pending: PendingLogin) -> str:
    """All of it."""
    return json.dumps(
        {
            "state_hash": pending.state_hash,
            "browser_hash": pending.browser_hash,
            "nonce": pending.nonce,
            "code_verifier": pending.code_verifier,
            "return_to": pending.return_to,
            "created_at": to_micros(pending.created_at),
            "expires_at": to_micros(pending.expires_at),
        }
    )


def to_pending(data: bytes) -> PendingLogin:
    """The sign-in again."""
    fields = json.loads(data)
    return PendingLogin(
        state_hash=fields["state_hash"],
        browser_hash=fields["browser_hash"],
        nonce=fields["nonce"],
        code_verifier=fields["code_verifier"],
        return_to=fields["return_to"],
        created_at=to_moment(fields["created_at"]),
        expires_at=to_moment(fields["expires_at"]),
    )
