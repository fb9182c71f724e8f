from dataclasses import replace
from typing import Any

import pytest
import trio
from visiona.domain.access import Actor, Role
from visiona.domain.audit import EVERYTHING, AuditFilter, Deed
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound, StorageFull, TooLarge, VisionaError
from visiona.domain.ids import ModelId, UserId
from visiona.domain.models import EVERY_MODEL, Model, ModelFilter, ModelSource, ModelStatus
from visiona.services.models import Announced, Quota, announce_model, announced, get_model, list_models
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_builtin_model, a_home, a_workspace, put

ROOMY = Quota(models=100, bytes=10_000, file_bytes=5_000)


def said(**changes: Any) -> Announced:
    given: dict[str, Any] = {
        "name": "yolo",
        "version": "1",
        "target_chips": ["KL720"],
        "file_size": 1000,
        "sha256": "a" * 64,
    }
    return announced(**{**given, **changes})


async def announce(stores: Stores, home: Home, quota: Quota = ROOMY, **changes: Any) -> Model:
    return (await announce_model(stores, home.actor, said(**changes), quota, NOW)).model


def test_what_is_said_is_kept_as_it_may_be_read() -> None:
    model = said(
        target_chips=[" kl520", "KL720", "kl520"],
        sha256="A" * 64,
        description="finds\npeople",
        license=" MIT ",
        metrics={"mAP": 1, "fps": 29.5},
        source="converted",
    )
    assert model.target_chips == ("KL520", "KL720")
    assert (model.sha256, model.description, model.license) == ("a" * 64, "finds people", "MIT")
    assert (model.metrics, model.source) == ({"mAP": 1.0, "fps": 29.5}, ModelSource.CONVERTED)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", " \n", "x" * 121, "x" * 4096)),
        *(("version", value) for value in ("", "\u200b", "v" * 65)),
        *(
            ("target_chips", value)
            for value in ([], [""], ["KL 720"], ["../x"], ["x" * 33], [f"K{n}" for n in range(17)])
        ),
        *(("file_size", value) for value in (0, -1)),
        *(("sha256", value) for value in ("", "a" * 63, "a" * 65, "g" * 64, "a" * 63 + "\n")),
        *(("source", value) for value in ("builtin", "found", "")),
        *(("metrics", value) for value in ({"": 1}, {"x": float("nan")}, {f"m{n}": 1 for n in range(65)})),
        ("metrics", {"a": 1, "a\n": 2}),
    ],
)
def test_what_is_wrong_names_its_field(field: str, value: object) -> None:
    with pytest.raises(Invalid, match=f"^{field}: "):
        said(**{field: value})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../x", "../../x"),
        ("/etc/passwd", "/etc/passwd"),
        ("CON", "CON"),
        ("a\0b", "a b"),
        ("exe.\u202egpj", "exe. gpj"),
        ("one\r\ntwo", "one two"),
    ],
)
async def test_m01_a_name_is_only_read_and_never_part_of_where_the_file_lies(
    stores: Stores, home: Home, given: str, kept: str
) -> None:
    model = await announce(stores, home, name=given)
    assert model.name == kept
    assert model.faa_object_key is not None
    assert model.faa_object_key.removeprefix("model-").isalnum()
    assert model.id not in model.faa_object_key


async def test_a_model_is_pending_and_the_callers(stores: Stores, home: Home) -> None:
    model = await announce(stores, home)
    assert (model.workspace_id, model.user_id) == (home.workspace.id, home.user.id)
    assert (model.status, model.created_at) == (ModelStatus.PENDING, NOW)
    assert await get_model(stores, home.actor, model.id) == model


async def test_a_pending_one_is_said_anew_and_stays_the_same_model(stores: Stores, home: Home) -> None:
    first = await announce(stores, home)
    same, former = await announce_model(stores, home.actor, said(description="better"), ROOMY, LATER)
    assert former is None
    assert (same.id, same.created_at, same.updated_at) == (first.id, NOW, LATER)
    assert same.faa_object_key == first.faa_object_key
    other, former = await announce_model(stores, home.actor, said(sha256="b" * 64), ROOMY, LATER)
    assert former == same
    assert (other.id, other.sha256) == (first.id, "b" * 64)
    assert other.faa_object_key != first.faa_object_key
    assert len((await list_models(stores, home.actor, EVERY_MODEL)).items) == 1


async def test_m05_the_same_version_with_other_bytes_is_a_conflict(stores: Stores, home: Home) -> None:
    model = await announce(stores, home)
    await stores.write(lambda tx: tx.models.set_ready(model.id, NOW))
    for change in ({"sha256": "b" * 64}, {"file_size": 999}):
        with pytest.raises(Conflict) as refused:
            await announce(stores, home, **change)
        assert refused.value.details["model_id"] == model.id
    again = await announce(stores, home, description="what was forgotten")
    assert (again.id, again.status, again.description) == (model.id, ModelStatus.READY, "what was forgotten")
    assert (await announce(stores, home, version="2", sha256="b" * 64)).id != model.id


async def test_members_see_and_admins_change(stores: Stores, home: Home) -> None:
    shared = a_workspace()
    await put(stores, shared)

    def actor(role: Role | None) -> Actor:
        given = {shared.id: role} if role is not None else {}
        return replace(home.actor, workspaces={**home.actor.workspaces, **given})

    announced_there = await announce_model(
        stores, actor(Role.ADMIN), said(), ROOMY, NOW, workspace_id=shared.id
    )
    model = announced_there.model
    assert await get_model(stores, actor(Role.MEMBER), model.id) == model
    with pytest.raises(NotAllowed):
        await announce_model(stores, actor(Role.MEMBER), said(), ROOMY, NOW, workspace_id=shared.id)
    with pytest.raises(NotFound):
        await announce_model(stores, actor(None), said(), ROOMY, NOW, workspace_id=shared.id)


async def test_h08_somebody_elses_a_deleted_and_no_model_are_alike(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    foreign, gone = await announce(stores, bob), await announce(stores, home)
    await stores.write(lambda tx: tx.models.delete(gone.id, LATER))
    for model_id in (foreign.id, gone.id, ModelId("../x"), ModelId("01890a5d-ac96-774b-bcce-b302099a8057")):
        with pytest.raises(NotFound, match="there is no such model"):
            await get_model(stores, home.actor, model_id)


async def test_built_in_models_are_everybodys_to_see(stores: Stores, home: Home) -> None:
    builtin = a_builtin_model()
    await stores.write(lambda tx: tx.models.add(builtin))
    assert await get_model(stores, home.actor, builtin.id) == builtin


async def test_the_three_filters_combine_and_a_list_is_walked(stores: Stores, home: Home) -> None:
    for number in range(6):
        chips, source = (
            (["KL520"], ["KL520", "KL720"])[number % 2],
            ("uploaded", "converted")[number % 3 == 0],
        )
        await announce(stores, home, version=str(number), target_chips=chips, source=source)
    wanted = ModelFilter(home.user.id, "KL720", ModelSource.CONVERTED)
    assert [each.version for each in (await list_models(stores, home.actor, wanted)).items] == ["3"]
    walked, cursor = [], None
    while True:
        page = await list_models(stores, home.actor, EVERY_MODEL, limit=4, cursor=cursor)
        walked += [each.version for each in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(walked) == [str(number) for number in range(6)]


@pytest.mark.parametrize("owner", ["nobody", "\0", "a\0b", "\ud800", "x" * 100_000])
async def test_h19_what_is_no_id_has_no_models(stores: Stores, home: Home, owner: str) -> None:
    """PostgreSQL has no text with NUL in it, and no half characters."""
    await announce(stores, home)
    found = await list_models(stores, home.actor, ModelFilter(owner=UserId(owner)))
    assert found.items == ()


async def test_a_share_is_used_up_at_its_last_byte_and_model(stores: Stores, home: Home) -> None:
    quota = Quota(models=3, bytes=2500, file_bytes=2000)
    with pytest.raises(TooLarge):
        await announce(stores, home, quota, file_size=2001)
    await announce(stores, home, quota)
    with pytest.raises(StorageFull) as refused:
        await announce(stores, home, quota, version="2", file_size=1501)
    assert refused.value.details == {"used_bytes": 1000, "quota_bytes": 2500}
    second = await announce(stores, home, quota, version="2", file_size=1500)
    with pytest.raises(StorageFull):
        await announce(stores, home, quota, version="2", file_size=1501)
    await announce(stores, home, quota, version="2", file_size=1499)
    await announce(stores, home, quota, version="3", file_size=1)
    with pytest.raises(StorageFull):
        await announce(stores, home, replace(quota, bytes=10_000), version="4")
    await stores.write(lambda tx: tx.models.delete(second.id, NOW))
    await announce(stores, home, quota, version="4")


async def test_m08_thirty_at_once_do_not_get_past_a_share(stores: Stores, home: Home) -> None:
    quota, outcomes = Quota(models=100, bytes=5500, file_bytes=5000), []

    async def one(number: int) -> None:
        try:
            await announce(stores, home, quota, version=str(number))
            outcomes.append("done")
        except VisionaError as refused:
            outcomes.append(refused.code)

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(one, number)
    assert sorted(outcomes) == ["STORAGE_FULL"] * 25 + ["done"] * 5
    assert await stores.read(lambda tx: tx.models.bytes_in([home.workspace.id])) == 5000


async def test_thirty_at_once_who_announce_one_version_make_one_model(stores: Stores, home: Home) -> None:
    found = set()

    async def one(number: int) -> None:
        found.add((await announce(stores, home, description=str(number))).id)

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(one, number)
    assert len(found) == 1


async def test_what_is_done_to_a_model_is_in_the_audit_log(stores: Stores, home: Home) -> None:
    model = await announce(stores, home)
    await announce(stores, home, description="more")
    deeds = await deeds_of(stores, model)
    assert deeds == [Deed.MODEL_CHANGED, Deed.MODEL_CREATED]


async def deeds_of(stores: Stores, model: Model) -> list[Deed]:
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, AuditFilter(subject=model.id), 10))
    return sorted((Deed(entry.deed) for entry in entries), key=lambda deed: deed.value)
