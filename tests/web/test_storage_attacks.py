"""Uploads by those who lie, repeat themselves, come at the wrong moment, or two at once."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from visiona.services.model_files import delete_model, file_of
from visiona.services.models import announce_model, announced
from visiona.web.storage import DRAIN_SECONDS

from tests.web.test_storage import CONTENT, SIZE, Rig, announce, halves, rig

OTHER = bytes(reversed(CONTENT))


def rest(start: int) -> str:
    return f"bytes {start}-{SIZE - 1}/{SIZE}"


async def received(on: Rig) -> int:
    count: int = (await on.put([], Content_Range=f"bytes */{SIZE}")).data["received_bytes"]
    return count


async def test_m03_another_digest_in_the_second_part_costs_all_that_came_and_can_be_brought_anew() -> None:
    async with rig() as on:
        await on.put([CONTENT[:1000]], Content_Range=f"bytes 0-999/{SIZE}")
        refused = await on.put([OTHER[1000:]], Content_Range=rest(1000))
        assert (refused.status, refused.error["details"]) == (400, {"about": "sha256"})
        assert await received(on) == 0
        assert not await on.ready()
        assert (await on.put([CONTENT], Content_Range=rest(0))).status == 200
        assert await on.ready()


@pytest.mark.parametrize(
    "text",
    [
        "bytes 0-9/*",
        "bytes */*",
        "bytes 0-9/{more}",
        "bytes 0-9/{less}",
        "bytes -9-9/{size}",
        "bytes -9/{size}",
        "bytes 0--1/{size}",
        "bytes 9223372036854775808-9223372036854775809/{size}",
        "bytes 0-9/9223372036854775808",
        "bytes 0-9/" + "9" * 5000,
        "bytes 0-9/{size}, bytes 10-19/{size}",
        "bytes 0-9,10-19/{size}",
        "bytes 0x0-0x9/{size}",
        "bytes 0-9/{size} ",
        "bytes\t0-9/{size}",
        "Bytes 0-9/{size}",
        "bytes ٠-٩/{size}",
        "bytes {size}-{size}/{size}",
        "*",
    ],
)
async def test_m03_a_content_range_that_lies_is_refused_and_changes_nothing(text: str) -> None:
    async with rig() as on:
        await on.put([CONTENT[:500]], Content_Range=f"bytes 0-499/{SIZE}")
        said = text.format(size=SIZE, more=SIZE + 1, less=SIZE - 1)
        refused = await on.put([CONTENT[:10]], Content_Range=said.encode().decode("latin-1"))
        assert refused.status == 400, said
        assert await received(on) == 500


async def test_m03_a_question_how_much_is_here_brings_nothing() -> None:
    async with rig() as on:
        assert (await on.put([CONTENT], Content_Range=f"bytes */{SIZE}")).status == 400
        assert await received(on) == 0
        await on.put([CONTENT[:-1]], Content_Range=f"bytes 0-{SIZE - 2}/{SIZE}")
        assert (await on.put([CONTENT[-1:]], Content_Range=f"bytes */{SIZE}")).status == 400
        assert await received(on) == SIZE - 1


async def test_m03_who_brings_what_is_here_is_heard_out_however_long_it_takes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A good answer in the middle of a body makes curl go round in circles over HTTP/2."""
    async with rig() as on:
        assert (await on.put()).status == 200
        slow = [CONTENT[start : start + 50_000] for start in range(0, SIZE, 50_000)]
        again = await on.put(slow, pause_seconds=3)
        assert (again.status, again.taken) == (200, SIZE)
        assert trio.current_time() > 10 * DRAIN_SECONDS
        assert (await on.put(slow[:3], hangs=True)).status == 408


async def test_m03_a_link_that_is_used_again_changes_nothing() -> None:
    async with rig() as on:
        assert (await on.put()).status == 200
        assert await on.ready()
        for headers in ({}, {"Content_Range": rest(0)}, {"Content_Range": f"bytes 0-9/{SIZE}"}):
            again = await on.put([OTHER], **headers)
            assert again.status in {200, 400}
        for start in range(0, SIZE, 300_000):
            part = {"Range": f"bytes={start}-{start + 299_999}"}
            got = await on.ada.ask("GET", f"/api/models/{on.model.id}/download", headers=part)
            assert got.body == CONTENT[start : start + 300_000]
        assert (await on.ada.ask("DELETE", f"/api/models/{on.model.id}")).status == 204
        assert (await on.put()).status == 404
        # The same name and version with the same file is another model, with another link.
        await announce(on.world, on.ada)
        assert (await on.put()).status == 404


async def test_m03_a_link_ends_at_its_second_and_what_began_before_goes_on() -> None:
    async with rig() as on:
        on.world.now.forward(minutes=14, seconds=59.9)

        def late() -> Iterator[bytes]:
            for piece in halves(CONTENT[10:]):
                yield piece
                on.world.now.forward(minutes=10)

        assert (await on.put([CONTENT[:10]], Content_Range=f"bytes 0-9/{SIZE}")).status == 202
        on.world.now.forward(seconds=0.1)
        assert (await on.put([CONTENT[10:]], Content_Range=rest(10))).status == 403
        # The next link of the same model goes on where the last one ended, for as long as it takes.
        on.link, _ = on.world.models.links.link(file_of(on.model), on.world.now())
        assert await received(on) == 10
        assert (await on.put(late(), Content_Range=rest(10))).status == 200
        assert (await on.put([])).status == 403


async def test_m03_two_at_once_on_one_link_do_not_mix() -> None:
    async with rig() as on:
        begun, go_on = trio.Event(), trio.Event()
        opened = on.world.models.files.open_upload

        @asynccontextmanager
        async def slow(*given: Any, **named: Any) -> AsyncIterator[Any]:
            async with opened(*given, **named) as upload:
                begun.set()
                await go_on.wait()
                yield upload

        statuses: list[int] = []

        async def first() -> None:
            statuses.append((await on.put()).status)

        async with trio.open_nursery() as nursery:
            on.world.models.files.open_upload = slow  # type: ignore[method-assign]
            nursery.start_soon(first)
            await begun.wait()
            for headers in ({}, {"Content_Range": rest(0)}):
                second = await on.put([OTHER], **headers)
                assert (second.status, second.error["code"]) == (409, "CONFLICT")
            assert (await on.ada.ask("POST", f"/api/models/{on.model.id}/finalize")).status == 409
            go_on.set()
        assert statuses == [200]
        assert await on.ready()


@pytest.mark.parametrize("deed", ["deleted", "announced anew"])
async def test_m05_a_file_that_nobody_waits_for_any_more_by_its_last_byte_is_not_kept(deed: str) -> None:
    async with rig() as on:
        actor, files = await on.ada.actor(), on.world.models.files
        opened = files.open_upload

        @asynccontextmanager
        async def overtaken(*given: Any, **named: Any) -> AsyncIterator[Any]:
            async with opened(*given, **named) as upload:
                if deed == "deleted":
                    await delete_model(on.world.stores, files, actor, on.model.id, on.world.now())
                else:
                    await announce_model(
                        on.world.stores,
                        actor,
                        announced(
                            name="yolo",
                            version="1",
                            target_chips=["KL720"],
                            file_size=SIZE,
                            sha256=hashlib.sha256(OTHER).hexdigest(),
                        ),
                        on.world.models.quota,
                        on.world.now(),
                    )
                yield upload

        files.open_upload = overtaken  # type: ignore[method-assign]
        refused = await on.put()
        assert (refused.status, refused.error["code"]) == (404, "NOT_FOUND")
        assert not await files.has(file_of(on.model))
        assert not await on.ready()


@pytest.mark.parametrize(
    "path",
    [
        "/storage/",
        "/storage/..",
        "/storage/../../etc/passwd",
        "/storage/model-1/../../x",
        "/storage/\0",
        "/storage/" + "a" * 10_000,
        "/storage/model\n0123456789",
    ],
)
async def test_m01_a_place_that_we_did_not_give_is_none(path: str) -> None:
    async with rig() as on:
        query = on.link.partition("?")[2]
        assert (await on.put(link=f"{path}?{query}")).status == 403


@pytest.mark.parametrize("name", ["size", "sha256", "expires", "signature"])
async def test_a_link_with_a_part_of_it_twice_is_as_good_as_its_last(name: str) -> None:
    async with rig() as on:
        assert (await on.put(link=f"{on.link}&{name}=1")).status == 403
        assert (await on.put(link=on.link.replace(f"{name}=", f"{name}=1&{name}="))).status == 200
