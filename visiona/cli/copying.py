"""What backup, restore and moving to another engine share: the bar, Ctrl-C, and one sentence for a refusal."""

import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import trio

from visiona.cli.output import CommandError, print_note
from visiona.cli.progress import RowProgress
from visiona.config import Settings
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.file_list import Missing
from visiona.stores.copying.wanted_files import WantedFile
from visiona.stores.files.content import ContentFolder
from visiona.stores.files.opening import folder_of
from visiona.web.idp.key_file import KEY_FILE as PROVIDER_KEYS
from visiona.web.session_key import KEY_FILE as SESSION_KEY

STATE_FILES = (SESSION_KEY, PROVIDER_KEYS)
"""What the server keeps beside its database, but for model files."""

NAMED = 5
"""So many models are named in a sentence."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


def run_copy(what: str, copy: Callable[[Progress], Awaitable[T]]) -> T:
    """Runs a copy that leaves nothing behind when it is cancelled; Ctrl-C and SIGTERM cancel it.

    Args:
        what: it does, for the bar.
        copy: the work.

    Raises:
        CommandError: it was refused.
        KeyboardInterrupt: it was cancelled, and undone.
        StoreError, OSError: it failed, and was undone.
    """
    progress = RowProgress(what)
    try:
        done = trio.run(_unless_told, copy, progress)
    except CopyRefused as error:
        raise CommandError(str(error), code=error.code) from error
    finally:
        progress.end()
    if not done:
        print_note("interrupted; nothing was changed")
        raise KeyboardInterrupt
    return done[0]


def refuse_memory(settings: Settings) -> None:
    """Raises CommandError where nothing is kept that could be copied."""
    if settings.stores.is_memory:
        raise CommandError(
            "the database is memory: and lives in the server alone; set database.url to a file",
            code="NO_DATABASE",
        )


def model_folder(settings: Settings) -> ContentFolder | None:
    """The folder of the files of models; None where they are in an object store."""
    if settings.storage.url is not None:
        return None
    return ContentFolder(folder_of(settings.storage, settings.state_dir), settings.storage.reserve_bytes)


def named(models: Sequence[WantedFile | Missing], count: int) -> str:
    """So many models, the first few by name."""
    first = [f"{model.name} ({model.model})" for model in models[:NAMED]]
    more = f" and {count - len(first)} more" if count > len(first) else ""
    return ("1 model: " if count == 1 else f"{count} models: ") + ", ".join(first) + more


def note_redis(settings: Settings) -> None:
    """Says what is not in the database."""
    if settings.stores.redis.url is not None:
        print_note("people's sessions are in Redis, so they are not part of this")


async def _unless_told(copy: Callable[[Progress], Awaitable[T]], progress: RowProgress) -> list[T]:
    """The result, or nothing where a signal came first. What has ended when the signal comes counts as done."""
    done: list[T] = []
    with trio.CancelScope() as everything, _told(everything):
        done.append(await copy(progress))
    return done


@contextmanager
def _told(everything: trio.CancelScope) -> Iterator[None]:
    """A signal cancels the scope, however often it comes."""
    token = trio.lowlevel.current_trio_token()

    def cancel(*_: object) -> None:
        token.run_sync_soon(everything.cancel, idempotent=True)

    before = {number: signal.signal(number, cancel) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
