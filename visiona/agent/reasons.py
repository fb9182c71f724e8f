"""Why a connection failed, in the words of the system, of TLS or of name resolution, whoever wrapped them."""

import ssl


def reason_of(error: BaseException) -> str:
    """A few words for a person; never empty."""
    innermost = error
    while (inner := _inside(innermost)) is not None:
        innermost = inner
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {innermost.verify_message}"
    words = innermost.strerror if isinstance(innermost, OSError) else None
    return words or str(innermost) or type(innermost).__name__


def _inside(error: BaseException) -> BaseException | None:
    """What this one wraps: Trio groups the attempts at all addresses of a name, and names a cause."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__
