"""Every exchange and socket in flight, by whom it is and over which device it goes.

What a revocation has to end besides tunnels. Adding and removing is two dictionary operations, because each request
does both. The keys hold only what is live, so nothing here outgrows the number of connections.
"""

from collections.abc import Callable
from datetime import datetime

from visiona.domain.access import CredentialId
from visiona.domain.causes import Cause
from visiona.domain.errors import NotFound, NotSignedIn, VisionaError
from visiona.domain.ids import DeviceId, UserId


class LiveCall:
    """One entry; whoever added it removes it when the exchange is over. Removing twice is harmless."""

    __slots__ = ("_calls", "close", "credential_id", "device_id", "expires_at", "user_id")

    def __init__(
        self,
        calls: "LiveCalls",
        user_id: UserId,
        credential_id: CredentialId,
        device_id: DeviceId | None,
        close: Callable[[str], None],
        expires_at: datetime | None,
    ) -> None:
        self._calls = calls
        self.user_id = user_id
        self.credential_id = credential_id
        self.device_id = device_id
        self.close = close
        self.expires_at = expires_at

    def remove(self) -> None:
        """Forgets the call without ending it."""
        self._calls.forget(self)


class LiveCalls:
    """The calls in flight of this process."""

    def __init__(self) -> None:
        self._calls: dict[LiveCall, None] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(
        self,
        user_id: UserId,
        credential_id: CredentialId,
        device_id: DeviceId | None,
        close: Callable[[str], None],
        expires_at: datetime | None = None,
    ) -> LiveCall:
        """Enters a call, which `expire` ends at `expires_at`; without a device it may tell of any of the user's.

        `close(cause)` must end it at once without waiting, and may remove the entry itself.
        """
        call = LiveCall(self, user_id, credential_id, device_id, close, expires_at)
        self._calls[call] = None
        return call

    def forget(self, call: LiveCall) -> None:
        """Drops an entry; harmless when it is gone already."""
        self._calls.pop(call, None)

    def cut_credential(self, credential_id: CredentialId, cause: str = "revoked") -> int:
        """Ends what runs on one token or session; returns how many calls that were."""
        return self._cut([call for call in self._calls if call.credential_id == credential_id], cause)

    def cut_user(self, user_id: UserId, cause: str = "revoked") -> int:
        """Ends what one user runs; returns how many calls that were."""
        return self._cut([call for call in self._calls if call.user_id == user_id], cause)

    def cut_device(self, device_id: DeviceId, cause: str = "device_deleted") -> int:
        """Ends what runs over one device; returns how many calls that were."""
        return self._cut([call for call in self._calls if call.device_id == device_id], cause)

    def cut_others(self, device_id: DeviceId, keep: frozenset[UserId], cause: str = "revoked") -> int:
        """Ends what runs over one device, unless one of these runs it; returns how many calls that were."""
        found = [call for call in self._calls if call.device_id == device_id and call.user_id not in keep]
        return self._cut(found, cause)

    def cut_user_on(self, user_id: UserId, devices: frozenset[DeviceId], cause: str = "revoked") -> int:
        """Ends what one user runs over some devices (a member who was removed); returns how many."""
        reach = {*devices, None}
        found = [call for call in self._calls if call.user_id == user_id and call.device_id in reach]
        return self._cut(found, cause)

    def cut_overviews(self, user_id: UserId, cause: str = "revoked") -> int:
        """Ends what tells one user of any of their devices: there are others now, and it begins anew."""
        return self.cut_user_on(user_id, frozenset(), cause)

    def overdue(self, now: datetime) -> set[CredentialId]:
        """Credentials that were no longer good at `now`, as far as is known here."""
        return {
            call.credential_id
            for call in self._calls
            if call.expires_at is not None and call.expires_at <= now
        }

    def prolong(self, credential_id: CredentialId, expires_at: datetime) -> None:
        """The credential was used since: what runs on it may go on for longer."""
        for call in self._calls:
            if call.credential_id == credential_id:
                call.expires_at = expires_at

    def expire(self, now: datetime) -> int:
        """Ends what runs on a credential that is no longer good at `now`; returns how many calls that were."""
        found = [call for call in self._calls if call.expires_at is not None and call.expires_at <= now]
        return self._cut(found, "expired")

    def _cut(self, calls: list[LiveCall], cause: str) -> int:
        # Entries go first: a close() that cuts again, or removes itself, meets a table that is already right.
        for call in calls:
            self.forget(call)
        for call in calls:
            call.close(cause)
        return len(calls)


def cut_error(cause: str) -> VisionaError:
    """What is told to whose call was cut: the credential or the device behind it was taken away."""
    if cause == Cause.DEVICE_DELETED.value:
        return NotFound("the device was unpaired while it was used")
    return NotSignedIn("the session ended while the request ran", details={"cause": cause})
