import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
from trio.testing import MockClock
from visiona.integrations.interface import Attempt, Person, ProviderRefused, ProviderUnavailable, TokenInvalid
from visiona.integrations.oidc.client import OidcClient, Registration
from visiona.integrations.oidc.fetching import open_fetcher

from tests.support.fake_oidc import FAULTS, ISSUER, FakeProvider, Fault

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VERIFIER = "v" * 43


def attempt(nonce: str = "n-1") -> Attempt:
    return Attempt("https://cam.example/api/auth/callback", nonce, VERIFIER, NOW)


@asynccontextmanager
async def joined(provider: FakeProvider, secret: str | None = None) -> AsyncIterator[OidcClient]:
    provider.now = lambda: NOW
    registration = Registration("visiona", secret, "openid email profile")
    async with open_fetcher(provider.transport) as fetcher:
        yield OidcClient(lambda: ISSUER, registration, fetcher, lambda: NOW)


async def signed_in(provider: FakeProvider, client: OidcClient) -> Person:
    url = await client.authorization_url(attempt(), "s-1")
    back = parse_qs(urlsplit(provider.authorize(url)).query)
    await client.check_response_issuer(back["iss"][0])
    return await client.exchange_code(back["code"][0], attempt())


async def test_a_person_is_issuer_and_subject_and_what_the_id_token_says() -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        person = await signed_in(provider, client)
    assert person == Person(ISSUER, "248289761001", "idp-session-1", "ada@example.com", True, "Ada Lovelace")


async def test_nothing_is_asked_before_somebody_signs_in_and_metadata_and_keys_once() -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        assert not provider.asked
        for _ in range(3):
            await signed_in(provider, client)
    assert provider.asked == {"discovery": 1, "jwks": 1, "token": 3}


async def test_a_public_client_sends_no_secret_and_no_authorization() -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        await signed_in(provider, client)
    assert set(provider.forms[0]) == {"grant_type", "code", "redirect_uri", "code_verifier", "client_id"}
    assert "authorization" not in provider.headers[0]


@pytest.mark.parametrize(
    ("methods", "header"),
    [
        (("client_secret_basic", "client_secret_post"), True),
        (("client_secret_post",), False),
        (("private_key_jwt", "client_secret_basic"), True),
    ],
)
async def test_a_secret_goes_where_the_metadata_says(methods: tuple[str, ...], header: bool) -> None:
    provider = FakeProvider(secret="s: é/%+ ecret", methods=methods)
    async with joined(provider, provider.secret) as client:
        await signed_in(provider, client)
    assert ("authorization" in provider.headers[0]) is header
    assert ("client_secret" in provider.forms[0]) is not header


async def test_without_a_word_about_methods_the_secret_goes_into_the_header() -> None:
    provider = FakeProvider(secret="secret", metadata={"token_endpoint_auth_methods_supported": None})
    async with joined(provider, "secret") as client:
        await signed_in(provider, client)
    assert "authorization" in provider.headers[0]


async def test_a_refused_secret_is_the_providers_refusal() -> None:
    provider = FakeProvider(secret="another")
    async with joined(provider, "secret") as client:
        with pytest.raises(ProviderRefused, match="invalid_client"):
            await signed_in(provider, client)


async def test_a08_a_code_is_good_once() -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        url = await client.authorization_url(attempt(), "s-1")
        code = parse_qs(urlsplit(provider.authorize(url)).query)["code"][0]
        await client.exchange_code(code, attempt())
        with pytest.raises(ProviderRefused, match="invalid_grant"):
            await client.exchange_code(code, attempt())


@pytest.mark.parametrize("code", ["", "x" * 4097])
async def test_what_cannot_be_a_code_is_not_sent(code: str) -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        with pytest.raises(TokenInvalid, match="code"):
            await client.exchange_code(code, attempt())
    assert not provider.asked


async def test_an_address_only_in_userinfo_is_fetched_there() -> None:
    provider = FakeProvider(email_in_userinfo=True)
    async with joined(provider) as client:
        person = await signed_in(provider, client)
    assert (person.email, person.email_verified) == ("ada@example.com", True)
    assert provider.asked["userinfo"] == 1


async def test_userinfo_about_somebody_else_is_not_believed() -> None:
    provider = FakeProvider(email_in_userinfo=True, userinfo={"sub": "mallory"})
    async with joined(provider) as client:
        with pytest.raises(TokenInvalid, match="sub"):
            await signed_in(provider, client)


async def test_userinfo_cannot_replace_what_was_signed() -> None:
    provider = FakeProvider(email_in_userinfo=True, userinfo={"name": "Mallory", "iss": "x", "sid": "y"})
    async with joined(provider) as client:
        person = await signed_in(provider, client)
    assert (person.issuer, person.name, person.sid) == (ISSUER, "Ada Lovelace", "idp-session-1")


async def test_a_verified_address_is_one_that_is_said_to_be() -> None:
    provider = FakeProvider(claims={"email_verified": "true"})
    async with joined(provider) as client:
        assert not (await signed_in(provider, client)).email_verified


async def test_a_query_of_the_authorization_endpoint_stays() -> None:
    provider = FakeProvider(metadata={"authorization_endpoint": f"{ISSUER}/authorize?tenant=a&b=%20"})
    async with joined(provider) as client:
        asked = parse_qs(urlsplit(await client.authorization_url(attempt(), "s-1")).query)
    assert (asked["tenant"], asked["b"], asked["state"]) == (["a"], [" "], ["s-1"])


async def test_the_url_carries_the_challenge_and_never_the_verifier() -> None:
    async with joined(FakeProvider()) as client:
        url = await client.authorization_url(attempt(), "s-1")
    assert VERIFIER not in url
    assert parse_qs(urlsplit(url).query)["scope"] == ["openid email profile"]


async def test_a04_the_issuer_in_the_answer_must_be_the_one_that_was_asked() -> None:
    async with joined(FakeProvider()) as client:
        await client.check_response_issuer(ISSUER)
        for other in ("https://evil.example", ISSUER + "/", ISSUER.upper(), ""):
            with pytest.raises(TokenInvalid, match="iss"):
                await client.check_response_issuer(other)
        with pytest.raises(TokenInvalid, match="missing"):
            await client.check_response_issuer(None)


async def test_a04_where_it_is_not_announced_it_may_be_missing_but_not_wrong() -> None:
    provider = FakeProvider(metadata={"authorization_response_iss_parameter_supported": None})
    async with joined(provider) as client:
        await client.check_response_issuer(None)
        with pytest.raises(TokenInvalid, match="iss"):
            await client.check_response_issuer("https://evil.example")


async def test_the_logout_url_names_us_and_where_to_come_back_to() -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        url = await client.logout_url("https://cam.example/")
        assert url is not None
        assert parse_qs(urlsplit(url).query) == {
            "client_id": ["visiona"],
            "post_logout_redirect_uri": ["https://cam.example/"],
        }
    provider.metadata["end_session_endpoint"] = None
    async with joined(provider) as client:
        assert await client.logout_url("https://cam.example/") is None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("place", ["discovery", "jwks", "token", "userinfo"])
async def test_a09_whatever_is_wrong_at_the_provider_ends_soon_and_says_so(
    fault: Fault, place: str, autojump_clock: MockClock
) -> None:
    provider = FakeProvider(faults={place: fault}, email_in_userinfo=True)
    begun = trio.current_time()
    async with joined(provider) as client:
        with pytest.raises(ProviderUnavailable if fault is not Fault.GONE else Exception) as caught:
            await signed_in(provider, client)
    assert isinstance(caught.value, (ProviderUnavailable, ProviderRefused))
    assert trio.current_time() - begun <= 5.1
    assert len(str(caught.value)) < 500
    assert not [asked for asked in provider.asked if asked.startswith("elsewhere")]


async def test_a09_slow_answers_do_not_add_up(autojump_clock: MockClock) -> None:
    provider = FakeProvider(delays={"token": 4.0, "jwks": 4.0, "userinfo": 4.0}, email_in_userinfo=True)
    async with joined(provider) as client:
        url = await client.authorization_url(attempt(), "s-1")
        code = parse_qs(urlsplit(provider.authorize(url)).query)["code"][0]
        begun = trio.current_time()
        with pytest.raises(ProviderUnavailable, match="together"):
            await client.exchange_code(code, attempt())
    assert trio.current_time() - begun < 10.1


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING):
        yield caplog


async def test_a09_a_provider_that_is_down_is_asked_less_and_less_and_found_again(
    autojump_clock: MockClock, quiet: pytest.LogCaptureFixture
) -> None:
    provider = FakeProvider(faults={"discovery": Fault.DOWN})
    async with joined(provider) as client:
        for _ in range(300):
            with pytest.raises(ProviderUnavailable) as caught:
                await client.authorization_url(attempt(), "s")
            assert 0 < caught.value.retry_after_seconds <= 30
            await trio.sleep(1)
        # 1 + 2 + 4 + 8 + 16 s, then every 30 s
        assert 10 <= provider.asked["discovery"] <= 16
        assert len(quiet.records) == provider.asked["discovery"]
        del provider.faults["discovery"]
        await trio.sleep(31)
        await client.authorization_url(attempt(), "s")


async def test_a09_a_crowd_before_a_slow_provider_waits_for_one_question(autojump_clock: MockClock) -> None:
    provider = FakeProvider(faults={"discovery": Fault.SLOW})
    begun, failed = trio.current_time(), 0

    async def one(client: OidcClient) -> None:
        nonlocal failed
        with pytest.raises(ProviderUnavailable):
            await client.authorization_url(attempt(), "s")
        failed += 1

    async with joined(provider) as client, trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(one, client)
    assert failed == 100
    assert provider.asked["discovery"] == 1
    assert trio.current_time() - begun < 5.1


async def test_a09_what_was_known_serves_while_the_provider_is_down(autojump_clock: MockClock) -> None:
    provider = FakeProvider()
    async with joined(provider) as client:
        url = await client.authorization_url(attempt(), "s")
        provider.faults["discovery"] = Fault.BROKEN
        for _ in range(3):
            await trio.sleep(timedelta(hours=1).total_seconds())
            assert await client.authorization_url(attempt(), "s") == url


@pytest.mark.parametrize("said", [ISSUER + "/", "https://evil.example", ISSUER.upper(), None, 7])
async def test_metadata_of_another_issuer_is_not_believed(said: object) -> None:
    async with joined(FakeProvider(metadata={"issuer": said})) as client:
        with pytest.raises(ProviderUnavailable, match="issuer"):
            await client.authorization_url(attempt(), "s")


async def test_a_code_answered_without_an_id_token_signs_nobody_in() -> None:
    provider = FakeProvider(token_answer={"id_token": None})
    async with joined(provider) as client:
        with pytest.raises(TokenInvalid, match="id_token"):
            await signed_in(provider, client)


async def test_no_secret_is_shown_in_a_repr() -> None:
    shown = repr(Registration("visiona", "hush", "openid")) + repr(attempt("nonce-x"))
    assert "hush" not in shown
    assert "nonce-x" not in shown
    assert VERIFIER not in shown
