"""Loads over real tunnels to a scripted unit."""

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import trio
from visiona.domain.audit import EVERY_ENTRY
from visiona.domain.loads import KeptLoad, Lease, Load, LoadState
from visiona.domain.models import Model, ModelStatus
from visiona.relay.model_loads import Loads
from visiona.relay.running_load import RunningLoad
from visiona.services.audit import list_audit
from visiona.services.load_model import Plan, plan_load
from visiona.services.model_files import file_of
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.folder import FolderFiles
from visiona.stores.interfaces import Stores, Tx
from visiona.tunnel.session import Tunnel

from tests.support.nouns import NOW, Home, a_home, put
from tests.support.relays import Paired, Running, an_agent, pair, running
from tests.support.scripted_unit import ScriptedUnit
from tests.support.waiting import until

T = TypeVar("T")

FLASH = ("POST", "/api/devices/kl720-0/flash")
UPLOAD = ("POST", "/api/models/upload")
CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Away:
    """Stores that are away for the loads, and for nobody else."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self.is_away = False
        self.refused = 0

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        self._check()
        return await self._stores.read(operation)

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        self._check()
        return await self._stores.write(operation, waits=waits)

    def _check(self) -> None:
        if self.is_away:
            self.refused += 1
            raise StoreUnavailable("the store is away")


class HandClock:
    """A wall clock that is moved by hand; each look at it is a moment later, so that what happens has an order."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def forward(self, by: timedelta) -> None:
        self.moment += by


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
    now: HandClock
    nursery: trio.Nursery

    async def plan(self, model: Model | None = None, accelerator: str | None = None) -> Plan:
        model_id = (model or self.model).id
        return await plan_load(
            self.relay.stores, self.home.actor, model_id, self.paired.device.id, accelerator, NOW
        )

    async def begin(self, model: Model | None = None, accelerator: str | None = None) -> RunningLoad:
        load = await self.loads.begin(await self.plan(model, accelerator))
        running = self.loads.running(load.id)
        assert running is not None
        return running

    async def kept(self, load: Load) -> Load:
        """As the store has it."""
        found = await self.relay.stores.read(lambda tx: tx.model_loads.get_or_none(load.id))
        assert found is not None
        return found.load

    async def left_behind(self, load: Load, lease: Lease) -> Load:
        """A load that a server had, which was killed."""
        await put(self.relay.stores, KeptLoad(load, lease))
        return load

    async def until_kept(self, load: Load, state: LoadState) -> Load:
        with trio.fail_after(10):
            while (now := await self.kept(load)).state is not state:  # noqa: ASYNC110 - another task's doing
                await trio.sleep(0.005)
        return now

    @asynccontextmanager
    async def next_server(self, **more: Any) -> AsyncIterator[Loads]:
        """Another run of the server, with the same database, files and tunnels."""
        stores = more.pop("stores", self.relay.stores)
        options = {"holder": "two", "is_alone": True, "now": self.now} | more
        loads = Loads(stores, self.files, self.relay.registry, **options)
        self.relay.registry.watchers.append(loads.watch)
        async with trio.open_nursery() as nursery:
            await nursery.start(loads.run)
            yield loads
            nursery.cancel_scope.cancel()

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
    """Over here, and written down if it is over at all."""
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
        now = HandClock()
        loads = Loads(relay.stores, files, relay.registry, **{"holder": "one", "now": now} | more)
        relay.registry.watchers.append(loads.watch)
        async with trio.open_nursery() as nursery:
            await nursery.start(loads.run)
            one = Bench(relay, home, paired, model, files, loads, unit or ScriptedUnit(), now, nursery)
            answered = trio.Event()
            relay.relay.inventory.watchers.append(lambda _: answered.set())
            async with one.connected():
                # It is asked when it comes up; what it says is kept a moment after.
                await answered.wait()
                yield one
            nursery.cancel_scope.cancel()
