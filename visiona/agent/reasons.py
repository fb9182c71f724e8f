"""Why a connection failed or ended, in words for whoever stands before the unit."""

import ssl

from visiona.tunnel.errors import TunnelClosed

# The words of a tunnel's end are the relay's, who sees an agent at the other end; here the other end is the relay.
_ENDINGS = {
    "agent_closed": "the relay closed it",
    "keepalive_timeout": "nothing was heard from the relay for too long",
    "tcp_reset": "the connection broke",
    "write_timeout": "the relay stopped reading",
    "protocol_error": "the relay broke the protocol",
    "server_drain": "it is used up, and a fresh one is opened",
}


def reason_of(error: BaseException) -> str:
    """Why it failed, in the words of the system, of TLS or of name resolution, whoever wrapped them; never empty."""
    innermost = error
    while (inner := _inside(innermost)) is not None:
        innermost = inner
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {innermost.verify_message}"
    words = innermost.strerror if isinstance(innermost, OSError) else None
    return words or str(innermost) or type(innermost).__name__


def ending_of(closed: TunnelClosed) -> str:
    """Who ended a tunnel, seen from the agent, and the detail of it."""
    words = _ENDINGS.get(closed.cause, closed.cause)
    return f"{words} ({closed.detail})" if closed.detail else words


def _inside(error: BaseException) -> BaseException | None:
    """What this one wraps: Trio groups the attempts at all addresses of a name, and names a cause."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__
