from collections.abc import Mapping

import pytest
import trio
import trio.testing
from visiona.agent.addresses import Address
from visiona.agent.pair import PairingFailed, Unit, pair
from visiona.agent.post import Answer, PostFailed

SITE = Address(True, "console.example", 443)
TOKEN = "vAc_" + "0" * 32
DATA = {
    "session_token": "vAs_" + "a" * 64,
    "account": "a@b.c",
    "relay_url": "wss://relay.example",
    "expires_at": "2026-02-01T00:00:00Z",
    "device_id": "d1",
}
GOOD = Answer(200, {"success": True, "data": DATA})


class Site:
    """Answers in turn; keeps what it was asked."""

    def __init__(self, *answers: Answer | PostFailed) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []

    async def post(self, address: Address, path: str, payload: Mapping[str, str], **_: object) -> Answer:
        await trio.lowlevel.checkpoint()
        assert path == "/api/pairing/exchange"
        self.asked.append(dict(payload))
        answer = self.answers.pop(0)
        if isinstance(answer, PostFailed):
            raise answer
        return answer


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(GOOD)
    monkeypatch.setattr("visiona.agent.pair.post_json", lambda *args, **kwargs: made.post(*args, **kwargs))
    return made


def refusal(status: int, code: str = "", retry_after: float | None = None) -> Answer:
    return Answer(
        status, {"success": False, "error": {"code": code, "message": "m"}} if code else {}, retry_after
    )


async def test_an_exchange_gives_the_units_credential(site: Site) -> None:
    credential = await pair(
        f" {TOKEN}\n", SITE, "http://127.0.0.1:1", Unit("unit", "S1", "edge", "v/1", "inst")
    )
    assert credential.session_token == DATA["session_token"]
    assert (credential.relay_url, credential.device_id, credential.name) == (
        "wss://relay.example",
        "d1",
        "unit",
    )
    assert (credential.target, credential.instance) == ("http://127.0.0.1:1", "inst")
    asked = site.asked[0]
    assert len(asked.pop("idempotency_key")) == 32
    assert asked == {
        "pairing_token": TOKEN,
        "name": "unit",
        "serial_number": "S1",
        "device_type": "edge",
        "agent_version": "v/1",
        "instance": "inst",
    }


async def test_what_the_unit_does_not_know_is_not_sent(site: Site) -> None:
    await pair(TOKEN, SITE, "t", Unit("unit", instance="i"))
    assert set(site.asked[0]) == {"pairing_token", "name", "instance", "idempotency_key"}


async def test_an_old_servers_bare_answer_without_a_relay_url_is_understood(site: Site) -> None:
    site.answers = [Answer(200, {"session_token": DATA["session_token"], "account": "a"})]
    assert (await pair(TOKEN, SITE, "t", Unit("u"))).relay_url == "https://console.example"


async def test_the_installer_may_say_what_is_dialled(site: Site) -> None:
    assert (
        await pair(TOKEN, SITE, "t", Unit("u"), relay_url="http://10.0.0.1:3800")
    ).relay_url == "http://10.0.0.1:3800"


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("INVALID_PAIRING_TOKEN", "does not know"),
        ("PAIRING_TOKEN_EXPIRED", "expired"),
        ("PAIRING_TOKEN_USED", "already used"),
        ("PAIRING_TOKEN_REVOKED", "revoked"),
    ],
)
async def test_each_of_the_four_refusals_says_what_to_do(site: Site, code: str, word: str) -> None:
    site.answers = [refusal(401, code)]
    with pytest.raises(PairingFailed, match=word) as failed:
        await pair(TOKEN, SITE, "t", Unit("u"))
    assert failed.value.code == code
    assert TOKEN not in str(failed.value)
    assert len(site.asked) == 1


async def test_p03_a_lost_reply_is_asked_for_again_with_the_same_key(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    site.answers = [PostFailed("the connection broke", may_have_arrived=True), GOOD]
    assert (await pair(TOKEN, SITE, "t", Unit("u"))).device_id == "d1"
    assert site.asked[0] == site.asked[1]


async def test_a_site_that_is_not_there_is_not_asked_again(site: Site) -> None:
    site.answers = [PostFailed("https://console.example cannot be reached: refused", may_have_arrived=False)]
    with pytest.raises(PairingFailed, match="cannot be reached"):
        await pair(TOKEN, SITE, "t", Unit("u"))


async def test_a_server_that_is_busy_is_asked_again_when_it_says(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    site.answers = [refusal(503, "STORE_UNAVAILABLE", 5.0), refusal(429, "RATE_LIMITED", 2.0), GOOD]
    started = trio.current_time()
    await pair(TOKEN, SITE, "t", Unit("u"), chance=lambda: 0.0)
    assert trio.current_time() - started == pytest.approx(7.0)


async def test_p03_all_attempts_stay_within_the_minute_of_the_idempotency_key(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    site.answers = [refusal(503, "STORE_UNAVAILABLE", 19.0)] * 4
    started = trio.current_time()
    with pytest.raises(PairingFailed, match="refused: m"):
        await pair(TOKEN, SITE, "t", Unit("u"), chance=lambda: 1.0)
    assert trio.current_time() - started <= 60


async def test_a_long_retry_after_is_said_rather_than_waited_for(site: Site) -> None:
    site.answers = [refusal(429, "RATE_LIMITED", 300.0)]
    with pytest.raises(PairingFailed, match="try again in 300 s"):
        await pair(TOKEN, SITE, "t", Unit("u"))


async def test_the_relays_own_port_is_told_from_the_site(site: Site) -> None:
    site.answers = [refusal(404, "NOT_FOUND")]
    with pytest.raises(PairingFailed, match="give the address of the web site"):
        await pair(TOKEN, SITE, "t", Unit("u"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(418, {}),
        Answer(200, {}),
        Answer(200, {"data": []}),
        Answer(200, {"data": {"session_token": "other"}}),
        Answer(200, {"data": {**DATA, "relay_url": "gopher://x"}}),
    ],
)
async def test_another_servers_answer_is_a_sentence(site: Site, answer: Answer) -> None:
    site.answers = [answer]
    with pytest.raises(PairingFailed) as failed:
        await pair(TOKEN, SITE, "t", Unit("u"))
    assert "\n" not in str(failed.value)
