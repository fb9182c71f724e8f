"""The keys as the running provider uses them: read at the first use, and again when another program changed the file."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import trio

from visiona.web.idp.key_file import Mark, mark_of, open_keys
from visiona.web.idp.keys import Keys, new_keys, rotated


class KeyRing:
    """The keys of one provider.

    Args:
        path: the file; None keeps the keys in memory, as the `memory:` store does with accounts.
        now: the wall clock.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime]) -> None:
        self._path = path
        self._keys: Keys | None = None
        self._mark: Mark | None = None
        self._now = now
        self._refreshing = trio.Lock()

    async def keys(self) -> Keys:
        """The keys to use now; waits only at first, where the file was changed, or where a key is too old.

        Raises:
            OSError: the file is no good, or cannot be made. It stays so until somebody mends it: a key that was
                replaced on purpose must not be used any longer.
        """
        if (keys := self._fresh_or_none()) is not None:
            return keys
        async with self._refreshing:
            if (keys := self._fresh_or_none()) is not None:
                return keys
            return await self._refreshed()

    def _fresh_or_none(self) -> Keys | None:
        if self._keys is None or self._keys.is_rotation_due(self._now()):
            return None
        is_same = self._path is None or mark_of(self._path) == self._mark
        return self._keys if is_same else None

    async def _refreshed(self) -> Keys:
        if self._path is not None:
            keys, self._mark = await trio.to_thread.run_sync(_opened, self._path, self._now())
        elif self._keys is not None:
            keys = await trio.to_thread.run_sync(rotated, self._keys, self._now())
        else:
            keys = await trio.to_thread.run_sync(new_keys, self._now())
        self._keys = keys
        return keys


def _opened(path: Path, now: datetime) -> tuple[Keys, Mark | None]:
    # Before the reading: what is changed meanwhile, by us or another, is read once more at the next use.
    mark = mark_of(path)
    return open_keys(path, now), mark
