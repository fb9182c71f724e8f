from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.access import Role
from visiona.domain.errors import NotAllowed
from visiona.domain.notices import NoticeKind
from visiona.domain.sessions import MAX_USER_AGENT_CHARACTERS, SessionLimits, secret_hash
from visiona.services.sessions import session_or_none
from visiona.services.sign_in import Browser, Claims, SignedIn, sign_in
from visiona.services.users import add_user, disable_user, list_users
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home

CLAIMS = Claims("https://id.example", "248289761001", "Ada@Example.com", True, "Ada L.")


async def workspaces(stores: Stores, done: SignedIn) -> list[Role]:
    found = await stores.read(lambda tx: tx.workspaces.list_of_user(done.user.id, 10))
    return [role for _, role in found]


async def test_somebody_new_gets_an_account_a_workspace_and_a_session(stores: Stores) -> None:
    browser = Browser("Browser/1\r\n\u202eevil " + "x" * 1000, "192.0.2.1")
    limits = SessionLimits(timedelta(hours=1), timedelta(hours=2))
    claims = replace(CLAIMS, idp_sid="sid", id_token="eyJ.hush")
    done = await sign_in(stores, claims, NOW, browser=browser, limits=limits)
    assert (done.user.email, done.user.name, done.user.is_admin) == ("ada@example.com", "Ada L.", False)
    assert await workspaces(stores, done) == [Role.OWNER]
    session = done.session
    assert session == await session_or_none(stores, done.text, NOW)
    assert session.token_hash == secret_hash(done.text)
    assert (session.issuer, session.subject, session.idp_sid) == (claims.issuer, claims.subject, "sid")
    assert session.user_agent.startswith("Browser/1 evil x")
    assert len(session.user_agent) == MAX_USER_AGENT_CHARACTERS
    assert session.address == "192.0.2.1"
    assert session.idle_expires_at == NOW + timedelta(hours=1)
    assert session.absolute_expires_at == NOW + timedelta(hours=2)
    assert done.text not in f"{done}"
    assert "hush" not in f"{claims}{done}"


async def test_the_same_person_comes_back_to_the_same_account(stores: Stores) -> None:
    """By issuer and subject alone: address and name may have changed since."""
    first = await sign_in(stores, CLAIMS, NOW)
    again = await sign_in(stores, replace(CLAIMS, email="eve@example.com", name="Eve"), LATER)
    assert again.user == first.user
    assert len(await list_users(stores)) == 1
    assert again.text != first.text
    assert await session_or_none(stores, first.text, LATER) is not None


@pytest.mark.parametrize(
    "other", [{"issuer": "https://id.example/"}, {"subject": "248289761002"}, {"subject": "248289761001 "}]
)
async def test_another_issuer_or_subject_is_another_person(stores: Stores, other: dict[str, str]) -> None:
    first = await sign_in(stores, replace(CLAIMS, email=None), NOW)
    second = await sign_in(stores, replace(CLAIMS, email=None, **other), NOW)
    assert second.user.id != first.user.id


async def test_a_verified_address_leads_to_the_account_that_an_administrator_made(
    stores: Stores, home: Home
) -> None:
    done = await sign_in(stores, CLAIMS, NOW)
    assert done.user == home.user
    moved = await sign_in(stores, replace(CLAIMS, issuer="https://new.example", subject="x"), NOW)
    assert moved.user == home.user


async def test_an_address_that_is_not_verified_leads_to_nobodys_account(stores: Stores, home: Home) -> None:
    with pytest.raises(NotAllowed, match="does not say that this address is yours"):
        await sign_in(stores, replace(CLAIMS, email_verified=False), NOW)
    assert [user.id for user in await list_users(stores)] == [home.user.id]
    assert await stores.sessions.list_of_user(home.user.id, NOW) == []


@pytest.mark.parametrize("look_alike", ["\u212aate@example.com", "kate@boo\u212a.example"])
async def test_an_address_that_only_becomes_somebodys_in_small_letters_leads_to_nobodys_account(
    stores: Stores, look_alike: str
) -> None:
    """The Kelvin sign, whose small letter is a plain k."""
    theirs = await add_user(stores, look_alike.replace("\u212a", "k"), None, NOW)
    assert look_alike.lower() == theirs.email
    stranger = await sign_in(stores, replace(CLAIMS, email=look_alike), NOW)
    assert stranger.user.id != theirs.id
    assert stranger.user.email == f"{stranger.user.id}@visiona.local"


async def test_an_address_in_capitals_of_any_alphabet_is_still_the_same(stores: Stores) -> None:
    ada = await add_user(stores, "\u00e4da@example.com", None, NOW)
    assert (await sign_in(stores, replace(CLAIMS, email="\u00c4DA@Example.com"), NOW)).user.id == ada.id


async def test_an_address_that_is_not_verified_is_not_kept_for_its_owner_to_fall_into(stores: Stores) -> None:
    """Else somebody could have the account ready into which the address's owner signs in later."""
    stranger = await sign_in(stores, replace(CLAIMS, email_verified=False, subject="eve", name=""), NOW)
    assert stranger.user.email == f"{stranger.user.id}@visiona.local"
    assert stranger.user.name == "ada"
    owner = await sign_in(stores, CLAIMS, NOW)
    assert owner.user.id != stranger.user.id


async def test_an_address_given_to_somebody_else_since_opens_nothing(stores: Stores) -> None:
    await sign_in(stores, CLAIMS, NOW)
    with pytest.raises(NotAllowed, match="another person"):
        await sign_in(stores, replace(CLAIMS, subject="the successor"), NOW)
    assert len(await list_users(stores)) == 1


@pytest.mark.parametrize("email", [None, "", "no address", "a@b\r\nc"])
async def test_a_person_without_an_address_has_an_account_too(stores: Stores, email: str | None) -> None:
    done = await sign_in(stores, replace(CLAIMS, email=email, name=""), NOW)
    assert done.user.email == f"{done.user.id}@visiona.local"
    assert done.user.name == CLAIMS.subject


async def test_a_person_of_whom_nothing_can_be_read_has_a_name_still(stores: Stores) -> None:
    done = await sign_in(stores, replace(CLAIMS, subject="\u200b", email=None, name="\r\n"), NOW)
    assert done.user.name == done.user.email


@pytest.mark.parametrize("subject", ["", "x" * 256])
async def test_a_subject_that_is_none_is_nobody(stores: Stores, subject: str) -> None:
    with pytest.raises(NotAllowed):
        await sign_in(stores, replace(CLAIMS, subject=subject), NOW)
    assert await list_users(stores) == []


async def test_a14_a_disabled_account_opens_for_nobody(stores: Stores, home: Home) -> None:
    done = await sign_in(stores, CLAIMS, NOW)
    await disable_user(stores, home.user.id, NOW)
    assert await session_or_none(stores, done.text, NOW) is None
    with pytest.raises(NotAllowed, match="disabled"):
        await sign_in(stores, CLAIMS, NOW)
    with pytest.raises(NotAllowed, match="disabled"):
        await sign_in(stores, replace(CLAIMS, issuer="https://new.example"), NOW)
    assert await stores.read(lambda tx: tx.identities.get_or_none("https://new.example", "x")) is None
    assert await stores.sessions.list_of_user(home.user.id, NOW) == []


async def test_a06_signing_in_again_gives_a_new_session_and_ends_the_old_one(stores: Stores) -> None:
    first = await sign_in(stores, CLAIMS, NOW)
    second = await sign_in(stores, CLAIMS, LATER, replaces=first.text)
    assert (first.replaced, second.replaced) == (None, first.session.id)
    assert second.text != first.text
    assert second.session.id != first.session.id
    assert await session_or_none(stores, first.text, LATER) is None
    assert await session_or_none(stores, second.text, LATER) == second.session
    notices = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert [(notice.kind, notice.subject) for notice in notices] == [
        (NoticeKind.SESSION_ENDED, first.session.id)
    ]


@pytest.mark.parametrize("text", ["A" * 43, "", "x" * 9000, "ü" * 43])
async def test_a06_a_session_that_a_client_chose_is_never_adopted(stores: Stores, text: str) -> None:
    done = await sign_in(stores, CLAIMS, NOW, replaces=text)
    assert done.text != text
    assert await session_or_none(stores, text, NOW) is None


async def test_a12_a_store_that_cannot_keep_a_session_begins_none(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(stores.sessions, "create", down)
    with pytest.raises(StoreUnavailable):
        await sign_in(stores, CLAIMS, NOW)
