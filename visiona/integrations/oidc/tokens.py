"""What is believed of a signed token: the signature first, then every claim that the rules name (A-03, A-11).

Rules: OpenID Connect Core 1.0 §3.1.3.7, Back-Channel Logout 1.0 §2.6, RFC 8725. Each refusal names its check, for
the log; a browser is told none of it.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from authlib.oidc.core.util import create_half_hash
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSAlgModel, JWSRegistry, extract_compact  # type: ignore[attr-defined]  # it is their hook
from joserfc.jwt import decode

from visiona.integrations.interface import LogoutToken, TokenInvalid
from visiona.integrations.oidc.keys import KeyRing, VerificationKey

ALGORITHMS = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
)
"""Signatures with a private key that only the provider has. `none` and HS* are not among them and never will be."""

SKEW_SECONDS = 60
"""How far the provider's clock may be from ours."""

MAX_TOKEN_CHARACTERS = 65536
MAX_TEXT_CHARACTERS = 255
"""Of a subject (Core §2), and of other ids that we keep."""

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_LOGOUT_SECONDS = 600
"""How long a logout token may be good for: its id is remembered for as long."""

Claims = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an id token must say, to be the answer to this attempt."""

    issuer: str
    client_id: str
    nonce: str
    begun_at: datetime
    now: datetime
    access_token: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature is the provider's; nothing else of it was checked."""

    kind: str | None
    algorithm: str
    claims: Claims


async def verify(token: str, keys: KeyRing) -> Verified:
    """Checks the signature.

    Raises:
        TokenInvalid: it is none of the provider's.
        ProviderUnavailable: the provider's keys are not to be had.
    """
    kid, algorithm = _header_of(token)
    candidates = await keys.candidates(kid, algorithm)
    if not candidates:
        raise TokenInvalid("kid: no such key")
    return _verified(token, algorithm, candidates)


def check_id_token(token: Verified, expected: Expected) -> Claims:
    """Checks every claim; the claims back, whose `sub` is now a text. Raises TokenInvalid."""
    claims = token.claims
    _need(token.kind in {None, "jwt"}, "typ: this is no id token")
    _need(claims.get("iss") == expected.issuer, "iss: another issuer")
    _check_audience(claims, expected.client_id)
    moment = expected.now.timestamp()
    issued = _check_times(claims, moment)
    _need(issued >= expected.begun_at.timestamp() - SKEW_SECONDS, "iat: older than the sign-in")
    _need(_same(claims.get("nonce"), expected.nonce), "nonce: of another sign-in")
    _need(_is_id(claims.get("sub")), "sub: missing")
    if "at_hash" in claims:
        _check_at_hash(claims["at_hash"], expected.access_token, token.algorithm)
    return claims


def check_logout_token(token: Verified, issuer: str, client_id: str, now: datetime) -> LogoutToken:
    """Checks every claim of a logout token; raises TokenInvalid."""
    claims, moment = token.claims, now.timestamp()
    _need(token.kind == "logout+jwt", "typ: this is no logout token")
    _need(claims.get("iss") == issuer, "iss: another issuer")
    _check_audience(claims, client_id)
    issued = _check_times(claims, moment)
    expires = _number(claims, "exp")
    _need(expires - issued <= MAX_LOGOUT_SECONDS, "exp: too far away")
    events = claims.get("events")
    _need(isinstance(events, dict) and isinstance(events.get(LOGOUT_EVENT), dict), "events: not a logout")
    _need("nonce" not in claims, "nonce: an id token in disguise")
    jti, subject, sid = claims.get("jti"), claims.get("sub"), claims.get("sid")
    _need(_is_id(jti), "jti: missing")
    _need(subject is None or _is_id(subject), "sub: not an id")
    _need(sid is None or _is_id(sid), "sid: not an id")
    _need(subject is not None or sid is not None, "sub, sid: neither is there")
    return LogoutToken(issuer, text_or_none(claims, "sub"), text_or_none(claims, "sid"), str(jti), expires)


def text_or_none(claims: Claims, name: str) -> str | None:
    """A claim that is a text of sane length, else None."""
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARACTERS else None


class _OurAlgorithms(JWSRegistry):
    """joserfc's own list of what to accept warns of `EdDSA`, which providers sign with all the same."""

    max_header_length = 8192  # some put a certificate there
    max_payload_length = MAX_TOKEN_CHARACTERS

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("not an algorithm of ours")
        return self.algorithms[name]


# Fields that we do not know are ignored (RFC 7515 §4), but never one that `crit` names.
_REGISTRY = _OurAlgorithms(strict_check_header=False)


def _header_of(token: str) -> tuple[str | None, str]:
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii() or token.count(".") != 2:
        raise TokenInvalid("not a signed token")
    try:
        header = extract_compact(token.encode(), registry=_REGISTRY).headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise TokenInvalid("not a signed token") from error
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenInvalid("alg: not to be accepted")
    if kid is not None and (not isinstance(kid, str) or len(kid) > MAX_TEXT_CHARACTERS):
        raise TokenInvalid("kid: not a text")
    return kid, algorithm


def _verified(token: str, algorithm: str, candidates: Sequence[VerificationKey]) -> Verified:
    failure: Exception | None = None
    for candidate in candidates:
        try:
            decoded = decode(token, candidate.key, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            failure = error
            continue
        kind = decoded.header.get("typ")
        name = kind.lower().removeprefix("application/") if isinstance(kind, str) else None
        return Verified(name, algorithm, decoded.claims)
    raise TokenInvalid("signature: not the provider's") from failure


def _check_audience(claims: Claims, client_id: str) -> None:
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    _need(client_id in listed, "aud: for somebody else")
    party = claims.get("azp")
    _need(party == client_id if party is not None else len(listed) == 1, "azp: given to somebody else")


def _check_times(claims: Claims, moment: float) -> float:
    issued = _number(claims, "iat")
    _need(_number(claims, "exp") > moment - SKEW_SECONDS, "exp: over")
    _need(issued <= moment + SKEW_SECONDS, "iat: in the future")
    if "nbf" in claims:
        _need(_number(claims, "nbf") <= moment + SKEW_SECONDS, "nbf: in the future")
    return issued


def _number(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise TokenInvalid(f"{name}: not a moment")
    return float(value)


def _check_at_hash(at_hash: object, access_token: str | None, algorithm: str) -> None:
    if algorithm in {"EdDSA", "Ed25519"}:
        # Which hash goes with it is not written anywhere; providers use SHA-512, as the signature does.
        algorithm = "RS512"
    wanted = create_half_hash(access_token or "", algorithm)
    known = wanted.decode() if isinstance(wanted, bytes) else None
    _need(access_token is not None and known is not None, "at_hash: no access token")
    _need(_same(at_hash, known or ""), "at_hash: of another access token")


def _same(said: object, wanted: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(said.encode("utf-8", "replace"), wanted.encode())


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARACTERS and value.isprintable()


def _need(condition: bool, reason: str) -> None:
    if not condition:
        raise TokenInvalid(reason)
