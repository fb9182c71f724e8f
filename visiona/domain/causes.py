"""Why a tunnel ended. Each tunnel has exactly one of these, recorded once."""

from enum import Enum


class Cause(Enum):
    """The recorded causes. The values are for programs and never change."""

    AGENT_CLOSED = "agent_closed"
    KEEPALIVE_TIMEOUT = "keepalive_timeout"
    TCP_RESET = "tcp_reset"
    REPLACED = "replaced"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DEVICE_DELETED = "device_deleted"
    PROTOCOL_ERROR = "protocol_error"
    WRITE_TIMEOUT = "write_timeout"
    SERVER_DRAIN = "server_drain"
    SERVER_STALLED = "server_stalled"
    RATE_LIMITED = "rate_limited"
    # The same cause under the name that tests of starvation use.
    SERVER_STARVED = "server_stalled"  # noqa: PIE796 - an alias on purpose


_IN_WORDS = {
    Cause.AGENT_CLOSED: "the agent closed the connection",
    Cause.KEEPALIVE_TIMEOUT: "nothing was heard from the agent for too long",
    Cause.TCP_RESET: "the connection broke",
    Cause.REPLACED: "the same device connected again",
    Cause.REVOKED: "its token was revoked",
    Cause.EXPIRED: "its token expired; pair the device again",
    Cause.DEVICE_DELETED: "the device was unpaired",
    Cause.PROTOCOL_ERROR: "the agent broke the protocol",
    Cause.WRITE_TIMEOUT: "the agent stopped reading",
    Cause.SERVER_DRAIN: "the server stopped or restarted",
    Cause.SERVER_STALLED: "the server was too busy to answer the agent in time",
    Cause.RATE_LIMITED: "it connected too often",
}


def in_words(cause: Cause) -> str:
    """The cause for a person, as the end of a sentence."""
    return _IN_WORDS[cause]


def split_cause(text: str) -> tuple[Cause, str | None]:
    """Reads `protocol_error:header` as a cause and its detail; a word that is no cause raises ValueError."""
    word, _, detail = text.partition(":")
    return Cause(word), detail or None
