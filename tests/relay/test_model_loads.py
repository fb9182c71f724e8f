"""Loads over real tunnels to units that behave, old ones, and ones that lie."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio
from visiona.domain.audit import EVERY_ENTRY
from visiona.domain.causes import Cause
from visiona.domain.errors import Conflict, DeviceOffline, NotFound, ServerStopping, TooMany
from visiona.domain.ids import LoadId
from visiona.domain.loads import Fault, Load, LoadState
from visiona.domain.models import Model, ModelStatus
from visiona.relay.model_loads import MAX_WAITING_PER_DEVICE, Loads
from visiona.relay.running_load import RunningLoad
from visiona.services.audit import list_audit
from visiona.services.load_model import Plan, plan_load
from visiona.services.model_files import delete_model, file_of
from visiona.stores.files.folder import FolderFiles
from visiona.stores.interfaces import Stores, Tx
from visiona.tunnel.session import Tunnel

from tests.support.nouns import NOW, Home, a_home
from tests.support.relays import Paired, Running, an_agent, pair, running, until
from tests.support.scripted_unit import KL720, ScriptedUnit

FLASH = ("POST", "/api/devices/kl720-0/flash")
UPLOAD = ("POST", "/api/models/upload")
CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Bench:
    """A relay, a device with a scripted unit, a model and the loads."""

    relay: Running
    home: Home
    paired: Paired
    model: Model
    files: FolderFiles
    loads: Loads
    unit: ScriptedUnit
    nursery: trio.Nursery

    async def plan(self, model: Model | None = None, accelerator: str | None = None) -> Plan:
        model_id = (model or self.model).id
        return await plan_load(
            self.relay.stores, self.home.actor, model_id, self.paired.device.id, accelerator, NOW
        )

    async def begin(self, model: Model | None = None) -> RunningLoad:
        return self.loads.begin(await self.plan(model))

    async def to_the_end(self) -> Load:
        return await ended(await self.begin())

    async def another_model(self) -> Model:
        made = replace(self.home.model(chips=("KL720",)), version="2", status=ModelStatus.READY)
        await on_record(self.relay.stores, made)
        return made

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Tunnel]:
        async with an_agent(self.relay, self.paired.token) as agent, trio.open_nursery() as nursery:
            nursery.start_soon(self.unit.serve, agent)
            await until(lambda: self.relay.registry.online(self.paired.device.id))
            yield agent
            nursery.cancel_scope.cancel()

    async def deeds(self) -> list[tuple[str, str]]:
        page = await list_audit(self.relay.stores, None, EVERY_ENTRY, limit=50)
        return [(one.deed, one.outcome) for one in page.items if one.deed.startswith("model_load")]


async def ended(load: RunningLoad) -> Load:
    with trio.fail_after(10):
        await load.wait_over()
    return load.now


async def in_state(load: RunningLoad, state: LoadState) -> None:
    await until(lambda: load.now.state is state)


async def on_record(stores: Stores, model: Model) -> None:
    async def add(tx: Tx) -> None:
        await tx.models.upsert(model)

    await stores.write(add)


@asynccontextmanager
async def bench(folder: Path, unit: ScriptedUnit | None = None, **more: Any) -> AsyncIterator[Bench]:
    async with running() as relay:
        home = await a_home(relay.stores)
        paired = await pair(relay.stores, home)
        files = FolderFiles(folder / "files", reserve_bytes=0)
        model = replace(
            home.model(chips=("KL720",)), status=ModelStatus.READY, file_size=len(CONTENT), sha256=SHA256
        )
        model = replace(model, faa_object_key="model-0123456789")
        await on_record(relay.stores, model)
        async with files.open_upload(file_of(model)) as upload:
            await upload.write(CONTENT)
            await upload.commit()
        loads = Loads(relay.stores, files, relay.registry, **more)
        relay.registry.watchers.append(loads.watch)
        async with trio.open_nursery() as nursery:
            await nursery.start(loads.run)
            one = Bench(relay, home, paired, model, files, loads, unit or ScriptedUnit(), nursery)
            answered = trio.Event()
            relay.relay.inventory.watchers.append(lambda _: answered.set())
            async with one.connected():
                # It is asked when it comes up; what it says is kept a moment after.
                await answered.wait()
                yield one
            nursery.cancel_scope.cancel()


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
        assert [kept.state for kept in one.loads.of_device(one.paired.device.id)] == [LoadState.ACTIVE]


async def test_one_load_at_a_time_for_a_device_and_few_wait(tmp_path: Path) -> None:
    names = [f"kl720-{number}" for number in range(MAX_WAITING_PER_DEVICE + 1)]
    unit = ScriptedUnit(accelerators=[KL720 | {"id": name} for name in names])
    unit.hold[UPLOAD] = trio.Event()
    async with bench(tmp_path, unit) as one:
        loads = [one.loads.begin(await one.plan(accelerator=name)) for name in names[:-1]]
        with pytest.raises(TooMany):
            one.loads.begin(await one.plan(accelerator=names[-1]))
        await in_state(loads[0], LoadState.PUSHING)
        assert {load.now.state for load in loads[1:]} == {LoadState.QUEUED}
        unit.hold[UPLOAD].set()
        assert {(await ended(load)).state for load in loads} == {LoadState.ACTIVE}
        # One after the other: never two uploads with no flash between them.
        kinds = [key[1].rsplit("/", 1)[1] for key in unit.asked if key[0] == "POST"]
        assert kinds == ["upload", "flash"] * len(loads)


async def test_a_load_is_cancelled_but_not_while_the_accelerator_is_written(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold = {UPLOAD: trio.Event(), FLASH: trio.Event()}
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        await one.loads.cancel(load)
        assert (load.now.state, load.now.fault) == (LoadState.FAILED, Fault.CANCELLED)
        with pytest.raises(Conflict):
            await one.loads.cancel(load)
        one.unit.hold[UPLOAD].set()
        again = await one.begin()
        await in_state(again, LoadState.FLASHING)
        with pytest.raises(Conflict):
            await one.loads.cancel(again)
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
        plan = await one.plan()
        await one.files.delete(file_of(one.model))
        load = await ended(one.loads.begin(plan))
        assert (load.state, load.fault) == (LoadState.FAILED, Fault.FILE_GONE)


async def test_a_device_that_is_unpaired_ends_its_loads_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
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
            one.loads.begin(plan)


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


async def test_a_server_that_stops_ends_loads_and_takes_no_more(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        one.loads.close()
        assert (await ended(load)).fault is Fault.SERVER_STOPPING
        with pytest.raises(ServerStopping):
            await one.begin()
        with pytest.raises(NotFound):
            one.loads.get(one.paired.device.id, LoadId("another"))
