import pytest
from visiona.domain.ids import UserId
from visiona.domain.sessions import Identity
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home

ISSUER = "https://id.example"


async def add(stores: Stores, *identities: Identity) -> None:
    for identity in identities:
        await stores.write(lambda tx, identity=identity: tx.identities.add(identity))


async def test_issuer_and_subject_together_name_a_person(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    ada = Identity(ISSUER, "1", home.user.id, NOW)
    slash = Identity(ISSUER + "/", "1", bob.user.id, NOW)
    case = Identity(ISSUER, "A", bob.user.id, LATER)
    await add(stores, ada, slash, case)
    for identity in (ada, slash, case):
        found = await stores.read(
            lambda tx, each=identity: tx.identities.get_or_none(each.issuer, each.subject)
        )
        assert found == identity
    assert await stores.read(lambda tx: tx.identities.get_or_none(ISSUER, "a")) is None
    assert await stores.read(lambda tx: tx.identities.list_of_user(bob.user.id, 10)) == [case, slash]
    assert await stores.read(lambda tx: tx.identities.list_of_user(bob.user.id, 1)) == [case]


async def test_a_person_has_one_account(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    await add(stores, Identity(ISSUER, "1", home.user.id, NOW))
    with pytest.raises(StoreConflict) as caught:
        await add(stores, Identity(ISSUER, "1", bob.user.id, NOW))
    assert caught.value.about == "identity"


async def test_an_identity_belongs_to_somebody(stores: Stores) -> None:
    with pytest.raises(StoreConflict) as caught:
        await add(stores, Identity(ISSUER, "1", UserId("nobody"), NOW))
    assert caught.value.about == "reference"
