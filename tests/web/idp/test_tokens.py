import base64
import logging

import httpx
import pytest
from visiona.services.users import disable_user, set_password
from visiona.web.idp.issued import ACCESS_TOKEN_SECONDS, CODE_SECONDS

from tests.web.idp.rig import CALLBACK, SECRET, VERIFIER, Rig, hashed


def error_of(answer: httpx.Response) -> str:
    """OAuth's error; with it nothing else is given."""
    assert answer.status_code in {400, 401}, answer.text
    assert "token" not in str(answer.json().keys())
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json()["error"])


async def userinfo(rig: Rig, token: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=rig.transport) as client:
        headers = {"Authorization": f"Bearer {token}"}
        return await client.request(method, f"{rig.issuer}/userinfo", headers=headers)


async def test_a_code_works_once_and_the_second_time_ends_what_the_first_gave(rig: Rig) -> None:
    await rig.person()
    code = await rig.code()
    answer = await rig.exchange(code)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].startswith("application/json")
    token = answer.json()["access_token"]
    assert (await userinfo(rig, token)).status_code == 200
    assert error_of(await rig.exchange(code)) == "invalid_grant"
    assert (await userinfo(rig, token)).status_code == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": None}, "invalid_grant"),
        ({"redirect_uri": f"{CALLBACK}/"}, "invalid_grant"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_grant"),
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "guessed"}, "invalid_client"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": VERIFIER + "v"}, "invalid_grant"),
        ({"code_verifier": "v"}, "invalid_request"),
        ({"code_verifier": "é" * 43}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"code": ""}, "invalid_request"),
        ({"code": "guessed"}, "invalid_grant"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"grant_type": 'x"y'}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
)
async def test_a_code_is_bound_to_client_place_and_verifier(
    rig: Rig, changes: dict[str, str | None], error: str
) -> None:
    await rig.person()
    code = await rig.code()
    assert error_of(await rig.exchange(**{"code": code, **changes})) == error


@pytest.mark.parametrize("changes", [{"code_verifier": "w" * 43}, {"redirect_uri": "https://evil.example/"}])
async def test_a_code_is_burnt_by_the_first_try_to_use_it(rig: Rig, changes: dict[str, str]) -> None:
    await rig.person()
    code = await rig.code()
    error_of(await rig.exchange(code, **changes))
    assert error_of(await rig.exchange(code)) == "invalid_grant"


async def test_the_challenge_itself_is_no_verifier(rig: Rig) -> None:
    """The downgrade from S256 to plain: the challenge was seen by everybody, the verifier was not."""
    await rig.person()
    challenge = "c" * 43
    code = await rig.code(code_challenge=challenge)
    assert error_of(await rig.exchange(code, code_verifier=challenge)) == "invalid_grant"


@pytest.mark.parametrize(("seconds", "status"), [(CODE_SECONDS - 0.1, 200), (CODE_SECONDS, 400)])
async def test_a_code_is_good_for_a_minute(rig: Rig, seconds: float, status: int) -> None:
    await rig.person()
    code = await rig.code()
    rig.clock.seconds += seconds
    assert (await rig.exchange(code)).status_code == status


async def test_mixed_up_codes_of_two_sign_ins_are_each_others_no_more(rig: Rig) -> None:
    await rig.person()
    mine = await rig.code(code_challenge="c" * 43)
    assert error_of(await rig.exchange(mine)) == "invalid_grant"


async def test_whoever_was_disabled_meanwhile_gets_nothing(rig: Rig) -> None:
    user = await rig.person()
    code, spent = await rig.code(), await rig.code()
    token = (await rig.exchange(spent)).json()["access_token"]
    await disable_user(rig.stores, user.id, rig.clock.now())
    assert error_of(await rig.exchange(code)) == "invalid_grant"
    assert (await userinfo(rig, token)).status_code == 401


async def test_a_code_is_worth_nothing_once_the_password_was_changed(rig: Rig) -> None:
    """Whoever knew the old one could have kept it back until the sessions were ended."""
    user = await rig.person()
    code = await rig.code()
    await set_password(rig.stores, user.id, hashed("another password"), rig.clock.now())
    assert error_of(await rig.exchange(code)) == "invalid_grant"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_tokens_are_given_to_posts_alone(rig: Rig, method: str) -> None:
    async with httpx.AsyncClient(transport=rig.transport) as client:
        assert (await client.request(method, f"{rig.issuer}/token")).status_code == 405


@pytest.mark.parametrize("body", [b"code=a&code=b", b"code=%ff", b"code=%00", b"\xff", b"a=1&" * 50])
async def test_parameters_that_could_be_read_in_two_ways_are_refused(rig: Rig, body: bytes) -> None:
    async with httpx.AsyncClient(transport=rig.transport) as client:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await client.post(f"{rig.issuer}/token", content=body, headers=headers)
    assert error_of(answer) == "invalid_request"


async def test_parameters_in_the_query_or_as_json_are_none(rig: Rig) -> None:
    await rig.person()
    code = await rig.code()
    async with httpx.AsyncClient(transport=rig.transport) as client:
        params = {"grant_type": "authorization_code", "code": code, "client_id": "visiona"}
        for answer in (
            await client.post(f"{rig.issuer}/token", params=params),
            await client.post(f"{rig.issuer}/token", json=params),
        ):
            assert error_of(answer) == "invalid_request"
    assert (await rig.exchange(code)).status_code == 200


async def test_a_confidential_client_shows_its_secret(confidential_rig: Rig) -> None:
    rig = confidential_rig
    await rig.person()
    assert error_of(await rig.exchange(await rig.code())) == "invalid_client"
    assert error_of(await rig.exchange(await rig.code(), client_secret="guessed")) == "invalid_client"
    assert (await rig.exchange(await rig.code(), client_secret=SECRET)).status_code == 200
    no_verifier = await rig.exchange(await rig.code(), client_secret=SECRET, code_verifier=None)
    assert error_of(no_verifier) == "invalid_request"


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"visiona").decode(),
        "Basic " + base64.b64encode(b"visiona:guessed").decode(),
        "Basic " + base64.b64encode(b"other:guessed").decode(),
        "Bearer x",
        "é",
    ],
)
async def test_h19_nonsense_in_the_authorization_header_is_a_client_that_we_do_not_know(
    confidential_rig: Rig, authorization: str
) -> None:
    async with httpx.AsyncClient(transport=confidential_rig.transport) as client:
        answer = await client.post(
            f"{confidential_rig.issuer}/token",
            data={"grant_type": "authorization_code", "code": "x"},
            headers={"Authorization": authorization.encode()},
        )
    assert answer.status_code == 401
    assert error_of(answer) == "invalid_client"
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_userinfo_wants_a_token(rig: Rig) -> None:
    await rig.person()
    token = (await rig.exchange(await rig.code())).json()["access_token"]
    assert (await userinfo(rig, token, "POST")).json() == (await userinfo(rig, token)).json()
    for wrong in ("", "guessed", token[:-1], token + "x"):
        answer = await userinfo(rig, wrong)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    async with httpx.AsyncClient(transport=rig.transport) as client:
        bare = await client.get(f"{rig.issuer}/userinfo")
        in_query = await client.get(f"{rig.issuer}/userinfo", params={"access_token": token})
    assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert in_query.status_code == 401
    rig.clock.seconds += ACCESS_TOKEN_SECONDS
    assert (await userinfo(rig, token)).status_code == 401


async def test_p10_no_secret_is_logged_even_at_debug(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    # Its records are for our own formatters.
    monkeypatch.setattr(logging.getLogger("visiona.access"), "disabled", True)
    await rig.person()
    code = await rig.code()
    answer = (await rig.exchange(code)).json()
    await rig.exchange("guessed")
    await userinfo(rig, answer["access_token"])
    lines = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    ours = [line for line in lines.splitlines() if "httpcore" not in line]
    for secret in (answer["access_token"], answer["id_token"], VERIFIER):
        assert not [line for line in ours if secret in line]
    assert "signed in at the provider" in caplog.text
    assert "the provider refused a token" in caplog.text
