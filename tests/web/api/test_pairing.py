from collections.abc import Callable

import pytest
import trio
from visiona.domain.notices import NoticeKind

from tests.web.world import RELAY_URL, Answer, World


async def exchanged(world: World, token: str, **fields: object) -> Answer:
    return await world.ask("POST", "/api/pairing/exchange", json={"pairing_token": token, **fields})


async def test_a_token_becomes_a_device_and_a_session_with_the_kept_fields() -> None:
    world = World()
    ada = await world.person()
    made = await ada.ask("POST", "/api/pairing/token")
    assert made.status == 200
    assert made.data["token"].startswith("vAc_")
    assert len(made.data["token"]) == 36
    assert made.data["expires_at"] == "2026-01-02T03:19:05Z"
    done = await exchanged(
        world, made.data["token"], name="press 4", serial_number="SN1", agent_version="edge/1"
    )
    assert done.status == 200
    assert set(done.data) == {"session_token", "account", "relay_url", "expires_at", "device_id"}
    assert done.data["session_token"].startswith("vAs_")
    assert len(done.data["session_token"]) == 68
    assert done.data["account"] == "ada@example.com"
    assert done.data["relay_url"] == RELAY_URL
    device = (await ada.ask("GET", f"/api/devices/{done.data['device_id']}")).data
    assert (device["name"], device["serial_number"], device["agent_version"]) == ("press 4", "SN1", "edge/1")


async def test_p01_of_a_hundred_racers_one_gets_200_and_the_others_used() -> None:
    world = World()
    ada = await world.person()
    token = (await ada.ask("POST", "/api/pairing/token")).data["token"]
    answers = []

    async def race() -> None:
        answers.append(await exchanged(world, token))

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(race)
    assert sorted(answer.status for answer in answers) == [200] + [401] * 99
    assert {answer.code for answer in answers if answer.status == 401} == {"PAIRING_TOKEN_USED"}
    assert len((await ada.ask("GET", "/api/devices")).data) == 1


async def test_p04_the_last_moment_is_good_and_the_next_is_not() -> None:
    world = World()
    ada = await world.person()
    early, late = [(await ada.ask("POST", "/api/pairing/token")).data["token"] for _ in range(2)]
    world.now.forward(seconds=899.9)
    assert (await exchanged(world, early)).status == 200
    world.now.forward(seconds=0.2)
    refused = await exchanged(world, late)
    assert (refused.status, refused.code) == (401, "PAIRING_TOKEN_EXPIRED")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token.replace("vAc_", "vAs_"),
        lambda token: token.replace("vAc_", "VAC_"),
        lambda token: token.upper(),
        lambda token: token + "0",
        lambda token: token[:-1],
        lambda token: token[:10] + " " + token[10:],
        lambda token: token.replace("a", "а", 1) + "а",  # Cyrillic
        lambda token: "",
        lambda token: "x" * 4000,
    ],
)
async def test_p05_what_only_looks_like_a_token_matches_nothing(spoil: Callable[[str], str]) -> None:
    world = World()
    ada = await world.person()
    token = (await ada.ask("POST", "/api/pairing/token")).data["token"]
    refused = await exchanged(world, spoil(token))
    assert (refused.status, refused.code) == (401, "INVALID_PAIRING_TOKEN")
    assert (await exchanged(world, f" {token}\n")).status == 200


async def test_p05_a_body_beyond_the_limit_is_413() -> None:
    world = World()
    refused = await exchanged(world, "x" * 1_100_000)
    assert (refused.status, refused.code) == (413, "PAYLOAD_TOO_LARGE")


async def test_p06_more_than_ten_live_tokens_are_429() -> None:
    world = World()
    ada = await world.person()
    for _ in range(10):
        assert (await ada.ask("POST", "/api/pairing/token")).status == 200
    refused = await ada.ask("POST", "/api/pairing/token")
    assert (refused.status, refused.code) == (429, "RATE_LIMITED")
    assert int(refused.headers["Retry-After"]) > 0


async def test_p08_the_list_holds_no_token_and_all_states() -> None:
    world = World()
    ada = await world.person()
    used, revoked, expired = [(await ada.ask("POST", "/api/pairing/token")).data["token"] for _ in range(3)]
    session = (await exchanged(world, used)).data["session_token"]
    assert (await ada.ask("DELETE", f"/api/pairing/tokens/{revoked}")).status == 204
    world.now.forward(minutes=16)
    answer = await ada.ask("GET", "/api/pairing/tokens")
    assert isinstance(answer.data, list)
    assert len(answer.data) == 4
    for item in answer.data:
        assert set(item) <= {
            "id", "token_prefix", "kind", "name", "device_id", "created_at", "expires_at", "used_at", "revoked_at",
        }  # fmt: skip
        assert len(item["token_prefix"]) == 12
        assert not item["id"].startswith(item["token_prefix"])
    for text in (used, revoked, expired, session):
        assert text not in answer.body.decode()
        assert text[12:30] not in answer.body.decode()
    assert sum("used_at" in item for item in answer.data) == 1
    assert sum("revoked_at" in item for item in answer.data) == 1
    page = await ada.ask("GET", "/api/pairing/tokens?limit=3")
    assert len(page.data["items"]) == 3
    rest = await ada.ask("GET", f"/api/pairing/tokens?limit=3&cursor={page.data['next_cursor']}")
    assert [item["id"] for item in page.data["items"] + rest.data["items"]] == [
        item["id"] for item in answer.data
    ]
    assert rest.data["next_cursor"] is None


async def test_p09_somebody_elses_token_is_404_and_stays_good() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    made = (await ada.ask("POST", "/api/pairing/token")).data
    for name in (made["id"], made["token"], "0", "x" * 200):
        refused = await bob.ask("DELETE", f"/api/pairing/tokens/{name}")
        assert (refused.status, refused.code) == (404, "NOT_FOUND")
    assert (await exchanged(world, made["token"])).status == 200


async def test_p07_revoking_a_used_token_ends_its_session_at_once() -> None:
    world = World()
    ada = await world.person()
    made = (await ada.ask("POST", "/api/pairing/token")).data
    done = await exchanged(world, made["token"])
    assert done.status == 200
    live = await world.connected(type("E", (), {"session_token": done.data["session_token"]})())
    assert (await ada.ask("GET", "/api/pairing/status")).data["connected"] is True
    assert (await ada.ask("DELETE", f"/api/pairing/tokens/{made['id']}")).status == 204
    assert live.tunnel.closed is not None
    assert live.tunnel.closed.cause == "revoked"
    assert (await ada.ask("GET", "/api/pairing/status")).data == {"connected": False}


async def test_status_knows_only_the_callers_tunnels() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    done = await world.paired(ada)
    await world.connected(done)
    status = (await ada.ask("GET", "/api/pairing/status")).data
    assert status == {
        "connected": True,
        "connected_at": "2026-01-02T03:04:05Z",
        "last_seen_at": "2026-01-02T03:04:05Z",
        "device_id": done.device_id,
        "agent_version": "edge/1.2",
    }
    assert (await bob.ask("GET", "/api/pairing/status")).data == {"connected": False}


async def test_p03_an_answer_that_got_lost_can_be_asked_again_with_its_key() -> None:
    world = World()
    ada = await world.person()
    token = (await ada.ask("POST", "/api/pairing/token")).data["token"]
    key = "0123456789abcdef"
    first = await exchanged(world, token, idempotency_key=key)
    second = await exchanged(world, token, idempotency_key=key)
    assert second.status == 200
    assert second.data["device_id"] == first.data["device_id"]
    assert (await exchanged(world, token)).code == "PAIRING_TOKEN_USED"


async def test_rate_limits_count_failures_of_an_address_and_say_how_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World(rate_limits=True)
    ada = await world.person()
    assert (await exchanged(world, "vAc_" + "0" * 32)).code == "INVALID_PAIRING_TOKEN"
    refused = await exchanged(world, "vAc_" + "0" * 32)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "RATE_LIMITED", "1")
    for _ in range(4):
        await trio.sleep(1.1)
        assert (await exchanged(world, "vAc_" + "0" * 32)).status == 401
    await trio.sleep(1.1)
    assert (await exchanged(world, "vAc_" + "0" * 32)).status == 429
    await trio.sleep(60)
    for _ in range(5):
        token = (await ada.ask("POST", "/api/pairing/token")).data["token"]
        assert (await exchanged(world, token)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b'{"pairing_token": 1}',
        b'{"pairing_token": "%b", "serial_number": "' + b"x" * 200 + b'"}',
        b'{"pairing_token": "%b", "idempotency_key": "?"}',
        b'{"pairing_token": "' + b"x" * 1024 * 1024 + b'"}',
    ],
    ids=["nothing", "no json", "no token", "another type", "no serial", "no key", "too long"],
)
async def test_t09_what_is_no_exchange_takes_no_attempt_from_others(
    body: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    world = World(rate_limits=True)
    token = (await (await world.person()).ask("POST", "/api/pairing/token")).data["token"]
    spoilt = body.replace(b"%b", token.encode())
    headers = {"Content-Type": "application/json"}
    said = [
        (await world.ask("POST", "/api/pairing/exchange", data=spoilt, headers=headers)).status
        for _ in range(30)
    ]
    assert said[0] in {400, 413}
    assert set(said) <= {400, 413, 429}
    await world.limits.attempt("192.0.2.1")


async def test_a_revocation_seen_twice_changes_nothing_more() -> None:
    world = World()
    ada = await world.person()
    await world.connected(await world.paired(ada))
    live = world.registry.all()[0]
    assert world.revoking.at_once(NoticeKind.SESSION_TOKEN_REVOKED, live.session.token_id).tunnels == 1
    assert world.revoking.at_once(NoticeKind.SESSION_TOKEN_REVOKED, live.session.token_id).tunnels == 0


async def test_p10_a_line_is_drawn_as_a_qr_code_without_the_token_in_an_address() -> None:
    world = World()
    ada = await world.person()
    answer = await ada.ask("POST", "/api/pairing/qr", json={"text": "visiona agent pair vAc_0 --relay x"})
    assert answer.data["svg"].startswith("<svg ")
    assert (await ada.ask("GET", "/api/pairing/qr?text=x")).status in {404, 405}
    assert (await ada.ask("POST", "/api/pairing/qr", json={"text": ""})).code == "VALIDATION_FAILED"
    assert (await world.ask("POST", "/api/pairing/qr", json={"text": "x"})).status == 401
