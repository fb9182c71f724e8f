"""Loads over real tunnels to units that behave, old ones, and ones that lie."""

from pathlib import Path
from typing import Any

import pytest
import trio
from visiona.domain.causes import Cause
from visiona.domain.errors import Conflict, DeviceOffline, NotFound, ServerStopping, TooMany
from visiona.domain.loads import MAX_LIVE_PER_DEVICE, Fault, LoadState
from visiona.services.devices import unpair
from visiona.services.kept_loads import loads_of_device
from visiona.services.model_files import delete_model, file_of

from tests.support.load_bench import CONTENT, FLASH, SHA256, UPLOAD, bench, ended, in_state
from tests.support.nouns import NOW
from tests.support.scripted_unit import KL720, ScriptedUnit
from tests.support.waiting import until


async def test_a_unit_that_knows_no_ranges_gets_the_file_as_a_form(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        load = await one.to_the_end()
        assert (load.state, load.fault, load.sent_bytes) == (LoadState.ACTIVE, None, len(CONTENT))
        form = one.unit.bodies[UPLOAD[1]]
        assert form.count(CONTENT) == 1
        assert b'name="file"; filename="' in form
        assert b'name="targetChips"\r\n\r\nKL720\r\n' in form
        assert b'"modelId": "model-7"' in one.unit.bodies[FLASH[1]]
        posts = [key for key in one.unit.asked if key[0] == "POST"]
        assert posts == [UPLOAD, FLASH]
        assert await one.deeds() == [("model_load_ended", "ok"), ("model_load_started", "ok")]


async def test_ranges_that_are_there_are_not_sent_again(tmp_path: Path) -> None:
    path = f"/api/models/uploads/{SHA256}"
    there = {"data": {"received": [[0, 100_000], [200_000, 300_000], [5, "x"], [-9, 10**9, 3]]}}
    unit = ScriptedUnit(uploads={"maxStreams": 4}, answers={("GET", path): (200, there)})
    async with bench(tmp_path, unit) as one:
        load = await one.to_the_end()
        assert load.state is LoadState.ACTIVE
        assert [key for key in unit.asked if key[0] == "PUT"] == [("PUT", path)]
        assert unit.bodies[path] == CONTENT[100_000:200_000]
        assert ("POST", f"{path}/finish") in unit.asked


@pytest.mark.parametrize("where", ["form", "ranges", "refused", "accelerator"])
async def test_m10_an_agent_that_has_another_file_than_it_was_sent_fails(where: str, tmp_path: Path) -> None:
    path = f"/api/models/uploads/{SHA256}"
    lie = (200, {"data": {"id": "model-7", "sha256": "0" * 64}})
    unit = ScriptedUnit(uploads={"maxStreams": 2} if where in {"ranges", "refused"} else None)
    match where:
        case "form":
            unit.answers[UPLOAD] = lie
        case "ranges":
            unit.answers["POST", f"{path}/finish"] = lie
        case "refused":
            unit.answers["POST", f"{path}/finish"] = (422, {"error": {"message": "its digest is another"}})
        case _:
            unit.accelerators = [KL720 | {"modelSha256": "0" * 64}]
    async with bench(tmp_path, unit) as one:
        load = await one.to_the_end()
        assert (load.state, load.fault) == (LoadState.FAILED, Fault.DIGEST_MISMATCH)
        assert (FLASH in unit.asked) == (where == "accelerator")
        assert (await one.deeds())[0] == ("model_load_ended", "failed")


async def test_m06_an_accelerator_that_was_changed_since_gets_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.accelerators = [KL720 | {"type": "KL520"}]
        load = await one.to_the_end()
        assert (load.state, load.fault) == (LoadState.FAILED, Fault.CHIP_MISMATCH)
        assert not [key for key in one.unit.asked if key[0] != "GET"]


@pytest.mark.parametrize(
    ("key", "answer", "fault"),
    [
        (UPLOAD, (413, {"error": {"message": "too large\r\nX: y"}}), Fault.DEVICE_ERROR),
        (UPLOAD, (500, "nonsense"), Fault.DEVICE_ERROR),
        (FLASH, (409, {}), Fault.DEVICE_BUSY),
        (FLASH, (500, {}), Fault.DEVICE_ERROR),
        (("GET", "/api/devices"), (500, {}), Fault.DEVICE_ERROR),
    ],
)
async def test_a_unit_that_refuses_is_a_failure_with_its_reason(
    key: tuple[str, str], answer: tuple[int, Any], fault: Fault, tmp_path: Path
) -> None:
    async with bench(tmp_path) as one:
        one.unit.answers[key] = answer
        load = await one.to_the_end()
        assert (load.state, load.fault) == (LoadState.FAILED, fault)
        assert load.sentence
        assert load.sentence.isprintable()
        assert len(one.relay.registry.calls) == 0


async def test_an_accelerator_that_is_only_detected_is_connected_first(tmp_path: Path) -> None:
    unit = ScriptedUnit(accelerators=[KL720 | {"status": "detected"}])
    async with bench(tmp_path, unit) as one:
        assert (await one.to_the_end()).state is LoadState.ACTIVE
        assert [key[1] for key in unit.asked if key[0] == "POST"][1:] == [
            "/api/devices/kl720-0/connect",
            FLASH[1],
        ]


async def test_the_same_load_is_joined_and_another_is_a_conflict(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        assert await one.begin() is load
        with pytest.raises(Conflict) as refused:
            await one.begin(await one.another_model())
        assert refused.value.details["load_id"] == load.now.id
        one.unit.hold[UPLOAD].set()
        assert (await ended(load)).state is LoadState.ACTIVE
        kept = await loads_of_device(one.relay.stores, one.home.actor, one.paired.device.id)
        assert [load.state for load in kept] == [LoadState.ACTIVE]


async def test_one_load_at_a_time_for_a_device_and_few_wait(tmp_path: Path) -> None:
    names = [f"kl720-{number}" for number in range(MAX_LIVE_PER_DEVICE + 1)]
    unit = ScriptedUnit(accelerators=[KL720 | {"id": name} for name in names])
    unit.hold[UPLOAD] = trio.Event()
    async with bench(tmp_path, unit) as one:
        loads = [await one.begin(accelerator=name) for name in names[:-1]]
        with pytest.raises(TooMany):
            await one.begin(accelerator=names[-1])
        await in_state(loads[0], LoadState.PUSHING)
        assert {load.now.state for load in loads[1:]} == {LoadState.QUEUED}
        unit.hold[UPLOAD].set()
        assert {(await ended(load)).state for load in loads} == {LoadState.ACTIVE}
        # One after the other: never two uploads with no flash between them.
        kinds = [key[1].rsplit("/", 1)[1] for key in unit.asked if key[0] == "POST"]
        assert kinds == ["upload", "flash"] * len(loads)


async def test_one_that_waits_for_its_turn_is_cancelled_at_once_and_the_next_comes(tmp_path: Path) -> None:
    unit = ScriptedUnit(accelerators=[KL720 | {"id": f"kl720-{number}"} for number in range(3)])
    unit.hold[UPLOAD] = trio.Event()
    async with bench(tmp_path, unit) as one:
        first, second, third = [await one.begin(accelerator=f"kl720-{number}") for number in range(3)]
        await in_state(first, LoadState.PUSHING)
        await one.loads.cancel(one.paired.device.id, second.now.id)
        assert (await one.kept(second.now)).fault is Fault.CANCELLED
        unit.hold[UPLOAD].set()
        assert [(await ended(load)).state for load in (first, third)] == [LoadState.ACTIVE] * 2


async def test_a_load_is_cancelled_but_not_while_the_accelerator_is_written(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold = {UPLOAD: trio.Event(), FLASH: trio.Event()}
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        await one.loads.cancel(one.paired.device.id, load.now.id)
        assert (load.now.state, load.now.fault) == (LoadState.FAILED, Fault.CANCELLED)
        with pytest.raises(Conflict):
            await one.loads.cancel(one.paired.device.id, load.now.id)
        one.unit.hold[UPLOAD].set()
        again = await one.begin()
        await in_state(again, LoadState.FLASHING)
        with pytest.raises(Conflict):
            await one.loads.cancel(one.paired.device.id, again.now.id)
        one.unit.hold[FLASH].set()
        assert (await ended(again)).state is LoadState.ACTIVE
        assert ("model_load_cancelled", "ok") in await one.deeds()


async def test_m05_a_model_that_is_deleted_while_it_is_loaded_is_loaded_to_the_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[FLASH] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.FLASHING)
        await delete_model(one.relay.stores, one.files, one.home.actor, one.model.id, NOW)
        one.unit.hold[FLASH].set()
        assert (await ended(load)).state is LoadState.ACTIVE
        with pytest.raises(NotFound):
            await one.plan()


async def test_m05_a_file_that_is_gone_before_its_turn_is_a_failure(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        await one.files.delete(file_of(one.model))
        load = await ended(await one.begin())
        assert (load.state, load.fault) == (LoadState.FAILED, Fault.FILE_GONE)


async def test_a_device_that_is_unpaired_ends_its_loads_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        await unpair(one.relay.stores, one.home.actor, one.paired.device.id, NOW)
        one.relay.registry.cut_device(one.paired.device.id, Cause.DEVICE_DELETED)
        now = await ended(load)
        assert (now.state, now.fault) == (LoadState.FAILED, Fault.REVOKED)


async def test_a_device_that_does_not_come_back_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async with bench(tmp_path, return_seconds=0.05) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        live = one.relay.registry.online(one.paired.device.id)
        assert live is not None
        live.tunnel.close(Cause.KEEPALIVE_TIMEOUT.value)
        now = await ended(load)
        assert (now.state, now.fault) == (LoadState.FAILED, Fault.DEVICE_OFFLINE)
        plan = await one.plan()
        with pytest.raises(DeviceOffline):
            await one.loads.begin(plan)


async def test_a_load_goes_on_when_the_device_is_back_and_flashes_once_more(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[FLASH] = trio.Event()
        load = await one.begin()
        await until(lambda: FLASH in one.unit.asked)
        live = one.relay.registry.online(one.paired.device.id)
        assert live is not None
        live.tunnel.close(Cause.TCP_RESET.value)
        await until(lambda: load.now.is_waiting)
        one.unit.hold.clear()
        async with one.connected():
            assert (await ended(load)).state is LoadState.ACTIVE
        assert one.unit.asked.count(UPLOAD) == 1
        assert one.unit.asked.count(FLASH) == 2


async def test_a_server_that_stops_lets_go_of_loads_and_takes_no_more(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        one.loads.close()
        assert (await ended(load)).state is LoadState.PUSHING
        await until(lambda: one.loads.running(load.now.id) is None)
        # Whoever comes next need not wait.
        free = await one.relay.stores.read(lambda tx: tx.model_loads.free(one.now(), 10))
        assert [kept.load.id for kept in free] == [load.now.id]
        with pytest.raises(ServerStopping):
            await one.begin()


async def test_a_server_that_keeps_nothing_ends_loads_when_it_stops(tmp_path: Path) -> None:
    async with bench(tmp_path, is_kept=False) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        one.loads.close()
        assert (await ended(load)).fault is Fault.SERVER_STOPPING


@pytest.mark.parametrize("uploads", [None, {"maxStreams": 2}])
async def test_the_next_server_goes_on_where_the_last_one_stopped(
    uploads: dict[str, Any] | None, tmp_path: Path
) -> None:
    path = f"/api/models/uploads/{SHA256}"
    unit = ScriptedUnit(uploads=uploads)
    held = ("PUT", path) if uploads else UPLOAD
    async with bench(tmp_path, unit) as one:
        unit.hold[held] = trio.Event()
        load = await one.begin()
        await until(lambda: held in unit.asked)
        one.loads.close()
        await until(lambda: one.loads.running(load.now.id) is None)
        unit.hold.clear()
        unit.bodies.clear()
        unit.answers["GET", path] = (200, {"data": {"received": [[0, 200_000]]}})
        async with one.next_server():
            kept = await one.until_kept(load.now, LoadState.ACTIVE)
        assert kept.current_since is not None
        # A form goes again as a whole, of ranges what is missing.
        sent = unit.bodies[path] if uploads else unit.bodies[UPLOAD[1]]
        assert (CONTENT in sent) is not bool(uploads)
        assert sent.endswith(CONTENT[200_000:]) or not uploads
        assert await one.deeds() == [("model_load_ended", "ok"), ("model_load_started", "ok")]
