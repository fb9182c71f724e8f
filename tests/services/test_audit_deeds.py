"""Each deed and its line in the audit log: both, or neither, wherever it breaks."""

from collections import Counter

import pytest
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.services import sessions, users
from visiona.services.sign_in import sign_in
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.kept_sessions import KeptSessions

from tests.house.tree import PACKAGE, ROOT
from tests.services.test_wholeness import ADA, DEEDS
from tests.support.engines import EVERYWHERE, Place, contents
from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, Home, put

D = Deed

LINES: dict[str, list[Deed]] = {
    "add_user": [D.USER_CREATED],
    "disable_user": [D.USER_DISABLED],
    "disable_an_owner": [D.USER_DISABLED, D.ROLE_CHANGED],
    "create_access_token": [D.TOKEN_CREATED],
    "revoke_access_token": [D.TOKEN_REVOKED],
    "create_pairing_token": [D.PAIRING_TOKEN_CREATED],
    "p02_exchange": [D.PAIRED],
    "p02_exchange_for_a_device_that_is_there": [D.PAIRED],
    "p03_exchange_once_more": [D.PAIRED],
    "p07_revoke_pairing_token": [D.PAIRING_TOKEN_REVOKED, D.SESSION_TOKEN_REVOKED],
    "p07_unpair": [D.UNPAIRED],
    "rename_and_tag": [D.DEVICE_CHANGED],
    "mint_first_admin_link": [D.LINK_CREATED],
    "redeem_first_admin_link": [D.USER_CREATED, D.LINK_USED],
    "mint_sign_in_link": [D.LINK_CREATED],
    "redeem_sign_in_link": [D.LINK_USED, D.PASSWORD_CHANGED],
    "m05_begin_load": [D.MODEL_LOAD_STARTED],
    "m05_end_load": [D.MODEL_LOAD_ENDED],
    "create_workspace": [D.WORKSPACE_CREATED],
    "delete_workspace": [D.WORKSPACE_DELETED],
    "accept_invitation": [D.MEMBER_JOINED],
    "change_role": [D.ROLE_CHANGED],
    "remove_member": [D.MEMBER_REMOVED],
    # One for each of the two workspaces.
    "move_device": [D.DEVICE_MOVED, D.DEVICE_MOVED],
}

NOT_ALONE = {"record_reports", "begin_session", "end_sessions", "end_sessions_of_idp", "begin_sign_in"}
"""What devices' tunnels do has its own timeline; what stores do is noted by the services that have them do it."""


@pytest.fixture(params=EVERYWHERE)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def lines(stores: Stores) -> Counter[str]:
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 1000))
    return Counter(entry.deed for entry in entries)


@pytest.mark.parametrize("name", LINES)
async def test_a_deed_leaves_its_lines(name: str, stores: Stores, home: Home) -> None:
    act = await DEEDS[name](stores, home)
    before = await lines(stores)
    await act(stores)
    assert await lines(stores) - before == Counter(LINES[name])


@pytest.mark.parametrize("name", LINES)
async def test_s01_a_deed_that_breaks_leaves_neither_itself_nor_a_line(
    name: str, stores: Stores, place: Place, home: Home
) -> None:
    act = await DEEDS[name](stores, home)
    before, was = await lines(stores), contents(place, stores)
    broke = 0
    while True:
        try:
            await act(FailingStores(stores, fail_at=broke))
            break
        except StoreUnavailable:
            assert await lines(stores) == before
            assert contents(place, stores) == was
            broke += 1
    assert broke >= 2
    assert await lines(stores) - before == Counter(LINES[name])


@pytest.mark.parametrize("name", ["disable_user", "revoke_access_token"])
async def test_what_changes_nothing_leaves_no_line(name: str, stores: Stores, home: Home) -> None:
    act = await DEEDS[name](stores, home)
    await act(stores)
    before = await lines(stores)
    await act(stores)
    assert await lines(stores) == before


async def test_naming_a_device_as_it_is_named_leaves_no_line(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    act = await DEEDS["rename_and_tag"](stores, home)
    await act(stores)
    before = await lines(stores)
    await act(stores)
    assert await lines(stores) == before


async def test_sessions_leave_lines_as_they_begin_and_end(stores: Stores) -> None:
    first = await sign_in(stores, ADA, NOW)
    assert await lines(stores) == Counter([D.USER_CREATED, D.SIGN_IN])
    second = await sign_in(stores, ADA, NOW, replaces=first.text)
    assert await lines(stores) == Counter([D.USER_CREATED, D.SIGN_IN, D.SIGN_IN, D.SESSION_ENDED])
    await sessions.sign_out(stores, second.session, LATER)
    await sessions.sign_out(stores, second.session, LATER)
    assert (await lines(stores))[D.SIGN_OUT] == 1
    third = await sign_in(stores, ADA, NOW)
    await sessions.end_session(stores, third.session.id, LATER)
    assert (await lines(stores))[D.SESSION_ENDED] == 2
    for _ in range(2):
        await sign_in(stores, ADA, NOW)
    await sessions.end_sessions_of_idp(stores, ADA.issuer, LATER, subject=ADA.subject)
    assert (await lines(stores))[D.SIGN_OUT] == 3
    await sign_in(stores, ADA, NOW)
    await users.set_password(stores, first.user.id, "hash", LATER)
    assert (await lines(stores))[D.SESSION_ENDED] == 3
    assert (await lines(stores))[D.PASSWORD_CHANGED] == 1
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 1000))
    (out, *_) = [
        entry for entry in entries if entry.subject == second.session.id and entry.deed == D.SIGN_OUT
    ]
    assert out.user_id == first.user.id


@pytest.mark.parametrize("engine", ["memory", "sqlite", "postgres"])
async def test_s01_a_session_kept_in_the_database_ends_with_its_line_or_not_at_all(
    stores: Stores, place: Place
) -> None:
    done = await sign_in(stores, ADA, NOW)
    was = contents(place, stores)
    broke = 0
    while True:
        failing = FailingStores(stores, fail_at=broke)
        failing.sessions = KeptSessions(failing)
        try:
            await sessions.end_session(failing, done.session.id, LATER)
            break
        except StoreUnavailable:
            assert contents(place, stores) == was
            broke += 1
    assert broke >= 3
    assert (await lines(stores))[D.SESSION_ENDED] == 1


async def test_a12_nobody_has_a_session_that_is_not_on_record(stores: Stores) -> None:
    """Where the line cannot be written, its holder never learns the session's text."""
    for fail_at in range(100):
        before = (await lines(stores))[D.SIGN_IN]
        try:
            await sign_in(FailingStores(stores, fail_at=fail_at), ADA, NOW)
        except StoreUnavailable:
            assert (await lines(stores))[D.SIGN_IN] == before
            continue
        assert (await lines(stores))[D.SIGN_IN] == before + 1
        break
    assert fail_at >= 2


@pytest.mark.parametrize("deed", Deed)
def test_each_word_is_written_somewhere_and_is_in_the_reference(deed: Deed) -> None:
    """A deed that nobody notes would be a promise."""
    assert f"`{deed}`" in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    sources = (path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "domain" / "audit.py")
    assert any(f"Deed.{deed.name}" in path.read_text(encoding="utf-8") for path in sources)


def test_every_deed_of_the_services_is_here() -> None:
    assert set(DEEDS) <= set(LINES) | NOT_ALONE
