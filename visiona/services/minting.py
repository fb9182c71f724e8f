"""New ids and new tokens: the one place that draws randomness for them."""

import secrets
from datetime import datetime

from visiona.domain.ids import RANDOM_BYTES, uuid7
from visiona.domain.tokens import TokenKind, token_text


def mint_id(now: datetime) -> str:
    """A new id; ids sort by `now`."""
    return uuid7(int(now.timestamp() * 1000), secrets.token_bytes(RANDOM_BYTES))


def mint_token(kind: TokenKind) -> str:
    """The text of a new token. Hand it to its holder; keep only its hash."""
    return token_text(kind, secrets.token_bytes(kind.random_bytes))


def mint_secret() -> str:
    """Text of 43 characters that nobody can guess: of a session, a state, a browser's id. See domain/sessions.py."""
    return secrets.token_urlsafe(32)
