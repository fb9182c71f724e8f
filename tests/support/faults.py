"""Stores that fail on purpose, at the n-th question of a writing operation."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Ping, Stores, Tx

T = TypeVar("T")

Fault = Callable[[Tx], Awaitable[None]]


async def breaking(_: Tx) -> None:
    """The store says that it cannot go on."""
    raise StoreUnavailable("the database broke")


async def losing_connection(tx: Tx) -> None:
    """PostgreSQL ends the connection, as it does when it is shut down."""
    await tx.users._tx.fetch_one("SELECT pg_terminate_backend(pg_backend_pid())")


async def losing_connection_at_the_end(tx: Tx) -> None:
    """The same, when only the COMMIT is missing."""
    ending = "SELECT pg_terminate_backend(pg_backend_pid())"
    await tx.users._tx.execute_last(ending)


class FailingStores:
    """Like the stores behind it, until a writing operation asks its `fail_at`-th question (the first is 0).

    Attributes:
        asked: how many questions writing operations have asked.
    """

    def __init__(
        self,
        stores: Stores,
        *,
        fail_at: int | None = None,
        fail_writes: bool = False,
        fault: Fault | None = None,
    ) -> None:
        self._stores = stores
        self.sessions = stores.sessions
        self.pending_logins = stores.pending_logins
        self.rates = stores.rates
        self._fail_at = fail_at
        self._fault = fault or breaking
        self._fail_writes = fail_writes
        self.asked = 0
        self.writes = 0

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._stores.read(operation)

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        self.writes += 1
        if self._fail_writes:
            raise StoreUnavailable("the disk of the database is full")
        return await self._stores.write(lambda tx: operation(_FailingTx(tx, self)), waits=waits)

    async def ping(self) -> None:
        await self._stores.ping()

    @property
    def pings(self) -> Mapping[str, Ping]:
        return self._stores.pings

    async def change_mark(self) -> int:
        return await self._stores.change_mark()

    async def wait_notice(self, seconds: float) -> None:
        await self._stores.wait_notice(seconds)

    def count(self) -> None:
        self.asked += 1

    async def meet_fault(self, tx: Tx) -> None:
        """What happens instead of a question, or before it."""
        self.count()
        if self.asked - 1 == self._fail_at:
            await self._fault(tx)


class _FailingTx:
    def __init__(self, tx: Tx, stores: FailingStores) -> None:
        self._tx = tx
        self._stores = stores

    def __getattr__(self, noun: str) -> "_FailingNoun":
        return _FailingNoun(self._tx, noun, self._stores)


class _FailingNoun:
    def __init__(self, tx: Tx, noun: str, stores: FailingStores) -> None:
        self._tx = tx
        self._store = getattr(tx, noun)
        self._stores = stores

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: object) -> Any:
            await self._stores.meet_fault(self._tx)
            return await getattr(self._store, method)(*args)

        return ask
