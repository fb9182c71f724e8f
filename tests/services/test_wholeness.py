"""Whatever breaks in the middle of a deed, and wherever: all of it is kept or nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from visiona.domain.access import ALL_SCOPES, Role
from visiona.domain.causes import Cause
from visiona.domain.loads import LoadState
from visiona.domain.sessions import PENDING_LOGIN_TTL, PendingLogin
from visiona.services import (
    devices,
    invitations,
    kept_loads,
    members,
    one_time_links,
    pair_device,
    tokens,
    users,
    workspaces,
)
from visiona.services import move_device as moving
from visiona.services.device_timeline import Alarmed, Connected, Disconnected, record
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.load_model import Plan
from visiona.services.sessions import session_or_none
from visiona.services.sign_in import Claims, sign_in
from visiona.stores import kept_sessions
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.kept_sessions import KeptPendingLogins, KeptSessions

from tests.support.engines import Place, contents
from tests.support.faults import (
    FailingStores,
    Fault,
    breaking,
    losing_connection,
    losing_connection_at_the_end,
)
from tests.support.nouns import LATER, NOW, Home, a_home, new_hash, put
from tests.support.shared import a_team

Deed = Callable[[Stores], Awaitable[object]]

KEY = "0123456789abcdef"
S1 = DeviceClaims(serial_number="S1")
ADA = Claims("https://id.example", "ada", "ada@example.com", True)

DEEDS: dict[str, Callable[[Stores, Home], Awaitable[Deed]]] = {}


def deed(prepare: Callable[[Stores, Home], Awaitable[Deed]]) -> None:
    DEEDS[prepare.__name__] = prepare


async def token_of(stores: Stores, home: Home) -> str:
    return (await pair_device.create_pairing_token(stores, home.actor, NOW)).text


@deed
async def add_user(_: Stores, __: Home) -> Deed:
    return lambda stores: users.add_user(stores, "bob@example.com", "hash", NOW)


@deed
async def disable_user(_: Stores, home: Home) -> Deed:
    return lambda stores: users.disable_user(stores, home.user.id, NOW)


@deed
async def disable_an_owner(stores: Stores, home: Home) -> Deed:
    lab, admin, _ = await a_team(stores, home)
    await invitations.invite(stores, home.actor, lab.id, "eve@example.com", Role.MEMBER, NOW)
    await members.change_role(stores, home.actor, lab.id, admin.user.id, Role.MEMBER, NOW)
    return lambda stores: users.disable_user(stores, home.user.id, NOW)


@deed
async def create_access_token(_: Stores, home: Home) -> Deed:
    return lambda stores: tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)


@deed
async def revoke_access_token(stores: Stores, home: Home) -> Deed:
    made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    return lambda stores: tokens.revoke_access_token(stores, made.token.id, LATER)


@deed
async def create_pairing_token(_: Stores, home: Home) -> Deed:
    return lambda stores: token_of(stores, home)


@deed
async def p02_exchange(stores: Stores, home: Home) -> Deed:
    text = await token_of(stores, home)
    return lambda stores: exchange(stores, text, NOW, S1)


@deed
async def p02_exchange_for_a_device_that_is_there(stores: Stores, home: Home) -> Deed:
    await exchange(stores, await token_of(stores, home), NOW, S1)
    text = await token_of(stores, home)
    return lambda stores: exchange(stores, text, LATER, S1)


@deed
async def p03_exchange_once_more(stores: Stores, home: Home) -> Deed:
    text = await token_of(stores, home)
    await exchange(stores, text, NOW, S1, idempotency_key=KEY)
    return lambda stores: exchange(stores, text, LATER, S1, idempotency_key=KEY)


@deed
async def p07_revoke_pairing_token(stores: Stores, home: Home) -> Deed:
    text = await token_of(stores, home)
    await exchange(stores, text, NOW, S1)
    return lambda stores: pair_device.revoke_pairing_token(stores, home.user.id, text, LATER)


@deed
async def p07_unpair(stores: Stores, home: Home) -> Deed:
    made = await exchange(stores, await token_of(stores, home), NOW, S1)
    return lambda stores: devices.unpair(stores, home.actor, made.device_id, LATER)


@deed
async def create_workspace(_: Stores, home: Home) -> Deed:
    return lambda stores: workspaces.create_workspace(stores, home.actor, "Lab", NOW)


@deed
async def delete_workspace(stores: Stores, home: Home) -> Deed:
    lab, *_ = await a_team(stores, home)
    await put(stores, replace(home.invitation("a@b.c"), workspace_id=lab.id))
    await pair_device.create_pairing_token(stores, home.actor, NOW, workspace_id=lab.id)
    return lambda stores: workspaces.delete_workspace(stores, home.actor, lab.id, LATER)


@deed
async def accept_invitation(stores: Stores, home: Home) -> Deed:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, "bob@example.com")
    made = await invitations.invite(stores, home.actor, lab.id, bob.user.email, Role.MEMBER, NOW)
    return lambda stores: invitations.accept_invitation(stores, bob.actor, made.text, LATER)


@deed
async def remove_member(stores: Stores, home: Home) -> Deed:
    lab, admin, _ = await a_team(stores, home)
    await put(stores, replace(admin.invitation("a@b.c"), workspace_id=lab.id))
    await pair_device.create_pairing_token(stores, admin.actor, NOW, workspace_id=lab.id)
    return lambda stores: members.remove_member(stores, home.actor, lab.id, admin.user.id, LATER)


@deed
async def change_role(stores: Stores, home: Home) -> Deed:
    lab, admin, _ = await a_team(stores, home)
    await pair_device.create_pairing_token(stores, admin.actor, NOW, workspace_id=lab.id)
    change = home.actor, lab.id, admin.user.id, Role.MEMBER, LATER
    return lambda stores: members.change_role(stores, *change)


@deed
async def move_device(stores: Stores, home: Home) -> Deed:
    lab, *_ = await a_team(stores, home)
    made = await exchange(stores, await token_of(stores, home), NOW, S1)
    return lambda stores: moving.move_device(stores, home.actor, made.device_id, lab.id, LATER)


@deed
async def m05_begin_load(stores: Stores, home: Home) -> Deed:
    device, model = home.device(), home.model()
    await put(stores, device, model)
    plan = Plan(home.load(device, model).load, model)
    return lambda stores: kept_loads.begin_load(stores, plan, "one", NOW)


@deed
async def m05_end_load(stores: Stores, home: Home) -> Deed:
    device, model = home.device(), home.model()
    before, kept = home.load(device, model), home.load(device, model)
    await put(stores, device, model, before)
    done = before.load
    for state in (LoadState.PUSHING, LoadState.FLASHING, LoadState.ACTIVE):
        done = done.moved(state, NOW)
    await kept_loads.save_load(stores, done, "one", NOW)
    await put(stores, kept)
    again = replace(done, id=kept.load.id, current_since=LATER)
    return lambda stores: kept_loads.save_load(stores, again, "one", LATER)


@deed
async def rename_and_tag(stores: Stores, home: Home) -> Deed:
    device = home.device()
    await put(stores, device)
    return lambda stores: devices.rename_and_tag(stores, home.actor, device.id, LATER, name="x", tags=["y"])


@deed
async def record_reports(stores: Stores, home: Home) -> Deed:
    one, two = home.device(), home.device()
    await put(stores, one, two)
    reports = Connected(one.id, NOW), Disconnected(two.id, NOW, Cause.TCP_RESET), Alarmed(one.id, NOW, "!")
    return lambda stores: record(stores, reports)


@deed
async def mint_first_admin_link(stores: Stores, _: Home) -> Deed:
    await one_time_links.mint_first_admin_link(stores, NOW)
    return lambda stores: one_time_links.mint_first_admin_link(stores, LATER)


@deed
async def redeem_first_admin_link(stores: Stores, _: Home) -> Deed:
    made = await one_time_links.mint_first_admin_link(stores, NOW)
    text = made.text if made is not None else ""
    redeem = one_time_links.redeem_first_admin_link
    return lambda stores: redeem(stores, text, "bob@example.com", "hash", LATER)


@deed
async def mint_sign_in_link(stores: Stores, home: Home) -> Deed:
    await one_time_links.mint_sign_in_link(stores, home.user.id, NOW)
    return lambda stores: one_time_links.mint_sign_in_link(stores, home.user.id, LATER)


@deed
async def redeem_sign_in_link(stores: Stores, home: Home) -> Deed:
    text = (await one_time_links.mint_sign_in_link(stores, home.user.id, NOW)).text
    return lambda stores: one_time_links.redeem_sign_in_link(stores, text, "hash", LATER)


@deed
async def begin_session(stores: Stores, home: Home) -> Deed:
    for _ in range(2):
        await stores.sessions.create(home.session())
    session = home.session()
    return lambda stores: KeptSessions(stores).create(session)


@deed
async def end_sessions(stores: Stores, home: Home) -> Deed:
    for _ in range(2):
        await stores.sessions.create(home.session())
    return lambda stores: KeptSessions(stores).delete_of_user(home.user.id, NOW)


@deed
async def end_sessions_of_idp(stores: Stores, home: Home) -> Deed:
    for _ in range(2):
        await stores.sessions.create(home.session(idp_sid="sid"))
    return lambda stores: KeptSessions(stores).delete_of_idp("https://id.example", "ada", "sid", NOW)


@deed
async def begin_sign_in(stores: Stores, _: Home) -> Deed:
    for _ in range(2):
        await stores.pending_logins.create(pending())
    attempt = pending()
    return lambda stores: KeptPendingLogins(stores).create(attempt)


def pending() -> PendingLogin:
    return PendingLogin(new_hash(), "b", "n", "v", "/", NOW, NOW + PENDING_LOGIN_TTL)


async def asked_until_whole(act: Deed, stores: Stores, place: Place, fault: Fault) -> int:
    """Lets the fault come at each question in turn; each time nothing is kept. Says when it came too late."""
    before = contents(place, stores)
    for fail_at in range(100):
        failing = FailingStores(stores, fail_at=fail_at, fault=fault)
        try:
            await act(failing)
        except StoreUnavailable:
            assert contents(place, stores) == before, f"at question {fail_at}"
            continue
        assert contents(place, stores) != before
        return fail_at
    raise AssertionError("it never got through")


@pytest.mark.parametrize("name", DEEDS)
async def test_p02_a_deed_that_breaks_anywhere_is_whole_or_not_at_all(
    name: str, stores: Stores, place: Place, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sessions, "MAX_SESSIONS_PER_USER", 2)
    monkeypatch.setattr(kept_sessions, "MAX_PENDING", 2)
    act = await DEEDS[name](stores, home)
    assert await asked_until_whole(act, stores, place, breaking) >= 2


@pytest.mark.parametrize("fault", [losing_connection, losing_connection_at_the_end])
@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("engine", ["postgres"])
async def test_s01_p02_a_deed_that_loses_its_connection_anywhere_is_whole_or_not_at_all(
    name: str, fault: Fault, stores: Stores, place: Place, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sessions, "MAX_SESSIONS_PER_USER", 2)
    monkeypatch.setattr(kept_sessions, "MAX_PENDING", 2)
    act = await DEEDS[name](stores, home)
    assert await asked_until_whole(act, stores, place, fault) >= 2


class Everywhere(FailingStores):
    """Also what is done to sessions meets the fault."""

    def __init__(self, stores: Stores, fail_at: int) -> None:
        super().__init__(stores, fail_at=fail_at)
        self.sessions = KeptSessions(self)


async def test_a12_a_sign_in_that_breaks_anywhere_signs_nobody_in(stores: Stores) -> None:
    """It is several deeds: the account may be there already, the next time it is found."""
    first = await sign_in(stores, ADA, NOW)
    for fail_at in range(100):
        who = replace(ADA, subject=f"s{fail_at}", email=f"{fail_at}@example.com")
        try:
            await sign_in(Everywhere(stores, fail_at), who, NOW, replaces=first.text)
        except StoreUnavailable:
            again = await sign_in(stores, who, NOW)
            assert again.user.email == who.email
            assert len(await stores.sessions.list_of_user(again.user.id, NOW)) <= 2
            continue
        break
    assert fail_at >= 8
    assert await session_or_none(stores, first.text, NOW) is None


@pytest.mark.parametrize("with_link", [False, True])
async def test_a_new_password_that_breaks_anywhere_leaves_no_session_of_the_old_one(
    stores: Stores, home: Home, with_link: bool
) -> None:
    advice: str | None = ""
    fail_at = -1
    while advice is not None:
        fail_at += 1
        if not await stores.sessions.list_of_user(home.user.id, NOW):
            await stores.sessions.create(home.session())
        password_hash = f"hash {fail_at}"
        advice = await advice_of(changed_password(stores, home, fail_at, password_hash, with_link=with_link))
        user = await users.find_user(stores, home.user.id)
        is_changed = user.password_hash == password_hash
        assert not is_changed or await stores.sessions.list_of_user(home.user.id, NOW) == []
        # What a person is told about it is true.
        told = "the change was made; make it again" if is_changed else "nothing was changed, try again"
        assert advice in {told, None}
    assert fail_at >= 4
    assert is_changed


async def advice_of(act: Awaitable[object]) -> str | None:
    """What to do, if it failed."""
    try:
        await act
    except StoreUnavailable as error:
        return error.advice
    return None


async def changed_password(
    stores: Stores, home: Home, fail_at: int, password_hash: str, *, with_link: bool
) -> None:
    failing = Everywhere(stores, fail_at)
    if with_link:
        text = (await one_time_links.mint_sign_in_link(stores, home.user.id, NOW)).text
        await one_time_links.redeem_sign_in_link(failing, text, password_hash, NOW)
    else:
        await users.set_password(failing, home.user.id, password_hash, NOW)


async def test_a14_disabling_that_breaks_anywhere_leaves_no_session_that_works_again(stores: Stores) -> None:
    home = await a_home(stores, "bob@example.com")
    for fail_at in range(100):
        session = home.session()
        await stores.sessions.create(session)
        try:
            is_disabled = (await users.disable_user(Everywhere(stores, fail_at), home.user.id, NOW)).changed
        except StoreUnavailable:
            assert (await users.find_user(stores, home.user.id)).disabled_at is None
            continue
        assert is_disabled
        assert await users.enable_user(stores, home.user.id, NOW)
        assert await stores.sessions.list_of_user(home.user.id, NOW) == []
        if fail_at > 10:
            break
    assert fail_at == 11
