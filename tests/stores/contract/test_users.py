import pytest
from visiona.domain.ids import UserId
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_user, put


async def test_a_user_comes_back_as_it_went_in(stores: Stores) -> None:
    user = a_user("ada@example.com", disabled_at=LATER)
    await put(stores, user)
    assert await stores.read(lambda tx: tx.users.get_or_none(user.id)) == user


async def test_a_user_is_found_by_address_whatever_its_case(stores: Stores) -> None:
    user = a_user("ada@example.com")
    await put(stores, user)
    assert await stores.read(lambda tx: tx.users.by_email_or_none("ADA@Example.com")) == user
    assert await stores.read(lambda tx: tx.users.by_email_or_none("bob@example.com")) is None


async def test_an_address_beyond_ascii_is_found_as_it_was_written(stores: Stores) -> None:
    for email in ("Émile@example.com", "門@example.com"):
        user = a_user(email)
        await put(stores, user)
        assert await stores.read(lambda tx, email=email: tx.users.by_email_or_none(email)) == user


async def test_an_address_names_one_user_whatever_its_case(stores: Stores) -> None:
    await put(stores, a_user("ada@example.com"))
    with pytest.raises(StoreConflict) as caught:
        await put(stores, a_user("ADA@example.com"))
    assert caught.value.about == "email"


async def test_users_are_listed_by_address_and_in_pages(stores: Stores) -> None:
    await put(stores, *[a_user(f"{name}@example.com") for name in "cab"])
    first = await stores.read(lambda tx: tx.users.list_all(2))
    assert [user.name for user in first] == ["a", "b"]
    rest = await stores.read(lambda tx: tx.users.list_all(2, first[-1].email))
    assert [user.name for user in rest] == ["c"]


async def test_addresses_are_in_the_same_order_on_every_engine(stores: Stores) -> None:
    addresses = [f"{name}@example.com" for name in ("a", "b", "a-b", "a_b", "a.b", "ab", "é", "門", "z", "1")]
    await put(stores, *[a_user(email) for email in addresses])
    ordered = sorted(addresses)
    for start in range(0, len(ordered), 3):
        after = ordered[start - 1] if start else ""
        page = await stores.read(lambda tx, after=after: tx.users.list_all(3, after))
        assert [user.email for user in page] == ordered[start : start + 3]


async def test_disabling_happens_once_and_can_be_undone(stores: Stores) -> None:
    user = a_user()
    await put(stores, user)
    assert await stores.write(lambda tx: tx.users.set_disabled(user.id, NOW))
    assert not await stores.write(lambda tx: tx.users.set_disabled(user.id, LATER))
    found = await stores.read(lambda tx: tx.users.get_or_none(user.id))
    assert found is not None
    assert found.disabled_at == NOW
    assert await stores.write(lambda tx: tx.users.set_disabled(user.id, None))
    assert not await stores.write(lambda tx: tx.users.set_disabled(user.id, None))
    assert await stores.read(lambda tx: tx.users.get_or_none(user.id)) == user


async def test_a_password_is_replaced(stores: Stores) -> None:
    user = a_user()
    await put(stores, user)
    assert await stores.write(lambda tx: tx.users.set_password_hash(user.id, "hash"))
    found = await stores.read(lambda tx: tx.users.get_or_none(user.id))
    assert found is not None
    assert found.password_hash == "hash"


async def test_nobody_can_be_neither_found_nor_changed(stores: Stores) -> None:
    nobody = UserId("nobody")
    assert await stores.read(lambda tx: tx.users.get_or_none(nobody)) is None
    assert not await stores.write(lambda tx: tx.users.set_disabled(nobody, NOW))
    assert not await stores.write(lambda tx: tx.users.set_disabled(nobody, None))
    assert not await stores.write(lambda tx: tx.users.set_password_hash(nobody, "hash"))


async def test_it_is_known_whether_anybody_has_a_password(stores: Stores, home: Home) -> None:
    assert not await stores.read(lambda tx: tx.users.any_with_password())
    await stores.write(lambda tx: tx.users.set_password_hash(home.user.id, "hash"))
    assert await stores.read(lambda tx: tx.users.any_with_password())
    await stores.write(lambda tx: tx.users.set_disabled(home.user.id, LATER))
    assert await stores.read(lambda tx: tx.users.any_with_password())
