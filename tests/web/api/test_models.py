import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from visiona.domain.access import Scope
from visiona.services.model_files import file_of
from visiona.services.models import get_model
from visiona.stores.files.folder import FolderFiles
from visiona.stores.files.interfaces import FileRef

from tests.support.nouns import a_builtin_model
from tests.web.world import Answer, Person, World, some_models

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def told(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "yolo",
        "version": "1",
        "target_chips": ["kl720"],
        "file_size": len(CONTENT),
        "sha256": DIGEST,
    }
    return {**given, **changes}


async def init(person: Person, **changes: Any) -> Answer:
    return await person.ask("POST", "/api/models/init", json=told(**changes))


async def brought(person: Person, **changes: Any) -> str:
    """The id of a model that is ready."""
    world, model_id = person.world, str((await init(person, **changes)).data["model"]["id"])
    model = await get_model(world.stores, await person.actor(), model_id)
    async with world.models.files.open_upload(file_of(model)) as upload:
        await upload.write(CONTENT)
        await upload.commit()
    assert (await person.ask("POST", f"/api/models/{model_id}/finalize")).data["status"] == "ready"
    return model_id


async def test_a_model_is_announced_with_a_link_and_shown_as_the_contract_says() -> None:
    world = World()
    ada = await world.person()
    done = (await init(ada, description="d", license="MIT", metrics={"fps": 30}, source="converted")).data
    model = done["model"]
    assert set(model) == {
        *("id", "name", "description", "version", "target_chips", "file_size", "sha256", "source", "status"),
        *("license", "metrics", "created_at", "updated_at", "workspace_id", "owner"),
    }
    assert (model["target_chips"], model["status"], model["source"]) == (["KL720"], "pending", "converted")
    assert done["upload_url"].startswith("/storage/model-")
    assert done["expires_at"] == "2026-01-02T03:19:05Z"
    assert done["resumable"] is True
    assert (await ada.ask("GET", f"/api/models/{model['id']}")).data == model


async def test_what_is_not_said_is_left_out_and_the_files_place_is_never_shown() -> None:
    world = World()
    ada = await world.person()
    model_id = await brought(ada)
    for path in ("/api/models", f"/api/models/{model_id}"):
        answer = await ada.ask("GET", path)
        assert b"key" not in answer.body
        assert b"null" not in answer.body


async def test_a_ready_one_announced_again_has_no_link_and_with_other_bytes_is_409() -> None:
    world = World()
    ada = await world.person()
    await brought(ada)
    assert set((await init(ada, license="MIT")).data) == {"model"}
    refused = await init(ada, sha256="0" * 64)
    assert (refused.status, refused.code) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": None},
        {"file_size": "5"},
        {"file_size": None},
        {"target_chips": None},
        {"target_chips": "KL720"},
        {"metrics": [1]},
        {"metrics": {"a": "b"}},
        {"metrics": {"a": True}},
    ],
)
async def test_a_field_that_is_wrong_is_400(changes: dict[str, Any]) -> None:
    world = World()
    refused = await init(await world.person(), **changes)
    assert (refused.status, refused.code) == (400, "VALIDATION_FAILED")


async def test_too_large_is_413_and_a_share_that_is_used_up_507() -> None:
    world = World()
    ada = await world.person()
    assert (await init(ada, file_size=5_000_001)).code == "PAYLOAD_TOO_LARGE"
    for version in range(10):
        assert (await init(ada, version=str(version))).status == 200
    refused = await init(ada, version="10")
    assert (refused.status, refused.code) == (507, "STORAGE_FULL")


async def test_the_list_is_bare_without_a_limit_and_filtered() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    builtin = a_builtin_model()
    await world.stores.write(lambda tx: tx.models.add(builtin))
    ours = (await init(ada)).data["model"]["id"]
    await init(ada, version="2", target_chips=["KL520"])
    await init(bob)

    async def listed(query: str) -> list[str]:
        return [each["id"] for each in (await ada.ask("GET", f"/api/models{query}")).data]

    assert len(await listed("")) == 3
    assert await listed("?owner=me&chip=kl720&source=uploaded") == [ours]
    assert await listed(f"?owner={ada.user_id}&chip=KL720") == [ours]
    assert await listed(f"?owner={bob.user_id}") == []
    assert await listed("?source=builtin") == [builtin.id]
    page = (await ada.ask("GET", "/api/models?limit=1")).data
    assert len(page["items"]) == 1
    assert page["next_cursor"]
    for wrong in ("?source=found", "?chip=../x", "?limit=0", "?limit=1&cursor=x"):
        assert (await ada.ask("GET", f"/api/models{wrong}")).code == "VALIDATION_FAILED"


async def test_h08_somebody_elses_model_is_404_everywhere() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    theirs = await brought(bob)
    for method, path in (("GET", ""), ("GET", "/download"), ("POST", "/finalize"), ("DELETE", "")):
        for model_id in (theirs, "nonsense", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"):
            refused = await ada.ask(method, f"/api/models/{model_id}{path}")
            assert (refused.status, refused.code) == (404, "NOT_FOUND")
    assert (await init(ada, workspace_id="nonsense")).status == 404


async def test_each_route_needs_its_scope() -> None:
    world = World()
    reader = await world.person("r@example.com", [Scope.MODELS_READ])
    writer = await world.person("w@example.com", [Scope.MODELS_WRITE])
    assert (await init(reader)).code == "FORBIDDEN"
    model_id = (await init(writer)).data["model"]["id"]
    for method, path in (("POST", "/finalize"), ("DELETE", "")):
        assert (await reader.ask(method, f"/api/models/{model_id}{path}")).code == "FORBIDDEN"
    for path in ("", "/download"):
        assert (await writer.ask("GET", f"/api/models/{model_id}{path}")).code == "FORBIDDEN"
    assert (await writer.ask("GET", "/api/models")).code == "FORBIDDEN"


async def test_a_download_is_whole_in_part_or_its_head() -> None:
    world = World()
    ada = await world.person()
    path = f"/api/models/{await brought(ada)}/download"
    whole = await ada.ask("GET", path)
    assert (whole.status, whole.body) == (200, CONTENT)
    assert whole.headers["ETag"] == f'"{DIGEST}"'
    assert whole.headers["Content-Length"] == str(len(CONTENT))
    assert whole.headers["Content-Type"] == "application/octet-stream"
    part = await ada.ask("GET", path, headers={"Range": "bytes=100000-100099"})
    assert (part.status, part.body) == (206, CONTENT[100000:100100])
    assert part.headers["Content-Range"] == f"bytes 100000-100099/{len(CONTENT)}"
    head = await ada.ask("HEAD", path)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", whole.headers["ETag"])
    head = await ada.ask("HEAD", path, headers={"Range": "bytes=5-9"})
    assert (head.status, head.body, "Content-Range" in head.headers) == (200, b"", False)
    several = await ada.ask("GET", path, headers={"Range": "bytes=0-1,5-9"})
    assert (several.status, several.body) == (200, CONTENT)
    suffix = await ada.ask("GET", path, headers={"Range": "bytes=-10"})
    assert (suffix.status, suffix.body) == (206, CONTENT[-10:])


async def test_m09_a_download_goes_on_only_with_the_same_file() -> None:
    world = World()
    ada = await world.person()
    path = f"/api/models/{await brought(ada)}/download"
    for headers, status in (
        ({"Range": "bytes=5-", "If-Range": f'"{DIGEST}"'}, 206),
        ({"Range": "bytes=5-", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=5-", "If-Match": '"other"'}, 412),
        ({"If-None-Match": f'"{DIGEST}"'}, 304),
        ({"Range": f"bytes={len(CONTENT)}-"}, 416),
    ):
        answer = await ada.ask("GET", path, headers=headers)
        assert answer.status == status
        assert answer.headers["ETag"] == f'"{DIGEST}"'
        assert (answer.body == b"") is (status >= 300)


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "a\r\nSet-Cookie: b=c", '"; x="', ".profile", "模型"]
)
async def test_m01_a_downloads_name_is_only_a_name(name: str) -> None:
    world = World()
    ada = await world.person()
    answer = await ada.ask("GET", f"/api/models/{await brought(ada, name=name)}/download")
    said = answer.headers["Content-Disposition"]
    assert said.startswith("attachment; filename*=UTF-8''")
    file_name = said.partition("''")[2]
    assert not set(file_name) & set('/\\"; \r\n')
    assert not file_name.startswith(".")
    assert "Set-Cookie" not in answer.headers


async def test_a_pending_models_file_is_409_and_one_that_was_lost_503() -> None:
    world = World()
    ada = await world.person()
    pending = (await init(ada, version="2")).data["model"]["id"]
    assert (await ada.ask("GET", f"/api/models/{pending}/download")).code == "CONFLICT"
    lost = await brought(ada)
    model = await get_model(world.stores, await ada.actor(), lost)
    await world.models.files.delete(file_of(model))
    assert (await ada.ask("GET", f"/api/models/{lost}/download")).code == "STORE_UNAVAILABLE"


async def test_a_deleted_model_is_gone() -> None:
    world = World()
    ada = await world.person()
    model_id = await brought(ada)
    assert (await ada.ask("DELETE", f"/api/models/{model_id}")).status == 204
    for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        assert (await ada.ask(method, f"/api/models/{model_id}{path}")).status == 404
    assert (await ada.ask("GET", "/api/models")).data == []


async def test_where_nothing_takes_uploads_the_route_says_so() -> None:
    assert (await World().ask("PUT", "/storage/model-01234567")).status == 404


async def test_where_files_are_in_an_object_store_the_link_leads_there() -> None:
    class Elsewhere(FolderFiles):
        async def upload_url(self, ref: FileRef, expires: timedelta) -> str | None:
            return f"https://store.example/bucket/{ref.key}?signed-for={expires.seconds}"

    parts = some_models()
    world = World(models=replace(parts, files=Elsewhere(parts.files._folder.root, reserve_bytes=0)))
    done = (await init(await world.person())).data
    assert done["upload_url"].startswith("https://store.example/bucket/model-")
    assert done["upload_url"].endswith("?signed-for=900")
    assert done["resumable"] is False
