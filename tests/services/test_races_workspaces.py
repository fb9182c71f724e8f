"""Many at once about one workspace, on every engine; see test_races.py."""

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from visiona.domain.access import Role
from visiona.domain.notices import NoticeKind
from visiona.services import devices, workspaces
from visiona.services.exchange_token import DeviceClaims, Exchanged, exchange
from visiona.services.invitations import accept_invitation, invite, withdraw_invitation
from visiona.services.members import change_role, list_members, remove_member
from visiona.services.move_device import Moved, move_device
from visiona.services.pair_device import NewPairingToken, create_pairing_token
from visiona.services.users import disable_user
from visiona.services.workspaces import create_workspace, delete_workspace
from visiona.stores.interfaces import Stores

from tests.services.test_races import RACERS, ROUNDS, no_circles, outcomes, race, told
from tests.support.nouns import NOW, Home, a_home
from tests.support.shared import a_team, joined

__all__ = ["no_circles"]

S1 = DeviceClaims(serial_number="S1")


async def owners(stores: Stores, home: Home, lab: workspaces.Workspace) -> int:
    found = await stores.read(lambda tx: tx.workspaces.members(lab.id, 100))
    return sum(each.role is Role.OWNER for each in found)


async def test_of_owners_who_leave_at_once_one_stays(stores: Stores, home: Home) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, "Lab", NOW)
        bob = await a_home(stores, f"bob{number}@example.com")
        await joined(stores, lab.id, bob, Role.OWNER)
        left = await race(
            lambda lab=lab: remove_member(stores, home.actor, lab.id, home.user.id, NOW),
            lambda lab=lab, bob=bob: change_role(stores, bob.actor, lab.id, bob.user.id, Role.MEMBER, NOW),
        )
        assert list(left).count("Conflict") == 1
        assert await owners(stores, home, lab) == 1


async def test_of_owners_who_remove_each_other_one_stays(stores: Stores, home: Home) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, "Lab", NOW)
        bob = await a_home(stores, f"bob{number}@example.com")
        await joined(stores, lab.id, bob, Role.OWNER)
        removed = await race(
            lambda lab=lab, bob=bob: remove_member(stores, home.actor, lab.id, bob.user.id, NOW),
            lambda lab=lab, bob=bob: remove_member(stores, bob.actor, lab.id, home.user.id, NOW),
        )
        # Who was removed first is a stranger by now.
        assert outcomes(removed) == {"done": 1, "NotFound": 1}
        assert await owners(stores, home, lab) == 1


async def test_a_member_is_removed_once(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    remove = home.actor, lab.id, admin.user.id, NOW
    removed = await race(*[lambda: remove_member(stores, *remove)] * RACERS)
    assert outcomes(removed) == {"done": 1, "NotFound": RACERS - 1}
    assert (await told(stores))[NoticeKind.MEMBER_REMOVED] == 1


async def test_an_invitation_is_accepted_once(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, "bob@example.com")
    made = await invite(stores, home.actor, lab.id, bob.user.email, Role.MEMBER, NOW)
    accepted = await race(*[lambda: accept_invitation(stores, bob.actor, made.text, NOW)] * RACERS)
    assert outcomes(accepted) == {"done": 1, "Gone": RACERS - 1}
    assert len(await list_members(stores, home.actor, lab.id)) == 4


async def test_one_that_is_accepted_and_withdrawn_at_once_is_one_or_the_other(
    stores: Stores, home: Home
) -> None:
    lab, *_ = await a_team(stores, home)
    for number in range(ROUNDS):
        bob = await a_home(stores, f"bob{number}@example.com")
        made = await invite(stores, home.actor, lab.id, bob.user.email, Role.MEMBER, NOW)
        before = len(await list_members(stores, home.actor, lab.id))
        accepted, withdrawn = await race(
            lambda bob=bob, made=made: accept_invitation(stores, bob.actor, made.text, NOW),
            lambda made=made: withdraw_invitation(stores, home.actor, lab.id, made.invitation.id, NOW),
        )
        is_in = len(await list_members(stores, home.actor, lab.id)) > before
        assert (accepted != "Gone", withdrawn == "NotFound") == (is_in, is_in)


async def test_of_invitations_for_one_address_that_are_made_at_once_one_waits(
    stores: Stores, home: Home
) -> None:
    lab, *_ = await a_team(stores, home)
    ask = home.actor, lab.id, "bob@example.com", Role.MEMBER, NOW
    made = await race(*[lambda: invite(stores, *ask)] * RACERS)
    assert outcomes(made) == {"done": RACERS}
    assert len(await stores.read(lambda tx: tx.invitations.list_of_workspace(lab.id, 100))) == 1


async def test_who_is_demoted_just_now_gives_nothing_out_any_more(stores: Stores, home: Home) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, "Lab", NOW)
        admin = await a_home(stores, f"admin{number}@example.com")
        await joined(stores, lab.id, admin, Role.ADMIN)
        _, token, _ = await race(
            lambda lab=lab, admin=admin: remove_member(stores, home.actor, lab.id, admin.user.id, NOW),
            lambda lab=lab, admin=admin: create_pairing_token(stores, admin.actor, NOW, workspace_id=lab.id),
            lambda lab=lab, admin=admin: invite(
                stores, admin.actor, lab.id, "x@example.com", Role.MEMBER, NOW
            ),
        )
        assert await stores.read(lambda tx, lab=lab: tx.invitations.list_of_workspace(lab.id, 9)) == []
        assert token == "NotFound" or isinstance(token, NewPairingToken)
        waiting = admin.user.id, NOW
        assert await stores.read(lambda tx, waiting=waiting: tx.pairing_tokens.count_live(*waiting)) == 0


@pytest.mark.parametrize("what", ["exchanges a token", "makes a token", "moves a device in"])
async def test_a_workspace_that_is_deleted_holds_nothing(stores: Stores, home: Home, what: str) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, "Lab", NOW)
        text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=lab.id)).text
        here = await create_pairing_token(stores, home.actor, NOW)
        claims = DeviceClaims(serial_number=f"S{number}")
        device_id = (await exchange(stores, here.text, NOW, claims)).device_id

        async def make(lab: workspaces.Workspace = lab, claims: DeviceClaims = claims) -> object:
            made = await create_pairing_token(stores, home.actor, NOW, workspace_id=lab.id)
            return await exchange(stores, made.text, NOW, claims)

        others: dict[str, Callable[[], Awaitable[object]]] = {
            "exchanges a token": lambda text=text: exchange(stores, text, NOW, S1),
            "makes a token": make,
            "moves a device in": lambda device_id=device_id, lab=lab: move_device(
                stores, home.actor, device_id, lab.id, NOW
            ),
        }
        deleted, done = await race(
            lambda lab=lab: delete_workspace(stores, home.actor, lab.id, NOW), others[what]
        )
        count = await stores.read(lambda tx, lab=lab: tx.devices.count_in([lab.id]))
        assert (deleted == "Conflict", count) in {(True, 1), (False, 0)}
        assert isinstance(done, (Exchanged, Moved)) is (count == 1)


async def test_p12_units_that_move_to_one_workspace_at_once_are_one_of_a_serial_number(
    stores: Stores, home: Home
) -> None:
    roof = await create_workspace(stores, home.actor, "Roof", NOW)
    found = []
    for _ in range(5):
        lab = await create_workspace(stores, home.actor, "Lab", NOW)
        text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=lab.id)).text
        found.append((await exchange(stores, text, NOW, S1)).device_id)
    text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=roof.id)).text
    moved = await race(
        *[lambda each=each: move_device(stores, home.actor, each, roof.id, NOW) for each in found],
        lambda: exchange(stores, text, NOW, S1),
    )
    assert isinstance(moved[-1], Exchanged)
    assert Counter(each if isinstance(each, str) else "done" for each in moved[:-1])["done"] <= 1
    assert await stores.read(lambda tx: tx.devices.count_in([roof.id])) == 1


async def test_a_unit_that_is_paired_again_and_moved_at_once_is_where_it_was_paired_or_moved(
    stores: Stores, home: Home
) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, "Lab", NOW)
        roof = await create_workspace(stores, home.actor, "Roof", NOW)
        claims = DeviceClaims(serial_number=f"S{number}")
        texts = [
            (await create_pairing_token(stores, home.actor, NOW, workspace_id=lab.id)).text for _ in "ab"
        ]
        first = await exchange(stores, texts[0], NOW, claims)
        again, moved = await race(
            lambda text=texts[1], claims=claims: exchange(stores, text, NOW, claims),
            lambda first=first, roof=roof: move_device(stores, home.actor, first.device_id, roof.id, NOW),
        )
        assert isinstance(again, Exchanged)
        assert isinstance(moved, Moved)
        tokens = await stores.read(
            lambda tx, again=again: tx.session_tokens.list_of_device(again.device_id, 9)
        )
        device = await devices.get_any_device(stores, again.device_id)
        # Its token is where it is: of the device that moved, or of a new one that stayed.
        assert {token.workspace_id for token in tokens if token.revoked_at is None} == {device.workspace_id}
        assert device.workspace_id == (roof.id if again.device_id == first.device_id else lab.id)
        await devices.remove_device(stores, again.device_id, NOW)


async def test_s01_two_that_move_against_each_other_do_not_wait_in_a_circle(
    stores: Stores, home: Home
) -> None:
    lab = await create_workspace(stores, home.actor, "Lab", NOW)
    roof = await create_workspace(stores, home.actor, "Roof", NOW)
    found = []
    for workspace in (lab, roof):
        text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=workspace.id)).text
        found.append((await exchange(stores, text, NOW)).device_id)
    for _ in range(ROUNDS):
        moved = await race(
            lambda: move_device(stores, home.actor, found[0], roof.id, NOW),
            lambda: move_device(stores, home.actor, found[1], lab.id, NOW),
        )
        assert outcomes(moved) == {"done": 2}
        await race(
            lambda: move_device(stores, home.actor, found[0], lab.id, NOW),
            lambda: move_device(stores, home.actor, found[1], roof.id, NOW),
        )


async def test_an_invitation_whose_word_is_taken_back_at_once_lets_in_before_or_not_at_all(
    stores: Stores, home: Home
) -> None:
    """Its inviter is removed, demoted or disabled, or the workspace is deleted, while it is accepted."""
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, f"Lab {number}", NOW)
        admin, bob = [await a_home(stores, f"{name}{number}@example.com") for name in ("admin", "bob")]
        await joined(stores, lab.id, admin, Role.ADMIN)
        made = await invite(stores, admin.actor, lab.id, bob.user.email, Role.ADMIN, NOW)
        ends: list[Callable[[], Awaitable[object]]] = [
            lambda lab=lab, admin=admin: remove_member(stores, home.actor, lab.id, admin.user.id, NOW),
            lambda lab=lab, admin=admin: change_role(
                stores, home.actor, lab.id, admin.user.id, Role.MEMBER, NOW
            ),
            lambda admin=admin: disable_user(stores, admin.user.id, NOW),
            lambda lab=lab: delete_workspace(stores, home.actor, lab.id, NOW),
        ]
        accepted, _ = await race(
            lambda bob=bob, made=made: accept_invitation(stores, bob.actor, made.text, NOW),
            ends[number % len(ends)],
        )
        waiting = await stores.read(lambda tx, lab=lab: tx.invitations.list_of_workspace(lab.id, 9))
        assert waiting == []
        people = await stores.read(lambda tx, lab=lab: tx.workspaces.members(lab.id, 9))
        is_in = bob.user.id in {each.user_id for each in people}
        assert is_in == (accepted != "Gone")


async def test_nobody_is_in_more_workspaces_than_allowed(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await a_home(stores, "bob@example.com")
    texts = []
    for number in range(6):
        lab = await create_workspace(stores, home.actor, f"Lab {number}", NOW)
        texts.append((await invite(stores, home.actor, lab.id, bob.user.email, Role.MEMBER, NOW)).text)
    monkeypatch.setattr(workspaces, "MAX_WORKSPACES_PER_USER", 4)
    done = await race(
        *[lambda text=text: accept_invitation(stores, bob.actor, text, NOW) for text in texts],
        *[lambda: create_workspace(stores, bob.actor, "Own", NOW)] * 6,
    )
    assert outcomes(done) == {"done": 3, "Conflict": 9}
    assert len(await workspaces.list_workspaces(stores, bob.actor)) == 4
