"""The provider as a client sees it that is not ours and knows it by its issuer alone."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.jwk import KeySet
from visiona.web.idp.key_file import key_path, rotate_keys
from visiona.web.idp.keys import ANNOUNCE

from tests.web.idp.rig import PASSWORD, SECRET, VERIFIER, Rig, told


async def discovered(rig: Rig) -> dict[str, Any]:
    async with httpx.AsyncClient(transport=rig.transport) as client:
        answer = await client.get(f"{rig.issuer}/.well-known/openid-configuration")
    assert answer.headers["Content-Type"].startswith("application/json")
    metadata: dict[str, Any] = answer.json()
    return metadata


async def keys_of(rig: Rig, metadata: dict[str, Any]) -> KeySet:
    async with httpx.AsyncClient(transport=rig.transport) as client:
        return KeySet.import_key_set((await client.get(metadata["jwks_uri"])).json())


async def test_the_metadata_is_in_order(rig: Rig) -> None:
    metadata = OpenIDProviderMetadata(await discovered(rig))
    metadata.validate()
    assert metadata["issuer"] == rig.issuer
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    endpoints = [value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) == 5
    assert all(endpoint.startswith(rig.issuer + "/") for endpoint in endpoints)


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_a_foreign_client_signs_somebody_in(secret: str | None, key_file: Path) -> None:
    rig = Rig(key_file, secret=secret)
    user = await rig.person()
    metadata = await discovered(rig)
    async with rig.foreign_client() as client:
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-0S6"
        )
        answer = await rig.browser().sign_in(url)
        assert told(answer)["iss"] == metadata["issuer"]
        token = await client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=answer.headers["Location"],
            code_verifier=VERIFIER,
            state=state,
        )
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 300)
        told_by_userinfo = (await client.get(metadata["userinfo_endpoint"])).json()
    id_token = jwt.decode(token["id_token"], await keys_of(rig, metadata), ["RS256"])
    claims = CodeIDToken(
        id_token.claims,
        id_token.header,
        {"iss": {"value": metadata["issuer"]}, "aud": {"value": "visiona"}, "nonce": {"value": "n-0S6"}},
        {"access_token": token["access_token"], "client_id": "visiona"},
    )
    claims.validate(now=int(rig.clock.now().timestamp()))
    assert claims["at_hash"]
    assert claims["sid"]
    assert claims["auth_time"] == int(rig.clock.now().timestamp())
    who = {"sub": user.id, "email": "ada@example.com", "email_verified": True, "name": "Ada"}
    assert told_by_userinfo == who
    assert {name: claims[name] for name in who} == who


async def test_a_client_learns_what_it_asked_for(rig: Rig) -> None:
    user = await rig.person()
    answer = (await rig.exchange(await rig.code(scope="openid unknown"))).json()
    assert answer["scope"] == "openid"
    async with httpx.AsyncClient(transport=rig.transport) as client:
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        assert (await client.get(f"{rig.issuer}/userinfo", headers=headers)).json() == {"sub": user.id}


async def test_each_sign_in_has_its_own_name(rig: Rig) -> None:
    await rig.person()
    keys = await keys_of(rig, await discovered(rig))
    tokens = [(await rig.exchange(await rig.code())).json()["id_token"] for _ in range(2)]
    first, second = (jwt.decode(token, keys, ["RS256"]).claims for token in tokens)
    assert first["sub"] == second["sub"]
    assert first["sid"] != second["sid"]


async def test_signing_out_leads_home(rig: Rig) -> None:
    await rig.person()
    end = (await discovered(rig))["end_session_endpoint"]
    hint = (await rig.exchange(await rig.code())).json()["id_token"]
    rig.clock.seconds = 86400  # long after the id token's end
    home = f"{rig.base}/"
    browser = rig.browser()
    for params in (
        {"post_logout_redirect_uri": home},
        {"post_logout_redirect_uri": home, "client_id": "visiona", "id_token_hint": hint},
    ):
        answer = await browser.client.get(end, params={**params, "state": "a&b"})
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"{home}?state=a%26b"
        assert (await browser.client.post(end, data=params)).headers["Location"] == home


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"post_logout_redirect_uri": "https://x.example/sub"},
        {"post_logout_redirect_uri": "https://x.example/sub//evil.example"},
        {"post_logout_redirect_uri": "https://x.example/sub/", "client_id": "other"},
        {"post_logout_redirect_uri": "https://x.example/sub/", "id_token_hint": "x.y.z"},
        {"post_logout_redirect_uri": "https://x.example/sub/", "id_token_hint": "nonsense"},
    ],
)
async def test_a05_signing_out_leads_nowhere_else(rig: Rig, params: dict[str, str]) -> None:
    answer = await rig.browser().client.get(f"{rig.issuer}/end_session", params=params)
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert "You are signed out" in answer.text


async def test_an_id_token_of_another_issuer_is_no_hint(rig: Rig) -> None:
    keys = await rig.provider.ring.keys()
    foreign = {"iss": "https://other.example", "aud": "visiona", "sub": "x"}
    hint = jwt.encode({"alg": "RS256", "kid": keys.newest.kid}, foreign, keys.newest, ["RS256"])
    params = {"post_logout_redirect_uri": f"{rig.base}/", "id_token_hint": hint}
    answer = await rig.browser().client.get(f"{rig.issuer}/end_session", params=params)
    assert answer.status_code == 200


async def test_the_password_is_asked_each_time(rig: Rig) -> None:
    await rig.person()
    browser = rig.browser()
    assert "code" in told(await browser.sign_in(rig.authorize_url()))
    page = await browser.get(rig.authorize_url())
    assert page.status_code == 200
    assert 'name="password"' in page.text
    assert PASSWORD not in page.text


async def test_a_replaced_key_signs_as_soon_as_it_is_known(tmp_path: Path) -> None:
    rig = Rig(key_path(tmp_path))
    await rig.person()
    old = (await rig.provider.ring.keys()).newest.kid
    rotate_keys(key_path(tmp_path), rig.clock.now())
    metadata = await discovered(rig)
    keys = await keys_of(rig, metadata)
    assert len(keys.keys) == 2

    async def signing_key() -> str | None:
        token = (await rig.exchange(await rig.code())).json()["id_token"]
        return jwt.decode(token, keys, ["RS256"]).header["kid"]

    assert await signing_key() == old
    rig.clock.seconds += ANNOUNCE.total_seconds()
    assert await signing_key() == keys.keys[0].kid != old
