"""A provider's public keys: kept for a while, asked for again when a token names one that is not there.

Anybody can send a token with a new key id, so asking again is limited to once a minute, whatever came of it.
"""

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from visiona.integrations.interface import ProviderUnavailable
from visiona.integrations.oidc.fetching import Json

FRESH_SECONDS = 3600.0
"""A key taken out of the set is believed for this long at the most."""

REFETCH_SECONDS = 60.0
"""Between two fetches caused by unknown key ids (A-03)."""

MAX_KEYS = 64
"""Of a set; providers have two or three."""

MIN_RSA_BITS = 2048

PublicKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key that may verify signatures, of one algorithm if the provider says which."""

    kid: str | None
    algorithm: str | None
    key: PublicKey


class KeyRing:
    """The keys of one provider. `fetch` gets the key set and raises ProviderUnavailable."""

    def __init__(self, fetch: Callable[[], Awaitable[Json]]) -> None:
        self._fetch = fetch
        self._keys: list[VerificationKey] = []
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = trio.Lock()

    async def candidates(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        """The keys that a token with this header may be signed with; empty if there are none.

        Raises:
            ProviderUnavailable: there are no keys to look at, and none to be had.
        """
        async with self._lock:
            if self._fetched_at is None or trio.current_time() - self._fetched_at >= FRESH_SECONDS:
                await self._refresh()
            found = self._matching(kid, algorithm)
            if not found:
                await self._refresh()
                found = self._matching(kid, algorithm)
            return found

    def _matching(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        return [
            key
            for key in self._keys
            if (kid is None or key.kid == kid) and (key.algorithm is None or key.algorithm == algorithm)
        ]

    def _may_ask_again(self) -> bool:
        return self._tried_at is None or trio.current_time() - self._tried_at >= REFETCH_SECONDS

    async def _refresh(self) -> None:
        """Fetches, unless that was done or tried within the last minute."""
        if self._keys and not self._may_ask_again():
            return
        self._tried_at = trio.current_time()
        try:
            self._keys = keys_from(await self._fetch())
        except ProviderUnavailable:
            if not self._keys:
                raise
            return  # what was believed until now still is; the next question after a minute tries again
        self._fetched_at = trio.current_time()


def keys_from(fields: Json) -> list[VerificationKey]:
    """Reads a key set (RFC 7517 §5); keys that are of no use to us are left out.

    Raises:
        ProviderUnavailable: it is none.
    """
    listed = fields.get("keys")
    if not isinstance(listed, list):
        raise ProviderUnavailable("the key set has no keys")
    found = [key for item in listed[:MAX_KEYS] if (key := _key_or_none(item)) is not None]
    if not found:
        raise ProviderUnavailable("the key set has no key that can verify a signature")
    return found


def _key_or_none(item: object) -> VerificationKey | None:
    if not isinstance(item, dict) or item.get("use", "sig") != "sig":
        return None
    operations = item.get("key_ops")
    if isinstance(operations, list) and "verify" not in operations:
        return None
    # Only what makes the public key: a `d` that a careless provider publishes is not even looked at.
    public = {name: item[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in item}
    if public.get("kty") not in {"RSA", "EC", "OKP"} or (
        public["kty"] == "RSA" and not _is_long(public.get("n"))
    ):
        return None  # a symmetric key in a public set is an attack or a leak
    try:
        key = JWKRegistry.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None
    if not isinstance(key, (RSAKey, ECKey, OKPKey)):
        return None
    kid, algorithm = item.get("kid"), item.get("alg")
    return VerificationKey(
        kid if isinstance(kid, str) else None, algorithm if isinstance(algorithm, str) else None, key
    )


def _is_long(modulus: object) -> bool:
    """Whether an RSA key has enough bits; looked at beforehand, for joserfc would warn of it each time."""
    if not isinstance(modulus, str):
        return False
    try:
        number = urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))
    except ValueError:
        return False
    return int.from_bytes(number).bit_length() >= MIN_RSA_BITS
