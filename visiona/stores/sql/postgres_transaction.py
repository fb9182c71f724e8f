"""The port (engine.SqlTransaction) to one PostgreSQL connection, while an operation has it."""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

import asyncpg

from visiona.stores.sql.dialect import POSTGRES
from visiona.stores.sql.engine import Row, Value
from visiona.stores.sql.postgres_errors import DRIVER_ERRORS, is_from_server, translated

T = TypeVar("T")

NOTICES_LOCK = int.from_bytes(b"visiona2")
"""The advisory lock under which notices are written and committed, so that their ids are in the order of commits."""

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")


class AsksAgain(Exception):
    """A second question of an operation that was given no transaction: it must begin anew, with one."""


class PostgresTransaction:
    """One open transaction, or with `is_single` one question that needs none.

    Attributes:
        failure: the first thing that went wrong; whatever the operation made of it, nothing of it can be kept.
    """

    def __init__(
        self,
        connection: asyncpg.Connection,
        heard: Callable[[], None],
        *,
        may_write: bool,
        is_single: bool = False,
    ) -> None:
        self._connection = connection
        self._heard = heard
        self._may_write = may_write
        self._is_single = is_single
        self._asked_count = 0
        self._last: list[tuple[str, tuple[Value, ...]]] = []
        self._is_open = True
        self.failure: Exception | None = None

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        record = await self._ask(self._connection.fetchrow, sql, values)
        return None if record is None else tuple(record)

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        return [tuple(record) for record in await self._ask(self._connection.fetch, sql, values)]

    async def execute(self, sql: str, *values: Value) -> int:
        status: str = await self._ask(self._connection.execute, sql, values)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: str, rows: Sequence[tuple[Value, ...]]) -> None:
        # One way there and back, however many rows.
        await self._ask(self._connection.executemany, sql, (rows,))

    async def execute_last(self, sql: str, *values: Value) -> None:
        self._spelled(sql)
        self._last.append((sql, values))

    async def flush_last(self) -> None:
        if not self._last:
            return
        last, self._last = self._last, []
        await self._ask(self._connection.execute, f"SELECT pg_advisory_xact_lock({NOTICES_LOCK})", ())
        for sql, group in groupby(last, key=itemgetter(0)):
            await self.execute_many(sql, [values for _, values in group])

    def end(self) -> None:
        """From here on nothing can be asked."""
        self._is_open = False

    async def run(self, asked: Awaitable[T]) -> T:
        """Waits for an answer and puts an error of the driver's into our words."""
        try:
            answer = await self._with_errors_of_the_driver(asked)
        except DRIVER_ERRORS as error:
            if is_from_server(error):
                self._heard()
            known = translated(error)
            self.failure = self.failure or known
            if known is error:
                raise
            raise known from error
        self._heard()
        return answer

    async def _with_errors_of_the_driver(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except AttributeError as error:
            # A question has two steps at its first time. asyncpg 0.32 gives up its protocol when the connection is cut,
            # at its deadline say, and where that comes between the steps it trips over the missing one.
            if not self._connection.is_closed():
                raise
            raise asyncpg.InterfaceError("the connection was cut between two steps of a question") from error

    async def _ask(self, ask: Callable[..., Awaitable[T]], sql: str, values: tuple[Any, ...]) -> T:
        return await self.run(ask(self._spelled(sql), *values))

    def _spelled(self, sql: str) -> str:
        """The text as this server wants it, if it may be asked now."""
        if not self._is_open:
            raise RuntimeError("this transaction has ended")
        text = POSTGRES.spell(sql)
        if not self._may_write and _is_writing(text):
            raise RuntimeError("an operation that reads may not write")
        self._asked_count += 1
        if self._is_single and self._asked_count > 1:
            raise AsksAgain
        return text


@lru_cache(1024)
def _is_writing(text: str) -> bool:
    """Whether it changes or holds anything; outside of a transaction the server would not object."""
    return not text.lstrip().startswith(("SELECT", "WITH")) or _WRITES.search(text) is not None
