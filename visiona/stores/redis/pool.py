"""Connections to one Redis, on asyncio's loop, each with one question at a time.

They are redis-py's; the pool is ours. Theirs gives a connection back within an `await`, and a caller that is cancelled
just there takes its place in the pool along; here nothing waits between taking and giving back. A connection on which
anything but an answer came is not used again.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from redis.asyncio.connection import AbstractConnection, Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from visiona.stores.redis.answers import Answer, is_of_replica
from visiona.stores.redis.errors import NotAdmitted, NotPrimary
from visiona.stores.redis.tls import Trust
from visiona.stores.redis_address import RedisAddress

Words: TypeAlias = Sequence[str | int]


class _Cut(AbstractConnection):
    """Ends at once. Nothing is left to be said, and TLS would wait half a minute for the other side's farewell."""

    async def disconnect(
        self,
        nowait: bool = False,
        error: Exception | None = None,
        failure_count: int | None = None,
        health_check_failed: bool = False,
    ) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(True, error, failure_count, health_check_failed)


class _PlainConnection(_Cut, Connection):
    pass


class _TlsConnection(_PlainConnection):
    def __init__(self, *, trust: Trust, **options: Any) -> None:  # noqa: ANN401 - the driver's own
        self._trust = trust
        self._context: ssl.SSLContext | None = None
        super().__init__(**options)

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._context}

    async def _connect(self) -> None:
        self._context = await self._trust.context()
        try:
            await super()._connect()  # type: ignore[no-untyped-call]  # the driver gives it no types
        except ssl.SSLCertVerificationError:
            self._trust.was_in_vain()
            raise


class RedisPool:
    """At most `size` connections, none before somebody asks. Sets no deadline: its callers do."""

    def __init__(self, address: RedisAddress, size: int) -> None:
        self._address = address
        self._trust = Trust(address.ca_file)
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._generation = 0

    async def ask(self, words: Words) -> Answer:
        """One command and its answer.

        Raises:
            redis.exceptions.ResponseError: the server refuses the command.
            DRIVER_ERRORS: there is no answer.
        """
        async with self._places:
            generation = self._generation
            connection = self._idle.pop() if self._idle else self.connection()
            try:
                return await converse(connection, words)
            finally:
                # The one used last is the first to be used again, so that a pool that is too large falls asleep.
                self._idle.append(connection)
                if generation != self._generation:
                    await self._drop(connection)

    async def forget(self) -> None:
        """Uses none of the connections again that there are now, those under way included."""
        self._generation += 1
        while self._idle:
            await self._idle.pop().disconnect()

    def connection(self) -> Connection:
        """One more, outside the pool; it connects when it is used."""
        address = self._address
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "db": address.number,
            "username": address.username,
            "password": address.password,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "protocol": 2,
            "driver_info": None,
            "redis_connect_func": _be_admitted,
        }
        if not address.is_tls:
            return _PlainConnection(**options)
        return _TlsConnection(trust=self._trust, **options)

    async def _drop(self, connection: Connection) -> None:
        self._idle.remove(connection)
        await connection.disconnect()


async def converse(connection: Connection, words: Words) -> Answer:
    """One command on this connection. Raises as RedisPool.ask.

    Unless a whole answer was read, a refusal being one too, the driver ends the connection: also when it is cancelled.
    """
    if connection.is_connected and await connection.can_read():
        # The server has ended it, or said what nobody asked for.
        await connection.disconnect()
    await connection.connect()  # type: ignore[no-untyped-call]  # as above
    await connection.send_command(*words)
    return await connection.read_response()


async def _be_admitted(connection: Connection) -> None:
    """Name, password, number of the database; and no replica, whose answers may be old and which keeps nothing."""
    try:
        await connection.on_connect()
        await connection.send_command("HELLO")
        hello = await connection.read_response()
    except ResponseError as error:
        raise NotAdmitted from error
    if is_of_replica(hello):
        raise NotPrimary
