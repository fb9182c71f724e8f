from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.loads import Fault
from visiona.domain.notices import NoticeKind
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL, LinkPurpose, OneTimeLink
from visiona.domain.sessions import PENDING_LOGIN_TTL, PendingLogin
from visiona.services import housekeeping
from visiona.services.housekeeping import purge_expired
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.away import AwayStores
from tests.support.nouns import NOW, a_home, an_entry, an_event, new_hash, put

LONG_AGO = NOW - timedelta(days=800)


async def test_what_nobody_asks_for_any_more_is_forgotten(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH_ROWS", 2)
    home = await a_home(stores)
    device = home.device()
    old_pairing = [home.pairing_token(created_at=LONG_AGO) for _ in range(5)]
    old_session = home.session_token(device, created_at=LONG_AGO, pairing_token_id=old_pairing[0].id)
    old_access = home.access_token(created_at=LONG_AGO, expires_at=LONG_AGO + timedelta(days=1))
    young = (home.pairing_token(), home.session_token(device), home.access_token())
    await put(stores, device, *old_pairing, old_session, old_access, *young)
    await put(stores, home.invitation("a@b.c", created_at=LONG_AGO), home.invitation("d@e.f"))
    model = home.model()
    old, kept_load = home.load(device, model, "a"), home.load(device, model, "b")
    ends = [(old, LONG_AGO), (kept_load, NOW - timedelta(days=180))]
    ended = [replace(one, load=one.load.failed(Fault.CANCELLED, "", at)) for one, at in ends]
    await put(stores, model, *ended)
    await put(stores, an_event(device, at=LONG_AGO), an_event(device))
    for at in (LONG_AGO, LONG_AGO, NOW):
        await stores.write(lambda tx, at=at: tx.notices.append(NoticeKind.DEVICE_DELETED, "d", at))
        await stores.sessions.create(home.session(created_at=at))
        await stores.pending_logins.create(
            PendingLogin(new_hash(), "b", "n", "v", "/", at, at + PENDING_LOGIN_TTL)
        )
        link = OneTimeLink(new_hash(), LinkPurpose.FIRST_ADMIN, None, at, at + ONE_TIME_LINK_TTL)
        await stores.write(lambda tx, link=link: tx.one_time_links.add(link))
    last_year = NOW - timedelta(days=365)
    kept = an_entry(at=last_year)
    await put(stores, an_entry(at=LONG_AGO), an_entry(at=last_year - timedelta(microseconds=1)), kept)
    assert await purge_expired(stores, NOW) == {
        "session_tokens": 1,
        "pairing_tokens": 5,
        "access_tokens": 1,
        "sessions": 2,
        "pending_logins": 2,
        "one_time_links": 2,
        "invitations": 1,
        "device_events": 1,
        "model_loads": 1,
        "audit_entries": 2,
        "notices": 2,
    }
    assert await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 10)) == [young[0]]
    assert await stores.read(lambda tx: tx.session_tokens.list_of_user(home.user.id, 10)) == [young[1]]
    assert await stores.read(lambda tx: tx.access_tokens.list_of_user(home.user.id, 10)) == [young[2]]


async def test_the_audit_log_is_kept_as_long_as_was_asked(stores: Stores) -> None:
    await put(stores, an_entry(at=NOW - timedelta(days=29)), an_entry(at=NOW - timedelta(days=31)))
    assert (await purge_expired(stores, NOW, timedelta(days=30)))["audit_entries"] == 1
    assert (await purge_expired(stores, NOW))["audit_entries"] == 0


async def test_p11_an_expired_session_token_is_remembered_for_a_year(stores: Stores) -> None:
    home = await a_home(stores)
    device = home.device()
    token = home.session_token(device)
    await put(stores, device, token)
    year = token.expires_at + timedelta(days=365)
    assert (await purge_expired(stores, year))["session_tokens"] == 0
    assert (await purge_expired(stores, year + timedelta(seconds=1)))["session_tokens"] == 1


async def test_s02_what_the_database_keeps_is_forgotten_also_while_sessions_are_away() -> None:
    stores = AwayStores()
    link = OneTimeLink(new_hash(), LinkPurpose.FIRST_ADMIN, None, LONG_AGO, LONG_AGO + ONE_TIME_LINK_TTL)
    await stores.write(lambda tx: tx.one_time_links.add(link))
    for at in (LONG_AGO, NOW):
        await stores.write(lambda tx, at=at: tx.notices.append(NoticeKind.DEVICE_DELETED, "d", at))
    stores.sessions_are_away = True
    with pytest.raises(StoreUnavailable):
        await purge_expired(stores, NOW)
    assert [notice.at for notice in await stores.read(lambda tx: tx.notices.after(0, 10))] == [NOW]
    assert await stores.read(lambda tx: tx.one_time_links.get_or_none(link.hash)) is None
