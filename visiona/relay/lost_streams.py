"""What a caller is told whose stream to a device could not be opened, or was lost."""

from visiona.domain.errors import DeviceBroke, DeviceOffline, DeviceTooSlow, TooMany, VisionaError
from visiona.tunnel.errors import StreamRefused, StreamReset, TunnelClosed, TunnelError


def not_opened(error: TunnelError) -> VisionaError:
    """Nothing was sent."""
    if isinstance(error, StreamRefused):
        return TooMany("the device has too many requests in flight", retry_after_seconds=1)
    details = {"cause": error.cause} if isinstance(error, TunnelClosed) else None
    return DeviceOffline("the connection to the device was just lost", details=details)


def lost(error: TunnelError) -> VisionaError:
    """The request was sent, as a whole or in part."""
    match error:
        case TunnelClosed():
            return DeviceBroke(
                "the connection to the device was lost while it answered", details={"cause": error.cause}
            )
        case StreamReset(reason="write_timeout"):
            return DeviceTooSlow("the device stopped taking the request")
        case _:
            return DeviceBroke("the device broke off the request")
