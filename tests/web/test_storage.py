import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing
from visiona.domain.models import Model
from visiona.services.model_files import delete_model, file_of
from visiona.services.models import announce_model, announced
from visiona.stores.errors import StoreUnavailable
from visiona.web.storage import DRAIN_SECONDS, WRITE_BYTES, Storage

from tests.web.world import Person, World

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)


@dataclass
class Upload:
    """One request to an ASGI app, and what came of it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    taken: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        assert self.json["success"] is True
        return self.json["data"]

    @property
    def error(self) -> Any:
        assert self.json["success"] is False
        assert self.json["error"]["request_id"] == self.headers["x-request-id"]
        return self.json["error"]


@dataclass
class Rig:
    world: World
    ada: Person
    model: Model
    storage: Storage
    link: str

    async def put(
        self,
        pieces: Iterable[bytes] | None = None,
        *,
        link: str | None = None,
        leaves: bool = False,
        hangs: bool = False,
        pause_seconds: float = 0,
        method: str = "PUT",
        **headers: str,
    ) -> Upload:
        path, _, query = (link or self.link).partition("?")
        given = [(name.replace("_", "-").lower().encode(), text.encode()) for name, text in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": given,
            "client": ("192.0.2.1", 4000),
        }
        upload, coming = Upload(), iter(halves(CONTENT) if pieces is None else pieces)

        async def receive() -> dict[str, Any]:
            await trio.sleep(pause_seconds)
            piece = next(coming, None)
            if piece is None and leaves:
                return {"type": "http.disconnect"}
            if piece is None and hangs:
                await trio.sleep_forever()
            upload.taken += len(piece or b"")
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        async def send(message: dict[str, Any]) -> None:
            await trio.lowlevel.checkpoint()
            if message["type"] == "http.response.start":
                upload.status = message["status"]
                upload.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                upload.body += message["body"]

        await self.storage(scope, receive, send)
        assert upload.headers.get("content-length") == str(len(upload.body))
        return upload

    async def ready(self) -> bool:
        return (await self.ada.ask("POST", f"/api/models/{self.model.id}/finalize")).status == 200


def halves(content: bytes) -> Iterable[bytes]:
    middle = len(content) // 2
    return [content[:middle], content[middle:]]


async def announce(world: World, ada: Person, version: str = "1") -> Model:
    told = announced(
        name="yolo",
        version=version,
        target_chips=["KL720"],
        file_size=SIZE,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    made = await announce_model(world.stores, await ada.actor(), told, world.models.quota, world.now())
    return made.model


@asynccontextmanager
async def rig(site: Callable[..., Any] | None = None) -> AsyncIterator[Rig]:
    world = World()
    ada = await world.person()
    model = await announce(world, ada)
    parts = world.models
    storage = Storage(site or world.site, world.stores, parts.files, parts.links, world.now, 30.0)
    yield Rig(world, ada, model, storage, parts.links.link(file_of(model), world.now())[0])


async def test_a_file_is_brought_whole_and_its_model_is_ready() -> None:
    async with rig() as on:
        assert not await on.ready()
        done = await on.put(Content_Length=str(SIZE))
        assert (done.status, done.data) == (200, {"received_bytes": SIZE, "size": SIZE, "complete": True})
        assert done.headers["cache-control"] == "no-store"
        assert await on.ready()
        again = await on.put()
        assert again.data["complete"]


async def test_m03_a_file_is_brought_in_parts_and_asked_how_far_it_is() -> None:
    async with rig() as on:
        assert (await on.put([], Content_Range=f"bytes */{SIZE}")).data["received_bytes"] == 0
        first = await on.put([CONTENT[:1000]], Content_Range=f"bytes 0-999/{SIZE}", Content_Length="1000")
        assert (first.status, first.data) == (202, {"received_bytes": 1000, "size": SIZE, "complete": False})
        asked = await on.put([], Content_Range=f"bytes */{SIZE}")
        assert (asked.status, asked.data["received_bytes"]) == (202, 1000)
        last = await on.put([CONTENT[1000:]], Content_Range=f"bytes 1000-{SIZE - 1}/{SIZE}")
        assert last.status == 200
        assert await on.ready()


async def test_m03_a_part_out_of_order_or_once_more_is_409_and_says_what_is_next() -> None:
    async with rig() as on:
        await on.put([CONTENT[:1000]], Content_Range=f"bytes 0-999/{SIZE}")
        for first, last in ((0, 999), (500, 1499), (2000, 2999)):
            refused = await on.put([CONTENT[first : last + 1]], Content_Range=f"bytes {first}-{last}/{SIZE}")
            assert (refused.status, refused.error["code"]) == (409, "CONFLICT")
            assert refused.error["details"] == {"received_bytes": 1000}
        assert (await on.put([], Content_Range=f"bytes */{SIZE}")).data["received_bytes"] == 1000


async def test_m03_a_client_that_leaves_at_99_percent_goes_on_from_there() -> None:
    async with rig() as on:
        most = SIZE * 99 // 100
        await on.put([CONTENT[:most]], leaves=True)
        asked = await on.put([], Content_Range=f"bytes */{SIZE}")
        assert asked.data["received_bytes"] == most
        done = await on.put([CONTENT[most:]], Content_Range=f"bytes {most}-{SIZE - 1}/{SIZE}")
        assert done.status == 200


async def test_m03_a_file_that_was_whole_when_the_server_died_is_put_in_place_by_who_asks() -> None:
    async with rig() as on:
        async with on.world.models.files.open_upload(file_of(on.model)) as upload:
            await upload.write(CONTENT)
        assert (await on.put([], Content_Range=f"bytes */{SIZE}")).status == 200
        assert await on.ready()


async def test_m03_who_stands_still_is_told_so_and_can_go_on(autojump_clock: trio.testing.MockClock) -> None:
    async with rig() as on:
        stuck = await on.put([CONTENT[:500]], hangs=True)
        assert stuck.status == 408
        assert trio.current_time() <= 30.0 + DRAIN_SECONDS + 1
        assert (await on.put([], Content_Range=f"bytes */{SIZE}")).data["received_bytes"] == 500


async def test_h11_who_drips_is_told_so_and_who_is_slow_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with rig() as on:
        drips = ([CONTENT[n : n + 1] for n in range(100)], 20.0)
        began = trio.current_time()
        dripped = await on.put(drips[0], pause_seconds=drips[1])
        assert dripped.status == 408
        assert trio.current_time() - began <= 60
        received = (await on.put([], Content_Range=f"bytes */{SIZE}")).data["received_bytes"]
        assert 0 < received <= 3
        # As slow as may be, and with pauses that are longer than that allows on the whole.
        slow = [CONTENT[start : start + 5 * 4096] for start in range(received, SIZE, 5 * 4096)]
        span = f"bytes {received}-{SIZE - 1}/{SIZE}"
        assert (await on.put(slow, pause_seconds=4.9, Content_Range=span)).status == 200
        assert trio.current_time() - began > 200


async def test_m03_more_less_or_other_bytes_than_announced() -> None:
    async with rig() as on:
        for pieces, headers in (
            ([CONTENT[:11]], {"Content_Range": f"bytes 0-9/{SIZE}"}),
            ([CONTENT[:9]], {"Content_Range": f"bytes 0-9/{SIZE}"}),
            ([CONTENT, b"!"], {}),
            ([CONTENT[:-1]], {}),
            ([CONTENT], {"Content_Length": str(SIZE - 1)}),
            ([b"!" + CONTENT[1:]], {}),
        ):
            refused = await on.put(pieces, **headers)
            assert (refused.status, refused.error["code"]) == (400, "VALIDATION_FAILED")
        assert not await on.ready()
        assert (await on.put()).status == 200


@pytest.mark.parametrize(
    "text",
    [
        "bytes 0-9",
        "bytes 0-9/10",
        "bytes 9-0/{0}",
        "bytes 0-{0}/{0}",
        "bytes 5-/{0}",
        "items 0-9/{0}",
        "bytes a-b/{0}",
        "",
    ],
)
async def test_a_content_range_that_is_none_is_refused(text: str) -> None:
    async with rig() as on:
        refused = await on.put([CONTENT[:10]], Content_Range=text.format(SIZE))
        assert (refused.status, refused.error["code"]) == (400, "VALIDATION_FAILED")


async def test_m02_what_is_packed_is_not_unpacked() -> None:
    async with rig() as on:
        assert (await on.put(Content_Encoding="gzip")).status == 400


async def test_a_link_for_another_file_or_an_old_one_opens_nothing() -> None:
    async with rig() as on:
        assert (await on.put(link=on.link.replace("size=", "size=1"))).status == 403
        assert (await on.put(link=on.link.partition("?")[0])).status == 403
        assert (await on.put(link="/storage/../../session.key?x")).status == 403
        assert (await on.put(link="/storage/%zz?" + "&".join("a=b" for _ in range(30)))).status == 400
        on.world.now.forward(minutes=16)
        late = await on.put()
        assert (late.status, late.error["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
async def test_only_bringing_is_done_by_a_link(method: str) -> None:
    async with rig() as on:
        refused = await on.put([], method=method)
        assert (refused.status, refused.headers["allow"]) == (405, "PUT")


async def test_m05_a_file_of_a_model_that_was_deleted_meanwhile_is_not_kept() -> None:
    async with rig() as on:
        actor = await on.ada.actor()

        async def deleted_in_between() -> None:
            await delete_model(on.world.stores, on.world.models.files, actor, on.model.id, on.world.now())

        assert (await on.put([CONTENT[:1000]], Content_Range=f"bytes 0-999/{SIZE}")).status == 202
        await deleted_in_between()
        refused = await on.put([CONTENT[1000:]], Content_Range=f"bytes 1000-{SIZE - 1}/{SIZE}")
        assert (refused.status, refused.error["code"]) == (404, "NOT_FOUND")
        assert not await on.world.models.files.has(file_of(on.model))


async def test_m04_507_and_everything_else_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as on:
        monkeypatch.setattr(on.world.models.files._folder, "reserve_bytes", 2**60)
        refused = await on.put()
        assert (refused.status, refused.error["code"]) == (507, "STORAGE_FULL")
        listed = await on.ada.ask("GET", "/api/models")
        assert [each["status"] for each in listed.data] == ["pending"]


async def test_a_refused_client_that_goes_on_sending_is_heard_out_for_a_moment(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with rig() as on:
        on.world.now.forward(minutes=16)
        late = await on.put()
        assert (late.status, late.taken) == (403, SIZE)
        stuck = await on.put([CONTENT[:5]], hangs=True)
        assert stuck.status == 403
        assert trio.current_time() < DRAIN_SECONDS + 1


async def test_a_little_is_taken_when_what_came_before_is_written() -> None:
    """A slow disk slows the client down: no more is gathered on the way than one write takes."""
    async with rig() as on:
        taken, written = [], 0
        opened = on.world.models.files.open_upload

        @asynccontextmanager
        async def slow(*given: Any, **named: Any) -> AsyncIterator[Any]:
            async with opened(*given, **named) as upload:
                write = upload.write

                async def counted(data: bytes) -> None:
                    nonlocal written
                    taken.append(len(data))
                    assert len(data) <= WRITE_BYTES + 4096
                    assert sum(taken) - written == len(data)
                    await write(data)
                    written += len(data)

                upload.write = counted
                yield upload

        on.world.models.files.open_upload = slow
        pieces = [CONTENT[start : start + 4096] for start in range(0, SIZE, 4096)]
        assert (await on.put(pieces)).status == 200
        assert SIZE // WRITE_BYTES <= len(taken) <= SIZE // WRITE_BYTES + 1


async def test_a_store_that_is_down_is_503_and_what_came_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as on:

        async def down(*_: object) -> None:
            raise StoreUnavailable("connect to db.internal refused")

        with monkeypatch.context() as patched:
            patched.setattr(on.world.stores, "read", down)
            refused = await on.put()
        assert (refused.status, refused.error["code"]) == (503, "STORE_UNAVAILABLE")
        assert (await on.put()).status == 200


async def test_everything_else_goes_to_the_site() -> None:
    seen = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope.get("path", scope["type"]))

    async with rig(site) as on:
        for scope in (
            {"type": "lifespan"},
            {"type": "http", "path": "/storages"},
            {"type": "websocket", "path": "/storage/x"},
        ):
            await on.storage(scope, None, None)
    assert seen == ["lifespan", "/storages", "/storage/x"]


async def test_nobody_waits_for_more_of_a_body_that_is_over(autojump_clock: trio.testing.MockClock) -> None:
    """The connection is wanted for the next request."""
    async with rig() as on:
        received = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            if (message := next(received, None)) is None:
                await trio.sleep_forever()
            return message

        async def send(message: dict[str, Any]) -> None:
            await trio.lowlevel.checkpoint()

        path, _, query = on.link.partition("?")
        headers = [(b"content-range", f"bytes */{SIZE}".encode())]
        scope = {
            "type": "http",
            "method": "PUT",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
        }
        before = trio.current_time()
        await on.storage(scope, receive, send)
        assert trio.current_time() == before
