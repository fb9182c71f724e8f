"""The two ways a protocol can be broken, and by whom.

A core raises `LocalProtocolError` when its own caller asked for something the protocol forbids (a bug on this
side), and `RemoteProtocolError` when the peer's bytes did. Which of the two is decided by the door the bytes came
through, never by inspection afterwards.
"""


class ProtocolError(Exception):
    """Somebody broke a protocol."""


class LocalProtocolError(ProtocolError):
    """This side asked for what the protocol does not allow; a bug here."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow.

    Attributes:
        kind: one stable lower-case word for logs and recorded causes (`header`, `credit`, `flood` …).
        status: the HTTP status that answers it where the protocol is HTTP (400, 431, 501 …).
    """

    def __init__(self, message: str, *, kind: str, status: int = 400) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
