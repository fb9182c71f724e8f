"""The provider's keys: which signs now, which still verify what they signed, and when they change.

RS256, because OpenID Connect Discovery §3 wants every provider to offer it; so any client can read our tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import KeySet, OctKey, RSAKey

ALGORITHM = "RS256"
KEY_BITS = 2048
"""NIST SP 800-57: good beyond the age at which a key is replaced by decades."""

ROTATE_AFTER = timedelta(days=90)
"""A key older than this is replaced by itself."""

ANNOUNCE = timedelta(minutes=2)
"""A new key is published for so long before it signs: a client that does not know it may have asked for our keys just
before, and may not ask again within a minute (ours does not)."""

KEEP_RETIRED = timedelta(days=7)
"""After its last signature a key stays in the JWKS: longer than any id token is shown to us again, at logout."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key.

    Attributes:
        retired_at: when it signs no more; None for the newest.
    """

    key: RSAKey
    created_at: datetime
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys, as they are in the file.

    Attributes:
        signing: the newest first.
        form_key: authenticates the forms of the sign-in pages; nothing that leaves this server.
    """

    signing: tuple[SigningKey, ...]
    form_key: OctKey

    @property
    def newest(self) -> RSAKey:
        """The key that signs, or will as soon as it is known."""
        return self.signing[0].key

    def current(self, now: datetime) -> RSAKey:
        """The key that signs: the newest that was announced, and the first one ever without waiting."""
        announced = (each.key for each in self.signing if now - each.created_at >= ANNOUNCE)
        return next(announced, self.signing[-1].key)

    def verifying(self) -> KeySet:
        """Every key whose signatures count."""
        return KeySet([each.key for each in self.signing])

    def published(self) -> dict[str, Any]:
        """The JWKS, public parts only."""
        return {"keys": [each.key.as_dict(private=False) for each in self.signing]}

    def is_rotation_due(self, now: datetime) -> bool:
        """Whether the key in use is too old."""
        return now - self.signing[0].created_at >= ROTATE_AFTER


def new_keys(now: datetime) -> Keys:
    """The first keys. Takes a tenth of a second: call it in a worker thread."""
    return Keys((_new_signing_key(now),), OctKey.generate_key(256))


def rotated(keys: Keys, now: datetime) -> Keys:
    """A new key signs as soon as it is known; what the others signed is believed until KEEP_RETIRED is over.

    As slow as `new_keys`.
    """
    retired = [each if each.retired_at else replace(each, retired_at=now + ANNOUNCE) for each in keys.signing]
    kept = [each for each in retired if each.retired_at and now - each.retired_at < KEEP_RETIRED]
    return replace(keys, signing=(_new_signing_key(now), *kept))


def to_document(keys: Keys) -> dict[str, Any]:
    """As the file has it."""
    return {
        "form_key": keys.form_key.as_dict(private=True),
        "signing_keys": [
            {
                "created_at": each.created_at.isoformat(),
                "retired_at": each.retired_at.isoformat() if each.retired_at else None,
                "jwk": each.key.as_dict(private=True),
            }
            for each in keys.signing
        ],
    }


def from_document(document: dict[str, Any]) -> Keys:
    """The keys again.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, JoseError: it is not what `to_document` made.
    """
    return Keys(_signing_keys(document["signing_keys"]), OctKey.import_key(document["form_key"]))


def _signing_keys(entries: Sequence[dict[str, Any]]) -> tuple[SigningKey, ...]:
    signing = tuple(
        SigningKey(
            RSAKey.import_key(entry["jwk"]),
            datetime.fromisoformat(entry["created_at"]),
            datetime.fromisoformat(entry["retired_at"]) if entry["retired_at"] else None,
        )
        for entry in entries
    )
    if not signing or not all(each.key.is_private for each in signing):
        raise ValueError("there is no private key in it")
    return signing


def _new_signing_key(now: datetime) -> SigningKey:
    key = RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return SigningKey(key, now)
