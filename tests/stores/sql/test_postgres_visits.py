import asyncio  # noqa: TID251  the loop of the driver
import logging

import asyncpg
import pytest
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.sql import postgres_visits
from visiona.stores.sql.postgres_visits import PostgresVisits

from tests.support.asyncio_tests import on_asyncio, until


class FakeServer:
    """Answers, is silent, or refuses, as it is told; its connections are cut like real ones."""

    def __init__(self) -> None:
        self.is_silent = False
        self.refusal: Exception | None = None
        self.connections: list[FakeConnection] = []

    async def connect(self, within_seconds: float) -> "FakeConnection":
        if self.refusal is not None:
            raise self.refusal
        if self.is_silent:
            await asyncio.sleep(within_seconds)
            raise TimeoutError
        self.connections.append(FakeConnection(self))
        return self.connections[-1]


class FakeConnection:
    """One of the server's."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._cut = asyncio.Event()
        self.asked: list[str] = []

    def is_closed(self) -> bool:
        return self._cut.is_set()

    def is_in_transaction(self) -> bool:
        begun = [asked for asked in self.asked if asked in {"BEGIN", "ROLLBACK"}]
        return begun[-1:] == ["BEGIN"]

    def terminate(self) -> None:
        self._cut.set()

    async def execute(self, sql: str) -> str:
        self.asked.append(sql)
        if self._server.is_silent or sql == "slow":
            await self._cut.wait()
        await asyncio.sleep(0)
        if self.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return sql


def some_visits(server: FakeServer, *, timeout_seconds: float = 0.05, pool_size: int = 4) -> PostgresVisits:
    return PostgresVisits(server.connect, pool_size=pool_size, timeout_seconds=timeout_seconds)


async def ask(visits: PostgresVisits, *texts: str, waits: bool = True) -> None:
    """As the engine does: an answer is a sign of life, an error of the driver's is put into our words."""
    async with visits.visit(waits=waits) as connection:
        try:
            for text in texts:
                await connection.execute(text)
                visits.heard()
        except asyncpg.PostgresError as error:
            raise StoreUnavailable("the connection to the database was lost") from error


async def silence(visits: PostgresVisits, server: FakeServer) -> None:
    """Has the server be silent until that is known."""
    server.is_silent = True
    answers = await asyncio.gather(ask(visits, "a"), ask(visits, "a"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable, StoreUnavailable]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@on_asyncio
async def test_a_connection_is_left_fit_for_the_next() -> None:
    server = FakeServer()
    visits = some_visits(server)
    with pytest.raises(KeyError):
        async with visits.visit() as connection:
            await connection.execute("BEGIN")
            raise KeyError
    await ask(visits, "x")
    assert [connection.asked for connection in server.connections] == [["BEGIN", "ROLLBACK", "x"]]


@pytest.mark.parametrize("error", [StoreConflict("x"), StoreUnavailable("x"), KeyError("x")])
def test_what_the_operation_raises_comes_out(error: Exception) -> None:
    @on_asyncio
    async def run() -> None:
        with pytest.raises(type(error)) as caught:
            async with some_visits(FakeServer()).visit():
                raise error
        assert caught.value is error

    run()


@on_asyncio
async def test_s01_at_the_deadline_the_connection_is_cut_and_not_waited_for() -> None:
    server = FakeServer()
    visits = some_visits(server)
    with pytest.raises(StoreUnavailable, match="the database took too long") as caught:
        await ask(visits, "BEGIN", "slow")
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError)
    assert server.connections[0].asked == ["BEGIN", "slow"]
    assert server.connections[0].is_closed()
    assert (visits.pool.free_count, visits.pool.idle_count) == (4, 0)


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        (["slow"], ["slow", "SELECT 1", "next"]),
        (["BEGIN", "slow"], ["BEGIN", "slow", "ROLLBACK", "next"]),
    ],
)
def test_a_cancelled_visit_leaves_nothing_running_and_nothing_begun(
    texts: list[str], asked: list[str]
) -> None:
    @on_asyncio
    async def run() -> None:
        server = FakeServer()
        visits = some_visits(server, timeout_seconds=3600)
        visiting = asyncio.create_task(ask(visits, *texts))
        await until(lambda: bool(server.connections) and "slow" in server.connections[0].asked)
        visiting.cancel()
        await asyncio.wait({visiting})
        assert visiting.cancelled()
        await ask(visits, "next")
        assert [connection.asked for connection in server.connections] == [asked]

    run()


@on_asyncio
async def test_a_cancelled_visit_to_a_silent_server_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_visits, "CANCEL_SECONDS", 0.02)
    server = FakeServer()
    visits = some_visits(server, timeout_seconds=3600)
    await ask(visits, "x")
    server.is_silent = True
    visiting = asyncio.create_task(ask(visits, "x"))
    await until(lambda: len(server.connections[0].asked) == 2)
    visiting.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({visiting})
    assert visiting.cancelled()
    assert server.connections[0].is_closed()
    assert visits.pool.free_count == 4


@on_asyncio
async def test_a_cancelled_visit_to_a_server_that_hangs_up_has_not_found_it_silent() -> None:
    server = FakeServer()
    visits = some_visits(server, timeout_seconds=3600)
    for _ in range(3):
        visiting = asyncio.create_task(ask(visits, "slow"))
        await until(lambda: visits.pool.lent_count == 1 and "slow" in server.connections[-1].asked)
        server.connections[-1].terminate()
        visiting.cancel()
        await asyncio.wait({visiting})
    assert not visits._outage.is_out


@on_asyncio
async def test_who_is_not_to_wait_is_told_when_all_connections_are_in_use() -> None:
    server = FakeServer()
    visits = some_visits(server, timeout_seconds=3600, pool_size=1)
    async with visits.visit():
        with pytest.raises(StoreUnavailable, match="all connections to the database are in use"):
            await ask(visits, "x", waits=False)
    await ask(visits, "x", waits=False)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("hush"),
        asyncpg.TooManyConnectionsError("hush"),
        asyncpg.InvalidPasswordError("hush"),
        asyncpg.InterfaceError("hush"),
        asyncpg.exceptions.ClientConfigurationError("hush"),
    ],
)
def test_s01_a_server_that_lets_nobody_in_is_unavailable_at_once_and_asked_each_time(
    error: Exception,
) -> None:
    @on_asyncio
    async def run() -> None:
        server = FakeServer()
        server.refusal = error
        visits = some_visits(server, timeout_seconds=3600)
        for _ in range(20):
            with pytest.raises(StoreUnavailable) as caught:
                await ask(visits, "x")
            assert "hush" not in str(caught.value)
            assert caught.value.__cause__ is error
        server.refusal = None
        await ask(visits, "x")

    run()


@on_asyncio
async def test_s01_when_it_is_silent_callers_are_refused_at_once_until_it_answers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeServer()
    visits = some_visits(server)
    await ask(visits, "x")
    await silence(visits, server)
    opened = len(server.connections)
    with pytest.raises(StoreUnavailable, match="the database does not answer") as caught:
        async with asyncio.timeout(0.02):
            await ask(visits, "x")
    assert caught.value.retry_after_seconds == 2
    server.is_silent = False
    monkeypatch.setattr("visiona.stores.outage.PROBE_SECONDS", 0.0)
    await until_answered(visits)
    assert len(server.connections) > opened
    assert "the database does not answer; nobody is sent there until it does" in told(caplog)
    assert "the database answers again" in told(caplog)


async def until_answered(visits: PostgresVisits) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                await ask(visits, "x")
            except StoreUnavailable:
                await asyncio.sleep(0.001)
            else:
                return


@on_asyncio
async def test_s01_who_waits_for_a_connection_to_a_silent_server_is_told_as_soon_as_that_is_known() -> None:
    server = FakeServer()
    visits = some_visits(server, timeout_seconds=3600, pool_size=2)
    async with visits.visit(), visits.visit():
        waiting = asyncio.create_task(ask(visits, "x"))
        await until(lambda: visits.pool.waiting_count == 1)
        began = asyncio.get_running_loop().time()
        for _ in range(2):
            visits._note_silence(began)
        async with asyncio.timeout(5):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await waiting


@on_asyncio
async def test_one_probe_at_a_time_is_sent_to_a_silent_server() -> None:
    server = FakeServer()
    visits = some_visits(server, timeout_seconds=0.2)
    await silence(visits, server)
    probes: list[float] = []

    async def connect(within_seconds: float) -> FakeConnection:
        probes.append(within_seconds)
        return await server.connect(within_seconds)

    visits._connect = connect
    for _ in range(50):
        with pytest.raises(StoreUnavailable):
            await ask(visits, "x")
    assert len(probes) <= 1
    await visits.close()


@pytest.mark.parametrize("error", [asyncpg.TooManyConnectionsError("x"), asyncpg.CannotConnectNowError("x")])
def test_a_probe_that_the_server_turns_away_has_heard_it_all_the_same(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    @on_asyncio
    async def run() -> None:
        server = FakeServer()
        visits = some_visits(server)
        await silence(visits, server)
        server.is_silent = False
        server.refusal = error
        await until_refused_otherwise(visits)

    monkeypatch.setattr("visiona.stores.outage.PROBE_SECONDS", 0.0)
    run()


async def until_refused_otherwise(visits: PostgresVisits) -> None:
    """Until callers are sent to the server again, and hear what it says."""
    async with asyncio.timeout(5):
        while True:
            with pytest.raises(StoreUnavailable) as caught:
                await ask(visits, "x")
            if caught.value.__cause__ is not None:
                return
            await asyncio.sleep(0.001)


@on_asyncio
async def test_a_server_that_was_only_slow_is_found_out_at_once() -> None:
    """The probe is not left to the next caller."""
    server = FakeServer()
    visits = some_visits(server)
    await ask(visits, "x")
    slow = [asyncio.create_task(ask(visits, "slow")) for _ in range(3)]
    await asyncio.wait(slow)
    await until(lambda: not visits._outage.is_out, within_seconds=0.5)
    await ask(visits, "x")


@on_asyncio
async def test_s01_a_slow_question_or_a_lock_ends_nobody_elses_visits() -> None:
    server = FakeServer()
    visits = some_visits(server)
    for _ in range(3):
        slow = [asyncio.create_task(ask(visits, "x", "slow")) for _ in range(2)]
        while not all(task.done() for task in slow):
            await ask(visits, "x")
            await asyncio.sleep(0.005)
        assert {type(task.exception()) for task in slow} == {StoreUnavailable}


@on_asyncio
async def test_one_slow_question_alone_is_no_outage() -> None:
    visits = some_visits(FakeServer())
    await ask(visits, "x")
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="too long"):
            await ask(visits, "slow")
        await ask(visits, "x")


@on_asyncio
async def test_connections_from_before_an_outage_are_not_used_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeServer()
    visits = some_visits(server)
    async with visits.visit(), visits.visit(), visits.visit():
        pass
    before = list(server.connections)
    assert visits.pool.idle_count == 3
    await silence(visits, server)
    assert all(connection.is_closed() for connection in before)


@pytest.mark.parametrize("code", ["57P01", "25006"])
def test_s01_when_another_server_took_over_no_connection_is_used_again(code: str) -> None:
    @on_asyncio
    async def run() -> None:
        server = FakeServer()
        visits = some_visits(server, timeout_seconds=3600)
        with pytest.raises(StoreUnavailable):
            async with visits.visit(), visits.visit():
                raise StoreUnavailable("x") from asyncpg.PostgresError.new({"C": code, "M": "x"})
        assert visits.pool.idle_count == 0
        assert all(connection.is_closed() for connection in server.connections)

    run()


@on_asyncio
async def test_one_line_tells_whoever_has_to_mend_it(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    server.refusal = asyncpg.TooManyConnectionsError("hush")
    with pytest.raises(StoreUnavailable), caplog.at_level(logging.WARNING):
        await ask(some_visits(server), "x")
    (line,) = caplog.records
    assert line.getMessage() == "the database cannot be asked: the database has no room for more connections"
    assert vars(line)["code"] == "53300"
    assert "hush" not in caplog.text


@on_asyncio
async def test_closing_cuts_what_is_idle_and_ends_the_probe() -> None:
    server = FakeServer()
    visits = some_visits(server)
    await ask(visits, "x")
    await silence(visits, server)
    with pytest.raises(StoreUnavailable):
        await ask(visits, "x")
    await visits.close()
    assert all(connection.is_closed() for connection in server.connections)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_asyncio
async def test_s01_a_connection_that_the_driver_has_lost_its_way_on_is_not_given_to_another() -> None:
    """It looks open until its end arrives, and would fail one caller after the other."""
    server = FakeServer()
    visits = some_visits(server)
    with pytest.raises(StoreUnavailable):
        async with visits.visit():
            raise StoreUnavailable("lost") from asyncpg.InternalClientError("cannot switch to state 12")
    assert visits.pool.idle_count == 0
    with pytest.raises(StoreUnavailable):
        async with visits.visit():
            raise StoreUnavailable("full") from asyncpg.DiskFullError("hush")
    assert visits.pool.idle_count == 1
    assert len(server.connections) == 2


@on_asyncio
async def test_s01_what_is_not_worth_waiting_does_not_double_a_callers_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A token's use is noted, and then its owner's question is asked: both together are within the promise."""
    monkeypatch.setattr(postgres_visits, "LEAVE_SECONDS", 0.02)
    server = FakeServer()
    visits = some_visits(server, timeout_seconds=30)
    await ask(visits, "a")
    server.is_silent = True
    async with asyncio.timeout(5):
        with pytest.raises(StoreUnavailable):
            await ask(visits, "a", waits=False)
    # That little was asked of it: it may be slow, and is not given up for that.
    server.is_silent = False
    await ask(visits, "a")
