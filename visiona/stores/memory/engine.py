"""Stores in memory: what most tests run on, and `memory:` in the settings."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from visiona.stores.inline import run_inline
from visiona.stores.interfaces import Ping, Tx
from visiona.stores.kept_sessions import KeptPendingLogins, KeptSessions
from visiona.stores.memory.audit import MemoryAudit
from visiona.stores.memory.devices import MemoryDeviceEvents, MemoryDevices
from visiona.stores.memory.invitations import MemoryInvitations
from visiona.stores.memory.model_loads import MemoryLoads
from visiona.stores.memory.models import MemoryModels
from visiona.stores.memory.notices import MemoryNotices
from visiona.stores.memory.one_time_links import MemoryOneTimeLinks
from visiona.stores.memory.people import MemoryUsers, MemoryWorkspaces
from visiona.stores.memory.sign_in import MemoryIdentities, MemoryPendingLogins, MemoryUserSessions
from visiona.stores.memory.state import State
from visiona.stores.memory.tokens import MemoryAccessTokens, MemoryPairingTokens, MemorySessionTokens
from visiona.stores.process_rates import ProcessRates
from visiona.stores.rates import RateStore
from visiona.stores.sessions import PendingLoginStore, SessionStore

T = TypeVar("T")


class MemoryTx:
    """See interfaces.Tx."""

    def __init__(self, state: State) -> None:
        self.users = MemoryUsers(state)
        self.workspaces = MemoryWorkspaces(state)
        self.invitations = MemoryInvitations(state)
        self.access_tokens = MemoryAccessTokens(state)
        self.pairing_tokens = MemoryPairingTokens(state)
        self.session_tokens = MemorySessionTokens(state)
        self.devices = MemoryDevices(state)
        self.device_events = MemoryDeviceEvents(state)
        self.models = MemoryModels(state)
        self.model_loads = MemoryLoads(state)
        self.audit = MemoryAudit(state)
        self.notices = MemoryNotices(state)
        self.identities = MemoryIdentities(state)
        self.user_sessions = MemoryUserSessions(state)
        self.pending_logins = MemoryPendingLogins(state)
        self.one_time_links = MemoryOneTimeLinks(state)


class MemoryStores:
    """See interfaces.Stores."""

    def __init__(self) -> None:
        self._state = State()
        self._tx: Tx = MemoryTx(self._state)
        self.sessions: SessionStore = KeptSessions(self)
        self.pending_logins: PendingLoginStore = KeptPendingLogins(self)
        self.pings: Mapping[str, Ping] = {"database": self.ping}
        self.rates: RateStore = ProcessRates()

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        """See interfaces.Stores.read."""
        await trio.lowlevel.checkpoint()
        return run_inline(operation(self._tx))

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        await trio.lowlevel.checkpoint()
        journal = self._state.journal
        with journal:
            return run_inline(operation(self._tx))

    async def ping(self) -> None:
        """See interfaces.Stores.ping."""
        await trio.lowlevel.checkpoint()

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        await trio.lowlevel.checkpoint()
        return self._state.journal.commits

    async def wait_notice(self, seconds: float) -> None:
        """See interfaces.Stores.wait_notice."""
        await trio.sleep(seconds)
