import pytest
from visiona.domain.access import Role
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.domain.devices import EventKind
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound, PairingRefused
from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.domain.notices import DeviceMove, NoticeKind
from visiona.domain.workspaces import Workspace
from visiona.services.exchange_token import DeviceClaims, Exchanged, exchange
from visiona.services.identify import TunnelSession, identify_session_token
from visiona.services.move_device import move_device
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens, revoke_pairing_token
from visiona.services.workspaces import create_workspace
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home
from tests.support.shared import a_team, joined, told

KEY = "0123456789abcdef"
NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"


async def paired(stores: Stores, home: Home, workspace: Workspace, serial: str | None = "S1") -> Exchanged:
    text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=workspace.id)).text
    return await exchange(stores, text, NOW, DeviceClaims(serial_number=serial))


async def test_a_device_moves_with_its_history_and_its_tokens(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    made = await paired(stores, admin, lab)
    moved = await move_device(stores, home.actor, made.device_id, home.workspace.id, LATER)
    assert moved.source == lab.id
    device = moved.device
    assert (device.workspace_id, device.user_id) == (home.workspace.id, home.user.id)
    assert (device.serial_number, device.created_at) == ("S1", NOW)
    session = await identify_session_token(stores, made.session_token, NOW)
    assert isinstance(session, TunnelSession)
    assert (session.workspace_id, session.user_id) == (home.workspace.id, home.user.id)
    events = await stores.read(lambda tx: tx.device_events.list_of_device(made.device_id, 10))
    assert [event.kind for event in events] == [EventKind.MOVED, EventKind.PAIRED]
    move = DeviceMove(made.device_id, home.workspace.id, home.user.id, frozenset({home.user.id}))
    assert moved.move == move
    assert (await told(stores))[1:] == [(NoticeKind.DEVICE_MOVED, move.subject)]


async def test_t45_it_says_who_keeps_the_device(stores: Stores, home: Home) -> None:
    """Those of where it is now, and nobody else: whoever watches it is ended unless they are named."""
    lab, admin, _ = await a_team(stores, home)
    roof = await create_workspace(stores, home.actor, "Roof", NOW)
    await joined(stores, roof.id, admin, Role.MEMBER)
    made = await paired(stores, home, lab)
    moved = await move_device(stores, home.actor, made.device_id, roof.id, LATER)
    assert moved.move.keep == {home.user.id, admin.user.id}
    assert (await told(stores))[-1] == (NoticeKind.DEVICE_MOVED, moved.move.subject)


async def test_both_workspaces_are_told_in_the_log(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    made = await paired(stores, home, lab)
    await move_device(stores, home.actor, made.device_id, home.workspace.id, LATER)
    found = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 10, None))
    entries = [entry for entry in found if entry.deed == Deed.DEVICE_MOVED]
    assert {entry.workspace_id for entry in entries} == {lab.id, home.workspace.id}
    assert {entry.subject for entry in entries} == {made.device_id}


@pytest.mark.parametrize(
    ("here", "there", "error"),
    [
        (Role.ADMIN, Role.ADMIN, None),
        (Role.OWNER, Role.ADMIN, None),
        (Role.MEMBER, Role.OWNER, NotAllowed),
        (Role.OWNER, Role.MEMBER, NotAllowed),
        (None, Role.OWNER, NotFound),
        (Role.OWNER, None, NotFound),
        (Role.MEMBER, None, NotFound),
    ],
)
async def test_it_takes_an_admin_of_both(
    stores: Stores, home: Home, here: Role | None, there: Role | None, error: type[Exception] | None
) -> None:
    bob = await a_home(stores, "bob@example.com")
    lab, roof = [await create_workspace(stores, home.actor, name, NOW) for name in ("Lab", "Roof")]
    made = await paired(stores, home, lab)
    for workspace, role in ((lab, here), (roof, there)):
        if role is not None:
            await joined(stores, workspace.id, bob, role)
    if error is None:
        await move_device(stores, bob.actor, made.device_id, roof.id, NOW)
        return
    before = await told(stores)
    with pytest.raises(error):
        await move_device(stores, bob.actor, made.device_id, roof.id, NOW)
    assert await told(stores) == before
    device = await stores.read(lambda tx: tx.devices.get_or_none(made.device_id))
    assert device is not None
    assert device.workspace_id == lab.id


async def test_h08_what_is_not_there_is_not_found(stores: Stores, home: Home) -> None:
    made = await paired(stores, home, home.workspace)
    for name in ("none", NOWHERE):
        with pytest.raises(NotFound, match="no such workspace"):
            await move_device(stores, home.actor, made.device_id, WorkspaceId(name), NOW)
        with pytest.raises(NotFound, match="no such device"):
            await move_device(stores, home.actor, DeviceId(name), home.workspace.id, NOW)
    with pytest.raises(Invalid, match="in this workspace"):
        await move_device(stores, home.actor, made.device_id, home.workspace.id, NOW)


async def test_p12_a_serial_number_that_is_there_keeps_it_out(stores: Stores, home: Home) -> None:
    lab = await create_workspace(stores, home.actor, "Lab", NOW)
    made = await paired(stores, home, lab)
    await paired(stores, home, home.workspace)
    unnamed = [await paired(stores, home, where, None) for where in (lab, home.workspace)]
    with pytest.raises(Conflict, match="serial number"):
        await move_device(stores, home.actor, made.device_id, home.workspace.id, NOW)
    await move_device(stores, home.actor, unnamed[0].device_id, home.workspace.id, NOW)


async def test_p12_who_pairs_it_anew_where_it_was_makes_another_device(stores: Stores, home: Home) -> None:
    lab = await create_workspace(stores, home.actor, "Lab", NOW)
    made = await paired(stores, home, lab)
    await move_device(stores, home.actor, made.device_id, home.workspace.id, NOW)
    assert (await paired(stores, home, lab)).device_id != made.device_id
    assert (await paired(stores, home, home.workspace)).device_id == made.device_id


async def test_p03_an_exchange_is_not_repeated_for_what_has_moved(stores: Stores, home: Home) -> None:
    lab = await create_workspace(stores, home.actor, "Lab", NOW)
    text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=lab.id)).text
    made = await exchange(stores, text, NOW, idempotency_key=KEY)
    await move_device(stores, home.actor, made.device_id, home.workspace.id, NOW)
    with pytest.raises(PairingRefused):
        await exchange(stores, text, NOW, idempotency_key=KEY)
    assert isinstance(await identify_session_token(stores, made.session_token, NOW), TunnelSession)


async def test_p09_who_has_paired_it_elsewhere_neither_sees_nor_ends_its_tokens(
    stores: Stores, home: Home
) -> None:
    lab, admin, _ = await a_team(stores, home)
    made = await paired(stores, admin, lab)
    await move_device(stores, home.actor, made.device_id, home.workspace.id, NOW)
    (pairing,) = await list_pairing_tokens(stores, admin.user.id)
    assert pairing.kind == "pairing"
    assert await revoke_pairing_token(stores, admin.user.id, pairing.id, NOW) == []
    with pytest.raises(NotFound):
        await revoke_pairing_token(stores, admin.user.id, made.session_token, NOW)
    assert isinstance(await identify_session_token(stores, made.session_token, NOW), TunnelSession)
