"""What a restore left that was killed between its rows and the files of the state directory: finished or taken back."""

import logging

import trio

from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.in_threads import entered
from visiona.stores.copying.opening import open_source
from visiona.stores.copying.state_files import is_staged, settling
from visiona.stores.settings import StoreSettings

log = logging.getLogger(__name__)


async def settle_restore(settings: StoreSettings) -> None:
    """Whoever opens the stores does this first; a restore that is alive is left alone.

    Raises:
        StoreError, OSError: it cannot be told how the restore ended.
    """
    if not is_staged(settings.state_dir):
        return
    async with entered(settling(settings.state_dir)) as stage:
        if stage is not None:
            mark = await _mark(settings)
            await trio.to_thread.run_sync(stage.settle, mark)
            log.warning("a restore had been killed; its keys are now as its rows are")


async def _mark(settings: StoreSettings) -> int | None:
    try:
        async with open_source(settings) as source:
            return await trio.to_thread.run_sync(lambda: source.mark)
    except CopyRefused:
        return None  # there is no database at all
