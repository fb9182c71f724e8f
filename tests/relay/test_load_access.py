"""What was begun by somebody who may not any more is ended, and only that."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import trio
import trio.testing
from visiona.domain.access import Role
from visiona.domain.ids import SessionId, TokenId, WorkspaceId
from visiona.domain.loads import Fault, Load
from visiona.relay.calls import LiveCalls
from visiona.relay.load_access import watching_access
from visiona.relay.running_load import RunningLoad
from visiona.services.audit import NOWHERE
from visiona.services.devices import remove_device
from visiona.services.members import remove_member
from visiona.services.tokens import create_access_token, revoke_access_token
from visiona.services.users import disable_user
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores

from tests.support.nouns import NOW, Home, a_home, put
from tests.support.shared import a_team


@dataclass
class Rig:
    """A plain member's load onto a device of a workspace, begun with a token."""

    stores: Stores
    owner: Home
    member: Home
    workspace_id: WorkspaceId
    load: Load
    calls: LiveCalls

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[RunningLoad]:
        running = RunningLoad(self.load, replace(self.owner.model()), NOWHERE)
        async with watching_access(self.stores, self.calls, running):
            yield running
        assert len(self.calls) == 0

    async def remove_member(self) -> int:
        owner = replace(self.owner.actor, workspaces={self.workspace_id: Role.OWNER})
        await remove_member(self.stores, owner, self.workspace_id, self.member.user.id, NOW)
        # None of the workspace's devices is connected just now.
        return self.calls.cut_user_on(self.member.user.id, frozenset())

    async def disable(self) -> int:
        await disable_user(self.stores, self.member.user.id, NOW)
        return self.calls.cut_user(self.member.user.id)

    async def unpair(self) -> int:
        await remove_device(self.stores, self.load.device_id, NOW)
        return self.calls.cut_device(self.load.device_id)

    async def revoke_token(self) -> int:
        assert self.load.token_id is not None
        await revoke_access_token(self.stores, self.load.token_id, NOW)
        return self.calls.cut_credential(self.load.token_id)

    async def move_away(self) -> int:
        move = self.stores.write
        await move(
            lambda tx: tx.devices.move(self.load.device_id, self.owner.workspace.id, self.owner.user.id, NOW)
        )
        return self.calls.cut_others(self.load.device_id, frozenset({self.owner.user.id}))


async def a_rig() -> Rig:
    stores: Any = MemoryStores()
    owner = await a_home(stores)
    lab, _, member = await a_team(stores, owner)
    device, model = replace(owner.device(), workspace_id=lab.id), replace(owner.model(), workspace_id=lab.id)
    await put(stores, device, model)
    made = await create_access_token(stores, member.user.id, "t", member.actor.scopes, NOW)
    load = replace(member.load(device, model).load, token_id=made.token.id)
    return Rig(stores, owner, member, lab.id, load, LiveCalls())


DEEDS: dict[str, tuple[Callable[[Rig], Awaitable[int]], str]] = {
    "member": (Rig.remove_member, "not in the device's workspace"),
    "account": (Rig.disable, "account of whoever began the load was disabled"),
    "device": (Rig.unpair, "unpaired"),
    "token": (Rig.revoke_token, "token with which the load was begun"),
    "moved": (Rig.move_away, "not in the device's workspace"),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_a_load_whose_right_is_taken_away_is_stopped_with_its_reason(name: str) -> None:
    take_away, words = DEEDS[name]
    rig = await a_rig()
    async with rig.watched() as running:
        assert await take_away(rig) == 1
        await trio.testing.wait_all_tasks_blocked()
        fault, sentence = running.stopped_by
        assert (fault, running.scope.cancel_called) == (Fault.REVOKED, True)
        assert words in sentence


async def test_what_takes_nothing_of_it_away_lets_it_go_on_and_is_listened_to_again() -> None:
    rig = await a_rig()
    async with rig.watched() as running:
        for cut in (
            lambda: rig.calls.cut_overviews(rig.member.user.id),
            lambda: rig.calls.cut_user_on(rig.member.user.id, frozenset()),
            lambda: rig.calls.cut_others(rig.load.device_id, frozenset({rig.member.user.id})),
            lambda: rig.calls.cut_overviews(rig.member.user.id),
        ):
            assert cut() == 1
            await trio.testing.wait_all_tasks_blocked()
            assert not running.scope.cancel_called
        # Other people's, and the end of a session of theirs.
        assert rig.calls.cut_user(rig.owner.user.id) == 0
        assert rig.calls.cut_credential(SessionId("a session")) == 0
        assert rig.calls.cut_credential(TokenId("another token")) == 0
        await rig.remove_member()
        await trio.testing.wait_all_tasks_blocked()
        assert running.scope.cancel_called


async def test_a_session_that_ends_ends_no_load() -> None:
    rig = await a_rig()
    rig.load = replace(rig.load, token_id=None)
    async with rig.watched() as running:
        assert rig.calls.cut_credential(SessionId("the one it was begun with")) == 0
        assert rig.calls.cut_user_on(rig.member.user.id, frozenset()) == 1
        await trio.testing.wait_all_tasks_blocked()
        assert not running.scope.cancel_called


async def test_s01_where_nobody_can_say_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await a_rig()

    async def away(*_: object) -> None:
        raise StoreUnavailable("the store is away")

    async with rig.watched() as running:
        monkeypatch.setattr(rig.stores, "read", away)
        rig.calls.cut_user(rig.member.user.id)
        await trio.testing.wait_all_tasks_blocked()
        assert running.stopped_by[0] is Fault.REVOKED
        assert running.scope.cancel_called
