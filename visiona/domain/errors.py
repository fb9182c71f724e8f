"""What a caller can be told.

The tree, whole:

    VisionaError
    ├─ NotSignedIn     nobody, or nobody any more         ├─ TooMany        a limit, with the time to wait
    ├─ NotAllowed      known, but may not                 ├─ TooLarge       a body beyond its limit
    ├─ NotFound        absent, or somebody else's         ├─ DeviceOffline  no tunnel; since when and why
    ├─ Conflict        true elsewhere in the meantime     ├─ DeviceBroke    the device answered nonsense
    ├─ Gone            was here once                      ├─ DeviceTooSlow  the device did not answer in time
    ├─ Invalid         the request itself is wrong        └─ StorageFull    no room for a file, or a workspace's is used up
    └─ PairingRefused  a one-time token that cannot be exchanged

`code` is for programs and never changes; the message is for a person: what happened, to what, what to do. Neither
ever holds a secret. Which HTTP status belongs to which is known by web/errors.py alone.
"""

from collections.abc import Mapping
from typing import ClassVar

Detail = str | int | float | bool | None
Details = Mapping[str, Detail | list[str] | list[dict[str, Detail]]]


class VisionaError(Exception):
    """Something a caller can be told. `details` is shown to the caller as it is."""

    default_code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, *, code: str | None = None, details: Details | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details: Details = details or {}


class NotSignedIn(VisionaError):
    """No credential, or one that is unknown, expired or revoked."""

    default_code = "UNAUTHENTICATED"


class NotAllowed(VisionaError):
    """The caller is known and may not do this."""

    default_code = "FORBIDDEN"


class NotFound(VisionaError):
    """It does not exist, or it belongs to somebody else: the caller cannot tell which."""

    default_code = "NOT_FOUND"


class Conflict(VisionaError):
    """The request was fine, the state of things is not."""

    default_code = "CONFLICT"


class Gone(VisionaError):
    """It existed and does not any more."""

    default_code = "GONE"


class Invalid(VisionaError):
    """The request itself is wrong; the message names the field."""

    default_code = "VALIDATION_FAILED"


class PairingRefused(VisionaError):
    """A pairing token that cannot be exchanged; the code says which of the four cases it is."""

    default_code = "INVALID_PAIRING_TOKEN"


class TooLarge(VisionaError):
    """A body beyond its limit."""

    default_code = "PAYLOAD_TOO_LARGE"


class StorageFull(VisionaError):
    """A file has no room: on the server's disk, or in its workspace's share of it."""

    default_code = "STORAGE_FULL"


class TooMany(VisionaError):
    """A rate or count limit was reached."""

    default_code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after_seconds: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class ServerStopping(VisionaError):
    """The server drains: it takes nothing new. Another attempt after `retry_after_seconds` finds its successor."""

    default_code = "SERVER_STOPPING"
    retry_after_seconds = 5


class DeviceOffline(VisionaError):
    """The device has no tunnel now. Details: `since` (RFC 3339 or absent) and `cause`."""

    default_code = "DEVICE_OFFLINE"


class DeviceBroke(VisionaError):
    """The device was reached and its answer was unusable, or ended early."""

    default_code = "DEVICE_ERROR"


class DeviceTooSlow(VisionaError):
    """The device was reached and did not answer within a deadline."""

    default_code = "DEVICE_TIMEOUT"
