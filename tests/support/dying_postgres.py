"""A program that is killed (SIGKILL) at each statement it sends to PostgreSQL, one process after the other.

`python -m tests.support.dying_postgres WHEN DEED URL FOLDER WHAT`: WHEN is `before` a statement is sent, or when it was
`sent` and nothing was heard of it; DEED is `exchange` with a token as WHAT, or `unpair` with a device's id. After each
death it writes a line of JSON with every row of every table, and it stops when something was kept.
"""

import asyncio  # noqa: TID251 - what is asked between two deaths is asked without Trio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import asyncpg
import trio
from visiona.domain.ids import DeviceId
from visiona.services.devices import remove_device
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.postgres_transaction import PostgresTransaction

from tests.support.databases import everything_in, settled
from tests.support.nouns import LATER

T = TypeVar("T")

MOST_STATEMENTS = 100

DEEDS: dict[str, Callable[[Stores, str], Awaitable[object]]] = {
    "exchange": lambda stores, token: exchange(stores, token, LATER, DeviceClaims(serial_number="S1")),
    "unpair": lambda stores, device_id: remove_device(stores, DeviceId(device_id), LATER),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(run: Callable[..., Awaitable[T]], when: str, at: int) -> Callable[..., Awaitable[T]]:
    """The method through which all statements go, fatal at the given one."""
    left = at

    async def run_or_die(self: PostgresTransaction, asked: Awaitable[T]) -> T:
        nonlocal left
        left -= 1
        if left < 0 and when == "before":
            die()
        if left < 0:
            sent = asyncio.ensure_future(asked)
            # It is sent in the first step.
            await asyncio.sleep(0)
            assert not sent.done()
            die()
        return await run(self, asked)

    return run_or_die


async def act_and_die(when: str, at: int, deed: str, settings: StoreSettings, what: str) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        PostgresTransaction.run = deadly(PostgresTransaction.run, when, at)
        await DEEDS[deed](stores, what)
        die()


async def left_behind(url: str) -> dict[str, list[str]]:
    """What is kept once the server has noticed the death."""
    connection = await asyncpg.connect(url)
    await settled(connection)
    left = await everything_in(connection)
    await connection.close()
    return left


def main() -> None:
    when, deed, url, folder, what = sys.argv[1:]
    settings = StoreSettings(url, Path(folder))
    before = asyncio.run(left_behind(url))
    for at in range(MOST_STATEMENTS):
        child = os.fork()
        if child == 0:
            try:
                trio.run(partial(act_and_die, when, at, deed, settings, what))
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it ended by itself"
        left = asyncio.run(left_behind(url))
        sys.stdout.write(json.dumps(left) + "\n")
        sys.stdout.flush()
        if left != before:
            return


if __name__ == "__main__":
    main()
