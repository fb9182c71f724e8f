"""What a notice ends in this process: remembered credentials, tunnels, requests and sockets in flight, kept pictures.

Called twice for one deed, which is harmless: by the route that did it, so that its answer is true when it is sent, and
by the follower of notices, which also sees what other processes did.
"""

from collections.abc import Callable
from datetime import datetime

from visiona.domain.ids import DeviceId, SessionId, TokenId, UserId
from visiona.domain.notices import DeviceMove, Notice, NoticeKind, split_member_subject
from visiona.relay.cameras import Cameras
from visiona.relay.registry import Cut, Registry
from visiona.web.callers import Callers


class Revoking:
    """Applies notices."""

    def __init__(
        self, callers: Callers, registry: Registry, cameras: Cameras, now: Callable[[], datetime]
    ) -> None:
        self._callers = callers
        self._registry = registry
        self._cameras = cameras
        self._now = now

    def at_once(self, kind: NoticeKind, subject: str, at: datetime | None = None) -> Cut:
        """Does now what the notice that was just committed will say; `at` is its moment, where that matters."""
        return self.apply(Notice(0, kind, subject, at or self._now()))

    def apply(self, notice: Notice) -> Cut:
        """Forgets and cuts; says how much was cut."""
        self._callers.forget(notice)
        match notice.kind:
            case NoticeKind.TOKEN_REVOKED:
                return Cut(sockets=self._registry.calls.cut_credential(TokenId(notice.subject)))
            case NoticeKind.SESSION_ENDED:
                return Cut(sockets=self._registry.calls.cut_credential(SessionId(notice.subject)))
            case NoticeKind.SESSION_TOKEN_REVOKED:
                return self._registry.cut_session_token(TokenId(notice.subject))
            case NoticeKind.DEVICE_DELETED:
                cut = self._registry.cut_device(DeviceId(notice.subject))
                self._cameras.forget(DeviceId(notice.subject))
                return cut
            case NoticeKind.USER_DISABLED:
                return self._registry.cut_user(UserId(notice.subject))
            case NoticeKind.MEMBER_REMOVED:
                return self._registry.cut_workspace_member(*split_member_subject(notice.subject))
            case NoticeKind.MEMBER_CHANGED:
                return Cut(
                    sockets=self._registry.calls.cut_overviews(split_member_subject(notice.subject)[1])
                )
            case NoticeKind.DEVICE_MOVED:
                return self._moved(DeviceMove.of(notice.subject), notice.at)

    def _moved(self, move: DeviceMove, at: datetime) -> Cut:
        cut = self._registry.move_device(move, at)
        self._cameras.forget(move.device_id, stays_in=move.workspace_id)
        return cut
