"""What must be done now and then: forgetting what has expired, and saying how things are.

Both are loops for the background: they end by being cancelled.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

import trio

from visiona.ops.systemd import Notifier
from visiona.services.audit_settings import DEFAULT_AUDIT
from visiona.services.clock import now
from visiona.services.housekeeping import purge_expired
from visiona.services.model_files import sweep_files
from visiona.services.refusals import Refusals
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.interfaces import FileStore
from visiona.stores.interfaces import Stores

log = logging.getLogger(__name__)

PURGE_SECONDS = 3600.0
"""What is purged is kept for days at least, so an hour more or less is nothing."""

FIRST_PURGE_SECONDS = 60.0
"""Not at once: a start is when everybody comes back."""

STATUS_SECONDS = 5.0

REFUSALS_SECONDS = 1.0
"""Several are one transaction; a crash loses a second of them, and nothing was done by any."""

LAST_REFUSALS_SECONDS = 2.0


async def purge_forever(stores: Stores, keep_audit: timedelta = DEFAULT_AUDIT.keep) -> None:
    """Purges once an hour; a store that cannot answer is asked again the next time.

    Args:
        keep_audit: how long the audit log is kept.
    """
    await trio.sleep(FIRST_PURGE_SECONDS)
    while True:
        try:
            forgotten = await purge_expired(stores, now(), keep_audit)
        except StoreUnavailable as error:
            log.warning("nothing was purged: %s", error)
        else:
            if any(forgotten.values()):
                log.info("purged what had expired", extra=dict(forgotten))
        await trio.sleep(PURGE_SECONDS)


async def write_refusals_forever(
    stores: Stores, refusals: Refusals, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Writes what was refused into the audit log, a moment after it was; what is left when the server ends, then."""
    task_status.started()
    try:
        while True:
            await trio.sleep(REFUSALS_SECONDS)
            await _write_refusals(stores, refusals, is_last=False)
    finally:
        with trio.move_on_after(LAST_REFUSALS_SECONDS, shield=True):
            await _write_refusals(stores, refusals, is_last=True)


async def _write_refusals(stores: Stores, refusals: Refusals, *, is_last: bool) -> None:
    try:
        await refusals.write_out(stores, is_last=is_last)
    except StoreUnavailable as error:
        # The access log has each of them too.
        log.warning("refusals are not in the audit log yet: %s", error)


async def sweep_forever(stores: Stores, files: FileStore) -> None:
    """Removes once an hour the files that no model has; what cannot be asked now is asked the next time."""
    await trio.sleep(FIRST_PURGE_SECONDS)
    while True:
        try:
            removed = await sweep_files(stores, files, now())
        except StoreUnavailable as error:
            log.warning("no files were swept: %s", error)
        else:
            if removed:
                log.info("removed files that no model has", extra={"files": removed})
        await trio.sleep(PURGE_SECONDS)


async def keep_status(notifier: Notifier, text: Callable[[], str]) -> None:
    """Shows a line in `systemctl status`, whenever it changed; returns at once if nobody listens."""
    shown = None
    while True:
        if (line := text()) != shown and not notifier.status(line):
            return
        shown = line
        await trio.sleep(STATUS_SECONDS)
