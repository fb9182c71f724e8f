import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey
from visiona.integrations.interface import TokenInvalid
from visiona.integrations.oidc.keys import KeyRing
from visiona.integrations.oidc.tokens import (
    MAX_TOKEN_CHARACTERS,
    Claims,
    Expected,
    check_id_token,
    check_logout_token,
    verify,
)

from tests.support.fake_oidc import ISSUER, FakeProvider, ec_key, okp_key, published, rsa_key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENT = int(NOW.timestamp())


def provider(**options: Any) -> FakeProvider:
    return FakeProvider(now=lambda: NOW, **options)


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ring(*keys: Any) -> KeyRing:
    async def fetch() -> Any:
        return {"keys": [published(key) for key in keys or (rsa_key(), ec_key(), okp_key())]}

    return KeyRing(fetch)


def expected(access_token: str | None = "at-0123456789") -> Expected:
    return Expected(ISSUER, "visiona", "n-1", NOW - timedelta(seconds=30), NOW, access_token)


async def checked(token: str, keys: KeyRing | None = None, **options: Any) -> Claims:
    return check_id_token(await verify(token, keys or ring()), expected(**options))


async def refused(token: str, reason: str, keys: KeyRing | None = None, **options: Any) -> None:
    with pytest.raises(TokenInvalid) as caught:
        await checked(token, keys, **options)
    assert caught.value.reason.startswith(reason)


async def test_an_honest_token_is_believed() -> None:
    assert (await checked(provider().id_token("n-1")))["sub"] == "248289761001"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa_key),
        ("RS512", rsa_key),
        ("PS256", rsa_key),
        ("ES256", ec_key),
        ("EdDSA", okp_key),
        ("Ed25519", okp_key),
    ],
)
async def test_signatures_of_every_kind_that_providers_use(algorithm: str, key: Any) -> None:
    token = provider(algorithm=algorithm, signer=key()).id_token("n-1")
    assert (await checked(token))["nonce"] == "n-1"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "n-2"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ["n-1"]}, "nonce"),
        ({"aud": "other"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["other"]}, "aud"),
        ({"aud": "visiona "}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": {"visiona": 1}}, "aud"),
        ({"aud": ["visiona", "other"]}, "azp"),
        ({"aud": ["visiona", "other"], "azp": "other"}, "azp"),
        ({"azp": "other"}, "azp"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": ISSUER.upper()}, "iss"),
        ({"iss": None}, "iss"),
        ({"exp": MOMENT - 60}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"nbf": MOMENT + 61}, "nbf"),
        ({"nbf": "now"}, "nbf"),
        ({"iat": MOMENT + 61}, "iat"),
        ({"iat": MOMENT - 91}, "iat"),
        ({"iat": None}, "iat"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"sub": 7}, "sub"),
        ({"at_hash": "AAAA"}, "at_hash"),
        ({"at_hash": 7}, "at_hash"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a03_a_claim_that_is_wrong_ends_the_sign_in(claims: dict[str, Any], reason: str) -> None:
    await refused(provider().id_token("n-1", **claims), reason)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["visiona"]},
        {"aud": ["visiona", "other"], "azp": "visiona"},
        {"azp": "visiona"},
        {"exp": MOMENT - 59},
        {"nbf": MOMENT + 60},
        {"iat": MOMENT + 60},
        {"iat": MOMENT - 90},
        {"exp": MOMENT + 0.5},
        {"at_hash": None},
        {"sub": "x" * 255},
    ],
    ids=str,
)
async def test_a03_what_is_just_right_passes(claims: dict[str, Any]) -> None:
    await checked(provider().id_token("n-1", **claims))


async def test_a03_alg_none_is_refused_in_every_spelling() -> None:
    honest = provider().id_token("n-1")
    for algorithm in ("none", "None", "NONE", "nOnE", "", None):
        header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode()).rstrip(
            b"="
        )
        for signature in ("", honest.rpartition(".")[2]):
            await refused(f"{header}.{honest.split('.')[1]}.{signature}", "")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a03_a_public_key_is_no_shared_secret(algorithm: str) -> None:
    body = provider().id_token("n-1").split(".")[1]
    head = unpadded(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode())
    for secret in (rsa_key().as_pem(private=False), rsa_key().as_der(private=False)):
        mac = hmac.digest(secret, f"{head}.{body}".encode(), "sha" + algorithm[2:])
        await refused(f"{head}.{body}.{unpadded(mac)}", "alg")


async def test_a03_a_symmetric_key_in_the_set_is_no_key() -> None:
    signer = OctKey.generate_key(256, {"kid": "oct-1"})
    await refused(provider(algorithm="HS256", signer=signer).id_token("n-1"), "alg", ring(signer, rsa_key()))


async def test_a03_the_signature_of_another_key_of_the_same_name() -> None:
    forged = provider(signer=RSAKey.generate_key(2048, {"kid": "rsa-1"}, private=True))
    await refused(forged.id_token("n-1"), "signature")


async def test_a03_a_token_that_brings_its_own_key() -> None:
    evil = RSAKey.generate_key(2048, {"kid": "evil"}, private=True)
    for header in (
        {"jwk": evil.as_dict(private=False)},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/x"},
    ):
        forged = provider(signer=evil, header={**header, "kid": "rsa-1"})
        await refused(forged.id_token("n-1"), "signature")


async def test_a03_an_algorithm_that_is_not_the_keys() -> None:
    confused = provider(header={"kid": "ec-1"})
    await refused(confused.id_token("n-1"), "signature")


async def test_a03_changed_after_signing() -> None:
    head, body, signature = provider().id_token("n-1").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "admin"}).encode()).rstrip(b"=").decode()
    await refused(f"{head}.{changed}.{signature}", "signature")
    await refused(f"{head}.{body}.{signature[:-4]}AAAA", "signature")
    await refused(f"{head}.{body}.", "signature")


async def test_a03_an_unknown_key_id() -> None:
    await refused(provider(header={"kid": "new"}).id_token("n-1"), "kid")


async def test_a_token_without_a_key_id_is_tried_with_every_key_of_its_kind() -> None:
    token = provider(header={"kid": None}).id_token("n-1")
    await checked(token, ring(rsa_key("other"), rsa_key()))
    await refused(token, "signature", ring(rsa_key("other")))


@pytest.mark.parametrize("crit", [["exp"], ["b64"], ["unheard-of"]])
async def test_a03_what_the_header_calls_critical_must_be_understood(crit: list[str]) -> None:
    header = {"crit": crit, "b64": False, "unheard-of": 1}
    honest = provider()
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "rsa-1", **header}).encode()).rstrip(
        b"="
    )
    with pytest.raises(TokenInvalid):
        await checked(f"{head.decode()}." + honest.id_token("n-1").partition(".")[2])


@pytest.mark.parametrize("kind", ["logout+jwt", "at+jwt", "application/logout+jwt", "secevent+jwt"])
async def test_a03_another_kind_of_token_is_no_id_token(kind: str) -> None:
    await refused(provider(header={"typ": kind}).id_token("n-1"), "typ")


async def test_a_token_without_a_kind_is_an_id_token() -> None:
    await checked(provider(header={"typ": None}).id_token("n-1"))
    await checked(provider(header={"typ": "application/jwt"}).id_token("n-1"))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b",
        "a.b.c.d.e",
        "é.b.c",
        "eyJhbGciOiJSUzI1NiJ9..",
        "eyJhbGciOiJSUzI1NiJ9.W10.AAAA",
        "W10.e30.AAAA",
        "e30.e30.AAAA",
        "x" * (MAX_TOKEN_CHARACTERS + 1),
        "eyJhbGciOiJSUzI1NiJ9." + base64.urlsafe_b64encode(b"[" * 9999).decode() + ".AAAA",
    ],
    ids=lambda text: text[:20] or "empty",
)
async def test_a03_what_is_no_token(token: str) -> None:
    with pytest.raises(TokenInvalid):
        await checked(token)


async def test_at_hash_without_an_access_token_is_refused() -> None:
    await refused(provider().id_token("n-1"), "at_hash", access_token=None)


# Logout tokens


async def logged_out(token: str) -> Any:
    return check_logout_token(await verify(token, ring()), ISSUER, "visiona", NOW)


async def test_a11_an_honest_logout_token() -> None:
    found = await logged_out(provider().logout_token(jti="j-1"))
    assert (found.issuer, found.subject, found.sid, found.jti) == (
        ISSUER,
        "248289761001",
        "idp-session-1",
        "j-1",
    )
    assert (await logged_out(provider().logout_token(sid=None))).sid is None
    assert (await logged_out(provider().logout_token(sub=None))).subject is None


@pytest.mark.parametrize(
    ("header", "claims", "reason"),
    [
        ({"typ": "JWT"}, {}, "typ"),
        ({"typ": None}, {}, "typ"),
        ({}, {"nonce": "n-1"}, "nonce"),
        ({}, {"events": None}, "events"),
        ({}, {"events": {}}, "events"),
        ({}, {"events": ["http://schemas.openid.net/event/backchannel-logout"]}, "events"),
        ({}, {"events": {"http://schemas.openid.net/event/backchannel-logout": None}}, "events"),
        ({}, {"jti": None}, "jti"),
        ({}, {"jti": "x" * 256}, "jti"),
        ({}, {"sub": None, "sid": None}, "sub, sid"),
        ({}, {"sub": 7}, "sub"),
        ({}, {"sid": ""}, "sid"),
        ({}, {"iss": ISSUER + "/"}, "iss"),
        ({}, {"aud": "other"}, "aud"),
        ({}, {"iat": None}, "iat"),
        ({}, {"iat": MOMENT + 61}, "iat"),
        ({}, {"exp": None}, "exp"),
        ({}, {"exp": MOMENT - 60}, "exp"),
        ({}, {"exp": MOMENT + 601}, "exp"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a11_a_logout_token_that_is_wrong(
    header: dict[str, Any], claims: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TokenInvalid) as caught:
        await logged_out(provider().logout_token(header, **claims))
    assert caught.value.reason.startswith(reason)


async def test_a11_an_id_token_logs_nobody_out() -> None:
    with pytest.raises(TokenInvalid, match="typ"):
        await logged_out(provider().id_token("n-1"))
