"""Everything that services and stores can do, done once: for tests that look at how it is done."""

from datetime import timedelta
from itertools import combinations, product

from visiona.domain.access import ALL_SCOPES, Role
from visiona.domain.audit import EVERYTHING, AuditFilter, Sight
from visiona.domain.causes import Cause
from visiona.domain.ids import UserId
from visiona.domain.models import ModelFilter, ModelSource
from visiona.domain.sessions import PENDING_LOGIN_TTL, PendingLogin
from visiona.services import (
    device_timeline,
    devices,
    identify,
    invitations,
    members,
    one_time_links,
    sessions,
    sign_in,
    tokens,
    users,
    workspaces,
)
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.housekeeping import purge_expired
from visiona.services.move_device import move_device
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens, revoke_pairing_token
from visiona.stores.interfaces import Stores

from tests.support.nouns import NOW, a_home, new_hash, put


async def do_everything(stores: Stores) -> None:
    """Each service once."""
    user = await users.add_user(stores, "ada@example.com", None, NOW)
    await users.find_user(stores, "ada@example.com")
    await users.list_users(stores)
    made = await tokens.create_access_token(stores, user.id, "t", ALL_SCOPES, NOW)
    actor = await identify.identify_program(stores, made.text, NOW)
    await tokens.list_access_tokens(stores, user.id)
    pairing = await create_pairing_token(stores, actor, NOW)
    claims = DeviceClaims(serial_number="S1")
    await exchange(stores, pairing.text, NOW, claims, idempotency_key="k" * 16)
    exchanged = await exchange(stores, pairing.text, NOW, claims, idempotency_key="k" * 16)
    await exchange(stores, (await create_pairing_token(stores, actor, NOW)).text, NOW, claims)
    await identify.identify_session_token(stores, exchanged.session_token, NOW)
    device_id = exchanged.device_id
    await device_timeline.record_connected(stores, device_id, NOW)
    await device_timeline.record_inventory(stores, device_id, [], NOW)
    await device_timeline.record_disconnected(stores, device_id, NOW, Cause.TCP_RESET)
    await devices.list_devices(stores, actor, limit=1)
    await devices.list_all_devices(stores)
    await devices.get_device(stores, actor, device_id)
    await devices.device_events(stores, actor, device_id)
    await devices.rename_and_tag(stores, actor, device_id, NOW, name="x")
    for each in await list_pairing_tokens(stores, user.id):
        await revoke_pairing_token(stores, user.id, each.id, NOW)
    await devices.unpair(stores, actor, device_id, NOW)
    await stores.read(lambda tx: tx.notices.after(0, 10))
    await tokens.revoke_access_token(stores, made.token.id, NOW)
    await one_time_links.mint_first_admin_link(stores, NOW)
    link = await one_time_links.mint_sign_in_link(stores, user.id, NOW)
    await one_time_links.user_of_link(stores, link.text, NOW)
    await one_time_links.redeem_sign_in_link(stores, link.text, "hash", NOW)
    await sign_in_and_out(stores)
    await users.disable_user(stores, user.id, NOW)
    await users.enable_user(stores, user.id, NOW)
    await handle_models(stores, user.id)
    await keep_loads(stores)
    await share_a_workspace(stores)
    await read_the_log(stores, user.id)
    await purge_expired(stores, NOW)


async def sign_in_and_out(stores: Stores) -> None:
    pending = PendingLogin(new_hash(), new_hash(), "n", "v", "/", NOW, NOW + PENDING_LOGIN_TTL)
    await stores.pending_logins.create(pending)
    await stores.pending_logins.take(pending.state_hash, pending.browser_hash, NOW)
    claims = sign_in.Claims("https://id.example", "ada", "ada@example.com", True)
    first = await sign_in.sign_in(stores, claims, NOW)
    again = await sign_in.sign_in(stores, claims, NOW, replaces=first.text)
    later = NOW + timedelta(minutes=1)
    actor = await sessions.identify_session(stores, again.text, later)
    await sessions.current_session_or_none(stores, actor, later)
    await sessions.list_sessions(stores, again.user.id, later)
    await sessions.end_session(stores, again.session.id, later)
    await sessions.end_sessions_of_idp(stores, claims.issuer, later, subject="ada")
    await sessions.end_sessions_of_idp(stores, claims.issuer, later, idp_sid="sid")
    await sessions.end_all_sessions(stores, again.user.id, later)


async def share_a_workspace(stores: Stores) -> None:
    ada, bob = await a_home(stores, "owner@example.com"), await a_home(stores, "guest@example.com")
    lab = (await workspaces.create_workspace(stores, ada.actor, "Lab", NOW)).id
    roof = (await workspaces.create_workspace(stores, ada.actor, "Roof", NOW)).id
    await workspaces.get_workspace(stores, ada.actor, lab)
    await workspaces.rename_workspace(stores, ada.actor, lab, "Cellar", NOW)
    for _ in range(2):
        made = await invitations.invite(stores, ada.actor, lab, bob.user.email, Role.ADMIN, NOW)
    await invitations.list_invitations(stores, ada.actor, lab, NOW)
    await invitations.accept_invitation(stores, bob.actor, made.text, NOW)
    other = await invitations.invite(stores, ada.actor, lab, "other@example.com", Role.MEMBER, NOW)
    await invitations.withdraw_invitation(stores, ada.actor, lab, other.invitation.id, NOW)
    await members.list_members(stores, ada.actor, lab)
    await members.change_role(stores, ada.actor, lab, bob.user.id, Role.MEMBER, NOW)
    await members.remove_member(stores, bob.actor, lab, bob.user.id, NOW)
    pairing = await create_pairing_token(stores, ada.actor, NOW, workspace_id=lab)
    made_device = await exchange(stores, pairing.text, NOW, DeviceClaims(serial_number="S2"))
    await move_device(stores, ada.actor, made_device.device_id, roof, NOW)
    await workspaces.delete_workspace(stores, ada.actor, lab, NOW)


async def handle_models(stores: Stores, user_id: UserId) -> None:
    home = await a_home(stores, "models@example.com")
    model, ids = home.model(), [home.workspace.id]
    await stores.write(lambda tx: tx.models.add(model))
    await stores.write(lambda tx: tx.models.upsert(model))
    await stores.read(lambda tx: tx.models.get_or_none(model.id))
    for given in product((None, user_id), (None, "KL520"), (None, ModelSource.UPLOADED)):
        wanted = ModelFilter(*given)
        await stores.read(lambda tx, wanted=wanted: tx.models.list_in(ids, wanted, 50))
    await stores.read(lambda tx: tx.models.count_in(ids))
    await stores.read(lambda tx: tx.models.bytes_in(ids))
    await stores.read(lambda tx: tx.models.by_version_or_none(home.workspace.id, "yolo", "1"))
    await stores.read(lambda tx: tx.models.by_key_or_none("models/1"))
    await stores.read(lambda tx: tx.models.known_keys(["models/1"]))
    await stores.write(lambda tx: tx.models.lock_or_none(model.id))
    await stores.write(lambda tx: tx.workspaces.lock_or_none(home.workspace.id))
    await stores.write(lambda tx: tx.models.set_ready(model.id, NOW))
    await stores.write(lambda tx: tx.models.delete(model.id, NOW))


async def keep_loads(stores: Stores) -> None:
    home = await a_home(stores, "loads@example.com")
    device, model = home.device(), home.model()
    one = home.load(device, model)
    load, lease = one.load, one.lease
    await put(stores, device, model, one)
    await stores.read(lambda tx: tx.model_loads.get_or_none(load.id))
    await stores.read(lambda tx: tx.model_loads.live_or_none(device.id, load.accelerator))
    await stores.read(lambda tx: tx.model_loads.count_live(device.id))
    await stores.read(lambda tx: tx.model_loads.list_of_device(device.id, 10))
    await stores.read(lambda tx: tx.model_loads.current_of_device(device.id, 10))
    await stores.write(lambda tx: tx.model_loads.renew(lease.holder, [load.id], NOW))
    await stores.read(lambda tx: tx.model_loads.held(lease.holder, 10))
    await stores.read(lambda tx: tx.model_loads.free(NOW, 10))
    await stores.write(lambda tx: tx.model_loads.claim(load.id, lease, NOW))
    await stores.write(lambda tx: tx.model_loads.ask_stop(load.id, NOW))
    await stores.write(lambda tx: tx.model_loads.free_all(NOW))
    await stores.write(lambda tx: tx.model_loads.clear_current(device.id, load.accelerator))
    await stores.write(lambda tx: tx.model_loads.save(load, lease))
    await stores.write(lambda tx: tx.model_loads.trim(device.id, 1))


async def read_the_log(stores: Stores, user_id: UserId) -> None:
    home = await a_home(stores, "audit@example.com")
    given = {
        "deed": "paired",
        "user_id": user_id,
        "subject": "s7",
        "workspace_id": home.workspace.id,
        "since": NOW,
    }
    for count in range(len(given) + 1):
        for names in combinations(given, count):
            wanted = AuditFilter(**{name: given[name] for name in names})
            for sight in (EVERYTHING, Sight(user_id, (home.workspace.id,))):
                await stores.read(lambda tx, sight=sight, wanted=wanted: tx.audit.list_in(sight, wanted, 50))
    await stores.write(lambda tx: tx.audit.purge(NOW, 10))
