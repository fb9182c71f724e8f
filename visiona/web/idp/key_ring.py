"""The keys as the running provider uses them: read once, and again when another program changed the file."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import trio

from visiona.web.idp.key_file import Mark, mark_of, open_keys
from visiona.web.idp.keys import Keys, new_keys, rotated


class KeyRing:
    """Made by `open_key_ring`.

    Args:
        path: the file; None keeps the keys in memory, as the `memory:` store does with accounts.
        keys: what it held.
        mark: of the file that was read.
        now: the wall clock.
    """

    def __init__(self, path: Path | None, keys: Keys, mark: Mark | None, now: Callable[[], datetime]) -> None:
        self._path = path
        self._keys = keys
        self._mark = mark
        self._now = now
        self._refreshing = trio.Lock()

    async def keys(self) -> Keys:
        """The keys to use now; waits only where the file was changed or a key is too old.

        Raises:
            OSError: the changed file is no good. It stays so until somebody mends it: a key that was replaced on
                purpose must not be used any longer.
        """
        if self._is_stale():
            async with self._refreshing:
                if self._is_stale():
                    await self._refresh()
        return self._keys

    def _is_stale(self) -> bool:
        is_changed = self._path is not None and mark_of(self._path) != self._mark
        return is_changed or self._keys.is_rotation_due(self._now())

    async def _refresh(self) -> None:
        if self._path is None:
            self._keys = await trio.to_thread.run_sync(rotated, self._keys, self._now())
            return
        self._keys, self._mark = await trio.to_thread.run_sync(_opened, self._path, self._now())


async def open_key_ring(path: Path | None, now: Callable[[], datetime]) -> KeyRing:
    """Reads the keys, or makes the first.

    Raises:
        OSError: see key_file.open_keys.
    """
    if path is None:
        return KeyRing(None, await trio.to_thread.run_sync(new_keys, now()), None, now)
    keys, mark = await trio.to_thread.run_sync(_opened, path, now())
    return KeyRing(path, keys, mark, now)


def _opened(path: Path, now: datetime) -> tuple[Keys, Mark | None]:
    # Before the reading: what is changed meanwhile, by us or another, is read once more at the next use.
    mark = mark_of(path)
    return open_keys(path, now), mark
