"""The name one request carries through logs, answers and the tunnel (`X-Request-Id`).

A client may bring its own, so that its log and ours can be laid side by side.
"""

import secrets

from visiona.domain.request_ids import request_id_or_none


def request_id_from(header: str | None) -> str:
    """The client's id where it may be kept, else a fresh one."""
    return request_id_or_none(header) or secrets.token_hex(12)
