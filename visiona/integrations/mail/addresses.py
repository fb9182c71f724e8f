"""Addresses that mail can be sent to: those that every reader of them understands alike.

RFC 5322 allows comments, quotes and folding in an address, and what one parser takes for a comment another takes for a
name. An account may have such an address; mail goes to none of them.
"""

import re

# A dot-atom (RFC 5322 §3.2.3), letters of all scripts included (RFC 6532 §3.2).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)

MAX_LOCAL_BYTES = 64
"""RFC 5321 §4.5.3.1.1."""


def on_the_wire(address: str) -> str | None:
    """The address as it goes to a mail server, its domain in ASCII (RFC 5890); None where it can go to none."""
    local, at, domain = address.rpartition("@")
    # What looks like an encoded word is one to the email package; see letters.py.
    if not at or not _LOCAL.fullmatch(local) or not local.isprintable() or "=?" in local:
        return None
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if len(local.encode("utf-8", "replace")) > MAX_LOCAL_BYTES or not _DOMAIN.fullmatch(ascii_domain):
        return None
    return f"{local}@{ascii_domain}"


def is_sendable(address: str) -> bool:
    """Whether mail can go to it, as far as its spelling tells."""
    return on_the_wire(address) is not None
