"""How a tunnel or one of its streams ends badly.

The tree, whole:

TunnelError
├─ TunnelClosed    the tunnel is over, with its one recorded cause
├─ StreamReset     this stream was abandoned, by either side; the tunnel lives
├─ StreamRefused   no stream could be opened now; the tunnel lives
└─ DialRefused     the relay answered the upgrade with something else than 101
"""


class TunnelError(Exception):
    """Something about a tunnel went wrong."""


class TunnelClosed(TunnelError):
    """The tunnel is over.

    Attributes:
        cause: one word of the list in docs (`agent_closed`, `replaced` …); the first one to be named stays.
        detail: what a log line may add, such as the kind of a protocol error; may be empty.
    """

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(f"{cause}:{detail}" if detail else cause)
        self.cause = cause
        self.detail = detail


class StreamReset(TunnelError):
    """The stream was abandoned.

    Attributes:
        reason: `peer` when the other side did it, else the word of this side (`local`, `write_timeout`).
    """

    def __init__(self, reason: str = "peer") -> None:
        super().__init__(f"the stream was reset ({reason})")
        self.reason = reason


class StreamRefused(TunnelError):
    """Too many streams are open or waiting to be opened on this tunnel."""


class DialRefused(TunnelError):
    """The relay said no before the upgrade.

    Attributes:
        status: the HTTP status it answered.
        code: the `error.code` of the JSON envelope, or an empty string.
        retry_after_seconds: what its Retry-After asked for, or None.
    """

    def __init__(self, status: int, *, code: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(f"the relay answered {status}{f' {code}' if code else ''}")
        self.status = status
        self.code = code
        self.retry_after_seconds = retry_after_seconds
