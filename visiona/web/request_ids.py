"""The name one request carries through logs, answers and the tunnel (`X-Request-Id`).

A client may bring its own, so that its log and ours can be laid side by side. What it brings ends in our log lines
and in a header towards the agent, so only a small alphabet is kept, and never anything that could be a token.
"""

import re
import secrets

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TOKEN_LIKE = re.compile(r"vA[a-z]_")


def request_id_from(header: str | None) -> str:
    """The client's id where it is well formed (1–64 characters of a small alphabet), else a fresh one."""
    if header and _WELL_FORMED.fullmatch(header) and not _TOKEN_LIKE.search(header):
        return header
    return secrets.token_hex(12)
