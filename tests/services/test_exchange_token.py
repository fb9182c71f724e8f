from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import trio
from visiona.domain.access import Role
from visiona.domain.devices import Device, EventKind
from visiona.domain.errors import Invalid, PairingRefused
from visiona.domain.ids import DeviceId
from visiona.domain.notices import NoticeKind
from visiona.domain.tokens import SESSION_TOKEN_TTL
from visiona.domain.workspaces import Membership
from visiona.services import devices, users
from visiona.services.exchange_token import DeviceClaims, Exchanged, exchange
from visiona.services.identify import RevokedToken, TunnelSession, identify_session_token
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens, revoke_pairing_token
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, Home, a_home, a_workspace, put

KEY = "0123456789abcdef"


@pytest.fixture
async def token(stores: Stores, home: Home) -> str:
    return (await create_pairing_token(stores, home.actor, NOW)).text


async def refusal(stores: Stores, text: str, now: datetime = NOW, key: str | None = None) -> str:
    """The code with which an exchange is refused."""
    with pytest.raises(PairingRefused) as caught:
        await exchange(stores, text, now, idempotency_key=key)
    return caught.value.code


async def device(stores: Stores, device_id: DeviceId) -> Device:
    return await devices.get_any_device(stores, device_id)


async def counted(stores: Stores, home: Home) -> tuple[int, int, int]:
    """Used pairing tokens, session tokens, devices."""
    listed = await list_pairing_tokens(stores, home.user.id)
    used = sum(each.used_at is not None for each in listed)
    sessions = sum(each.kind == "session" for each in listed)
    return used, sessions, len(await devices.list_all_devices(stores))


async def test_an_exchange_makes_a_device_that_may_connect(stores: Stores, home: Home, token: str) -> None:
    claims = DeviceClaims("Gate\n", " S1 ", "pi", "1.0", "random")
    made = await exchange(stores, token, LATER, claims)
    assert (made.account, made.expires_at) == ("ada@example.com", LATER + SESSION_TOKEN_TTL)
    session = await identify_session_token(stores, made.session_token, LATER)
    assert isinstance(session, TunnelSession)
    assert (session.user_id, session.workspace_id) == (home.user.id, home.workspace.id)
    assert session.device_id == made.device_id
    paired = await device(stores, made.device_id)
    assert (paired.name, paired.serial_number, paired.device_type) == ("Gate", "S1", "pi")
    assert (paired.agent_version, paired.instance, paired.created_at) == ("1.0", "random", LATER)
    events = await stores.read(lambda tx: tx.device_events.list_of_device(made.device_id, 10))
    assert [(event.kind, event.at) for event in events] == [(EventKind.PAIRED, LATER)]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        (DeviceClaims("Gate", "S1"), "Gate"),
        (DeviceClaims(None, "S1"), "S1"),
        (DeviceClaims("\x00", " "), None),
        (None, None),
    ],
)
async def test_a_device_is_called_what_the_agent_says_else_by_what_it_is(
    stores: Stores, token: str, claims: DeviceClaims | None, name: str | None
) -> None:
    made = await exchange(stores, token, NOW, claims)
    found = await device(stores, made.device_id)
    assert found.name == (name or f"device {made.device_id[-6:]}")
    assert found.device_type == "edge"


async def test_the_name_given_with_the_token_wins(stores: Stores, home: Home) -> None:
    text = (await create_pairing_token(stores, home.actor, NOW, name="Door")).text
    made = await exchange(stores, text, NOW, DeviceClaims("Gate"))
    assert (await device(stores, made.device_id)).name == "Door"


async def test_p01_a_hundred_racers_get_one_token(stores: Stores, home: Home, token: str) -> None:
    outcomes: Counter[str] = Counter()

    async def racer() -> None:
        try:
            await exchange(stores, token, NOW, DeviceClaims(serial_number="S1"))
            outcomes["exchanged"] += 1
        except PairingRefused as refused:
            outcomes[refused.code] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(racer)
    assert outcomes == {"exchanged": 1, "PAIRING_TOKEN_USED": 99}
    assert await counted(stores, home) == (1, 1, 1)


async def test_p02_a_fault_at_any_question_burns_nothing(stores: Stores, home: Home) -> None:
    """New device, then the same one again: each question of either fails once, and each exchange still succeeds."""
    for pairings in (1, 2):
        text = (await create_pairing_token(stores, home.actor, NOW)).text
        before = await counted(stores, home)
        fail_at = 0
        while True:
            failing = FailingStores(stores, fail_at=fail_at)
            try:
                await exchange(failing, text, NOW, DeviceClaims(serial_number="S1"))
                break
            except StoreUnavailable:
                assert await counted(stores, home) == before
                fail_at += 1
        assert fail_at >= 8
        assert await counted(stores, home) == (pairings, pairings, 1)


async def test_p03_without_a_key_a_lost_answer_is_lost(stores: Stores, home: Home, token: str) -> None:
    await exchange(stores, token, NOW)
    assert await refusal(stores, token) == "PAIRING_TOKEN_USED"
    assert await refusal(stores, token, key=KEY) == "PAIRING_TOKEN_USED"
    listed = await list_pairing_tokens(stores, home.user.id)
    spent = next(each for each in listed if each.kind == "pairing")
    # What a console needs to say "spent, and never connected".
    assert spent.used_at is not None
    assert spent.device_id is not None
    assert (await device(stores, spent.device_id)).last_connected_at is None


async def test_p03_with_its_key_an_exchange_can_be_repeated_for_a_minute(
    stores: Stores, home: Home, token: str
) -> None:
    lost = await exchange(stores, token, NOW, DeviceClaims(serial_number="S1"), idempotency_key=KEY)
    soon = NOW + timedelta(seconds=59)
    again = await exchange(stores, token, soon, DeviceClaims(serial_number="S1"), idempotency_key=KEY)
    assert again.device_id == lost.device_id
    assert again.session_token != lost.session_token
    assert await identify_session_token(stores, lost.session_token, soon) == RevokedToken()
    assert isinstance(await identify_session_token(stores, again.session_token, soon), TunnelSession)
    notices = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert [notice.kind for notice in notices] == [NoticeKind.SESSION_TOKEN_REVOKED]
    assert await refusal(stores, token, soon, key=KEY + "x") == "PAIRING_TOKEN_USED"
    assert await refusal(stores, token, NOW + timedelta(seconds=60), key=KEY) == "PAIRING_TOKEN_USED"


async def test_p03_what_was_unpaired_meanwhile_is_not_repeated(
    stores: Stores, home: Home, token: str
) -> None:
    made = await exchange(stores, token, NOW, idempotency_key=KEY)
    await stores.write(lambda tx: tx.devices.delete(made.device_id, NOW))
    assert await refusal(stores, token, LATER, key=KEY) == "PAIRING_TOKEN_USED"


async def test_p07_what_was_revoked_meanwhile_is_not_repeated(stores: Stores, home: Home, token: str) -> None:
    made = await exchange(stores, token, NOW, idempotency_key=KEY)
    await devices.unpair(stores, home.actor, made.device_id, NOW)
    assert await refusal(stores, token, LATER, key=KEY) == "PAIRING_TOKEN_REVOKED"


@pytest.mark.parametrize("key", ["", "x" * 15, "x" * 129, "x" * 15 + "é", "x" * 15 + "\n", "x y" * 8])
async def test_p03_a_key_that_is_too_short_or_odd_is_refused(stores: Stores, token: str, key: str) -> None:
    with pytest.raises(Invalid, match="idempotency_key"):
        await exchange(stores, token, NOW, idempotency_key=key)
    await exchange(stores, token, NOW)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(14 * 60 + 59.9, None), (15 * 60, "PAIRING_TOKEN_EXPIRED"), (15 * 60 + 0.1, "PAIRING_TOKEN_EXPIRED")],
)
async def test_p04_the_stored_expiry_is_the_judge(
    stores: Stores, token: str, seconds: float, code: str | None
) -> None:
    now = NOW + timedelta(seconds=seconds)
    if code is None:
        assert isinstance(await exchange(stores, token, now), Exchanged)
    else:
        assert await refusal(stores, token, now) == code
        # It is not burnt by the attempt: with the clock back within its time it is good.
        assert isinstance(await exchange(stores, token, LATER), Exchanged)


async def test_p05_blanks_and_line_ends_around_a_token_are_forgiven(stores: Stores, token: str) -> None:
    assert isinstance(await exchange(stores, f" \t{token}\r\n", NOW), Exchanged)


async def test_p05_anything_else_is_no_token(stores: Stores, token: str) -> None:
    hostile = [
        "",
        "vAc_",
        token.upper(),
        token.replace("vAc_", "VAC_"),
        token.replace("vAc_", "vAs_"),
        token[:-1],
        token + "0",
        token[:8] + " " + token[8:],
        token + "\x00",
        token + "\u2003",
        "\ufeff" + token,
        "vAs_" + "0" * 64,
        "vAc_" + "0" * 32,
        "x" * 1_000_000,
    ]
    for text in hostile:
        assert await refusal(stores, text) == "INVALID_PAIRING_TOKEN"
    assert isinstance(await exchange(stores, token, NOW), Exchanged)


async def test_p10_nothing_shown_in_a_traceback_holds_a_token(stores: Stores, home: Home) -> None:
    made = await create_pairing_token(stores, home.actor, NOW)
    exchanged = await exchange(stores, made.text, NOW, idempotency_key=KEY)
    tokens = await stores.read(lambda tx: tx.session_tokens.list_of_device(exchanged.device_id, 10))
    spent = await stores.read(lambda tx: tx.pairing_tokens.get_or_none(made.token.id))
    assert spent is not None
    shown = repr((made, exchanged, tokens, spent))
    secrets = (made.text, exchanged.session_token, made.token.hash, tokens[0].hash, spent.replay_hash)
    assert all(secret is not None and secret not in shown for secret in secrets)


async def test_p05_a_session_token_is_no_pairing_token(stores: Stores, token: str) -> None:
    made = await exchange(stores, token, NOW)
    assert await refusal(stores, made.session_token) == "INVALID_PAIRING_TOKEN"


async def test_p07_a_revocation_and_an_exchange_leave_no_live_session(stores: Stores, home: Home) -> None:
    """Whichever comes first: many of both at once, in every order the scheduler finds."""
    for _ in range(20):
        text = (await create_pairing_token(stores, home.actor, NOW)).text
        made: list[Exchanged] = []
        codes: list[str] = []

        async def redeem(text: str = text, made: list[Exchanged] = made, codes: list[str] = codes) -> None:
            try:
                made.append(await exchange(stores, text, NOW))
            except PairingRefused as refused:
                codes.append(refused.code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(redeem)
            nursery.start_soon(revoke_pairing_token, stores, home.user.id, text, NOW)
        for each in made:
            assert await identify_session_token(stores, each.session_token, NOW) == RevokedToken()
        assert codes in ([], ["PAIRING_TOKEN_REVOKED"])
        assert len(made) + len(codes) == 1


async def test_a_revoked_token_is_told_so(stores: Stores, home: Home, token: str) -> None:
    await revoke_pairing_token(stores, home.user.id, token, NOW)
    assert await refusal(stores, token) == "PAIRING_TOKEN_REVOKED"


async def test_the_token_of_a_disabled_user_is_worth_nothing(stores: Stores, home: Home, token: str) -> None:
    await users.disable_user(stores, home.user.id, NOW)
    assert await refusal(stores, token) == "PAIRING_TOKEN_REVOKED"
    assert await counted(stores, home) == (0, 0, 0)


async def test_the_token_of_a_former_member_is_worth_nothing(stores: Stores, home: Home) -> None:
    shared = a_workspace()
    await put(stores, shared, Membership(shared.id, home.user.id, Role.ADMIN, NOW))
    actor = replace(home.actor, workspaces={**home.actor.workspaces, shared.id: Role.ADMIN})
    text = (await create_pairing_token(stores, actor, NOW, workspace_id=shared.id)).text
    await stores.write(lambda tx: tx.workspaces.remove_member(shared.id, home.user.id))
    assert await refusal(stores, text) == "PAIRING_TOKEN_REVOKED"


async def test_p12_the_same_serial_number_is_the_same_device(stores: Stores, home: Home, token: str) -> None:
    first = await exchange(stores, token, NOW, DeviceClaims("Gate", "S1", "pi", "1.0", "i"))
    await devices.rename_and_tag(stores, home.actor, first.device_id, NOW, name="Door", tags=["x"])
    text = (await create_pairing_token(stores, home.actor, NOW, name="Window")).text
    second = await exchange(stores, text, LATER, DeviceClaims("Gate", "S1", None, "2.0", "j"))
    assert second.device_id == first.device_id
    again = await device(stores, second.device_id)
    assert (again.name, again.tags, again.created_at, again.updated_at) == ("Door", ("x",), NOW, LATER)
    assert (again.device_type, again.agent_version, again.instance) == ("pi", "2.0", "j")
    assert await identify_session_token(stores, first.session_token, LATER) == RevokedToken()
    assert isinstance(await identify_session_token(stores, second.session_token, LATER), TunnelSession)
    notices = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert [notice.kind for notice in notices] == [NoticeKind.SESSION_TOKEN_REVOKED]
    events = await stores.read(lambda tx: tx.device_events.list_of_device(first.device_id, 10))
    assert events[0].kind is EventKind.PAIRED_AGAIN


async def test_p12_a_deleted_device_is_registered_anew(stores: Stores, home: Home, token: str) -> None:
    first = await exchange(stores, token, NOW, DeviceClaims(serial_number="S1"))
    await devices.unpair(stores, home.actor, first.device_id, NOW)
    text = (await create_pairing_token(stores, home.actor, NOW)).text
    second = await exchange(stores, text, NOW, DeviceClaims(serial_number="S1"))
    assert second.device_id != first.device_id
    assert await identify_session_token(stores, first.session_token, NOW) == RevokedToken()


async def test_p12_two_users_with_one_serial_number_have_two_devices(
    stores: Stores, home: Home, token: str
) -> None:
    bob = await a_home(stores, "bob@example.com")
    mine = await exchange(stores, token, NOW, DeviceClaims(serial_number="S1"))
    text = (await create_pairing_token(stores, bob.actor, NOW)).text
    theirs = await exchange(stores, text, NOW, DeviceClaims(serial_number="S1"))
    assert mine.device_id != theirs.device_id
    assert isinstance(await identify_session_token(stores, mine.session_token, NOW), TunnelSession)


async def test_without_a_serial_number_each_pairing_is_a_device(stores: Stores, home: Home) -> None:
    made = []
    for _ in range(2):
        text = (await create_pairing_token(stores, home.actor, NOW)).text
        made.append(await exchange(stores, text, NOW, DeviceClaims("Gate", "  ")))
    assert made[0].device_id != made[1].device_id


async def test_a_serial_number_that_cannot_be_kept_exactly_burns_nothing(stores: Stores, token: str) -> None:
    with pytest.raises(Invalid, match="serial_number"):
        await exchange(stores, token, NOW, DeviceClaims(serial_number="a\nb"))
    assert isinstance(await exchange(stores, token, NOW), Exchanged)


async def test_a_cancelled_exchange_burns_nothing(stores: Stores, home: Home, token: str) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await exchange(stores, token, NOW)
    assert await counted(stores, home) == (0, 0, 0)
    assert isinstance(await exchange(stores, token, NOW), Exchanged)
