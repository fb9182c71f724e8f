"""How commands reach the stores: the live file of a running server, or the same file without one."""

import argparse
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from visiona.cli.output import CommandError, print_note
from visiona.config import from_process
from visiona.domain.audit import Through
from visiona.services.audit import Origin, set_origin
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores

T = TypeVar("T")


def with_stores(arguments: argparse.Namespace, operation: Callable[[Stores], Awaitable[T]]) -> T:
    """Runs one operation on the configured stores.

    Raises:
        ConfigInvalid, CommandError, StoreError, VisionaError: see cli/main.py.
    """
    loaded = from_process(arguments.config, arguments.set)
    for warning in loaded.warnings:
        print_note(f"warning: {warning}")
    settings = loaded.settings.stores
    if settings.is_memory:
        raise CommandError(
            "the database is memory: and lives in the server alone; set database.url to a file",
            code="NO_DATABASE",
        )

    async def run() -> T:
        set_origin(Origin(Through.CLI, credential_id=f"uid {os.getuid()}"))
        async with open_stores(settings, exclusive=False) as stores:
            return await operation(stores)

    return trio.run(run)
