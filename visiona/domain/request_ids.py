"""Whether a client's own name for its request (`X-Request-Id`) may be kept.

It ends in log lines and in a header towards the agent, so only a small alphabet is kept, and never anything that
could be a token.
"""

import re

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TOKEN_LIKE = re.compile(r"vA[a-z]_")


def request_id_or_none(header: str | None) -> str | None:
    """The client's id where it is well formed (1–64 characters of a small alphabet); None: it needs a fresh one."""
    if header and _WELL_FORMED.fullmatch(header) and not _TOKEN_LIKE.search(header):
        return header
    return None
