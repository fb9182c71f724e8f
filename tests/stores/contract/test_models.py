from dataclasses import replace

import pytest
from visiona.domain.ids import ModelId, UserId, WorkspaceId
from visiona.domain.models import EVERY_MODEL, Model, ModelFilter, ModelSource, ModelStatus
from visiona.domain.pages import Position
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores, Tx

from tests.support.nouns import LATER, NOW, Home, a_builtin_model, a_home

NONE = ModelId("none")


async def found(stores: Stores, model_id: ModelId) -> Model:
    model = await stores.read(lambda tx: tx.models.get_or_none(model_id))
    assert model is not None
    return model


async def put(stores: Stores, *models: Model) -> None:
    async def add(tx: Tx) -> None:
        for model in models:
            await tx.models.add(model)

    await stores.write(add)


async def listed(
    stores: Stores,
    homes: list[Home],
    wanted: ModelFilter = EVERY_MODEL,
    limit: int = 10,
    before: Position | None = None,
) -> list[Model]:
    ids = [home.workspace.id for home in homes]
    return await stores.read(lambda tx: tx.models.list_in(ids, wanted, limit, before))


async def test_a_model_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    full = replace(
        home.model(chips=("KL520", 'quote"', "晶片")),
        description="finds people",
        license="MIT",
        metrics={"mAP": 0.5, "fps": 30.0},
        faa_object_key="models/1",
        updated_at=LATER,
        deleted_at=LATER,
        file_size=2**40,
    )
    bare, builtin = home.model(chips=()), a_builtin_model()
    await put(stores, full, bare, builtin)
    assert [await found(stores, each.id) for each in (full, bare, builtin)] == [full, bare, builtin]
    assert await stores.read(lambda tx: tx.models.get_or_none(NONE)) is None


async def test_an_upsert_keeps_when_it_was_made_and_changes_the_rest(stores: Stores, home: Home) -> None:
    first = home.model(chips=("KL520",))
    await stores.write(lambda tx: tx.models.upsert(first))
    assert await found(stores, first.id) == first
    second = replace(
        first,
        name="other",
        version="2",
        target_chips=("KL720",),
        file_size=7,
        source=ModelSource.CONVERTED,
        status=ModelStatus.PENDING,
        metrics={"fps": 1.0},
        created_at=LATER,
        updated_at=LATER,
    )
    await stores.write(lambda tx: tx.models.upsert(second))
    assert await found(stores, first.id) == replace(second, created_at=first.created_at)
    assert await listed(stores, [home]) == [replace(second, created_at=first.created_at)]


async def test_lists_hold_the_workspaces_own_and_the_built_in_ones_the_newest_first(
    stores: Stores, home: Home
) -> None:
    bob = await a_home(stores, "bob@example.com")
    old, new = home.model(), home.model(created_at=LATER)
    gone, foreign, builtin = home.model(), bob.model(), a_builtin_model()
    await put(stores, old, new, gone, foreign, builtin)
    await stores.write(lambda tx: tx.models.delete(gone.id, LATER))
    assert await listed(stores, [home]) == [new, builtin, old]
    assert await listed(stores, [home, bob, home]) == [new, builtin, foreign, old]
    assert await listed(stores, []) == [builtin]


async def test_owner_chip_and_source_combine(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    made = [
        replace(home.model(chips=chips), user_id=owner, source=source)
        for chips in (("KL520",), ("KL520", "KL720"), ())
        for owner in (home.user.id, bob.user.id)
        for source in (ModelSource.UPLOADED, ModelSource.CONVERTED)
    ]
    await put(stores, *made, a_builtin_model(chips=("KL520",)))
    everything = await listed(stores, [home], limit=100)
    assert len(everything) == 13
    for owner in (None, home.user.id, UserId("nobody")):
        for chip in (None, "KL520", "KL720", "KL5", "%", '"KL520"'):
            for source in (None, *ModelSource):
                wanted = ModelFilter(owner, chip, source)
                expected = [each for each in everything if wanted.takes(each)]
                assert await listed(stores, [home], wanted, 100) == expected


async def test_pages_follow_each_other_also_within_one_moment(stores: Stores, home: Home) -> None:
    await put(stores, *(home.model(chips=("KL520",)) for _ in range(4)), a_builtin_model(chips=("KL520",)))
    wanted = ModelFilter(chip="KL520")
    first = await listed(stores, [home], wanted, 2)
    second = await listed(stores, [home], wanted, 3, Position(first[-1].created_at, first[-1].id))
    assert first + second == await listed(stores, [home], wanted)
    last = Position(second[-1].created_at, second[-1].id)
    assert await listed(stores, [home], wanted, 2, last) == []


async def test_what_a_workspace_holds_is_counted_and_summed(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    gone = replace(home.model(), file_size=1000)
    await put(stores, replace(home.model(), file_size=2**40), replace(home.model(), file_size=1), gone)
    await put(stores, replace(bob.model(), file_size=5), a_builtin_model())
    await stores.write(lambda tx: tx.models.delete(gone.id, LATER))
    ids = [home.workspace.id, bob.workspace.id, home.workspace.id]
    assert await stores.read(lambda tx: tx.models.count_in(ids)) == 3
    assert await stores.read(lambda tx: tx.models.bytes_in(ids)) == 2**40 + 6
    assert await stores.read(lambda tx: tx.models.bytes_in([WorkspaceId("none")])) == 0


async def test_a_pending_model_becomes_ready_once(stores: Stores, home: Home) -> None:
    pending = replace(home.model(), status=ModelStatus.PENDING)
    gone = replace(home.model(), status=ModelStatus.PENDING, deleted_at=NOW)
    await put(stores, pending, gone)
    assert await stores.write(lambda tx: tx.models.set_ready(pending.id, LATER))
    assert await found(stores, pending.id) == replace(pending, status=ModelStatus.READY, updated_at=LATER)
    for model_id in (pending.id, gone.id, NONE):
        assert not await stores.write(lambda tx, model_id=model_id: tx.models.set_ready(model_id, LATER))


async def test_deleting_is_soft_and_happens_once(stores: Stores, home: Home) -> None:
    model = home.model()
    await put(stores, model)
    assert await stores.write(lambda tx: tx.models.delete(model.id, LATER))
    assert await found(stores, model.id) == replace(model, deleted_at=LATER, updated_at=LATER)
    for model_id in (model.id, NONE):
        assert not await stores.write(lambda tx, model_id=model_id: tx.models.delete(model_id, NOW))


async def test_broken_promises_of_models_are_named(stores: Stores, home: Home) -> None:
    model = replace(home.model(), faa_object_key="models/1")
    await put(stores, model)
    broken = [
        (replace(model, faa_object_key=None), "model"),
        (replace(home.model(), faa_object_key="models/1"), "object_key"),
        (replace(home.model(), workspace_id=WorkspaceId("none")), "reference"),
        (replace(home.model(), user_id=UserId("none")), "reference"),
        (replace(home.model(), workspace_id=None), "other"),
        (replace(home.model(), user_id=None), "other"),
        (replace(home.model(), source=ModelSource.BUILTIN), "other"),
        (replace(a_builtin_model(), source=ModelSource.UPLOADED), "other"),
    ]
    for each, about in broken:
        with pytest.raises(StoreConflict) as caught:
            await put(stores, each)
        assert caught.value.about == about
    same_key = replace(home.model(), faa_object_key="models/1")
    with pytest.raises(StoreConflict) as caught:
        await stores.write(lambda tx: tx.models.upsert(same_key))
    assert caught.value.about == "object_key"
    await stores.write(lambda tx: tx.models.upsert(model))
    assert await listed(stores, [home]) == [model]


async def test_a_model_is_found_by_name_and_version_in_its_workspace_alone(
    stores: Stores, home: Home
) -> None:
    other = await a_home(stores, "bob@example.com")
    first = replace(home.model(), name="yolo", version="1")
    theirs = replace(other.model(), name="yolo", version="1")
    gone = replace(home.model(), name="yolo", version="2", deleted_at=LATER)
    await put(stores, first, theirs, gone)

    async def named(version: str, where: Home = home) -> Model | None:
        return await stores.read(lambda tx: tx.models.by_version_or_none(where.workspace.id, "yolo", version))

    assert await named("1") == first
    assert await named("1", other) == theirs
    assert await named("2") is None
    later = replace(home.model(created_at=LATER), name="yolo", version="1")
    await put(stores, later)
    assert await named("1") == later


async def test_a_model_is_found_by_its_files_key_until_it_is_deleted(stores: Stores, home: Home) -> None:
    one, other = (replace(home.model(), faa_object_key=f"{n}-key-of-it") for n in range(2))
    keyless = home.model()
    await put(stores, one, other, keyless)
    keys = ["0-key-of-it", "1-key-of-it", "2-key-of-it"]
    assert await stores.read(lambda tx: tx.models.by_key_or_none(keys[0])) == one
    assert await stores.read(lambda tx: tx.models.by_key_or_none(keys[2])) is None
    assert await stores.read(lambda tx: tx.models.known_keys(keys)) == set(keys[:2])
    assert await stores.read(lambda tx: tx.models.known_keys([])) == set()
    await stores.write(lambda tx: tx.models.delete(one.id, LATER))
    assert await stores.read(lambda tx: tx.models.by_key_or_none(keys[0])) is None
    assert await stores.read(lambda tx: tx.models.known_keys(keys)) == {keys[1]}


async def test_a_model_that_is_held_is_given_as_it_is(stores: Stores, home: Home) -> None:
    model = home.model()
    await put(stores, model)
    assert await stores.write(lambda tx: tx.models.lock_or_none(model.id)) == model
    assert await stores.write(lambda tx: tx.models.lock_or_none(NONE)) is None
