"""Whose turn it is: one load at a time for each device, in the order in which they lined up.

Not a lock: tasks that are started together come to one in any order.
"""

import trio

from visiona.domain.ids import DeviceId, LoadId


class Turns:
    """The lines, one for each device; no longer than what lined up and has not left."""

    def __init__(self) -> None:
        self._lines: dict[DeviceId, dict[LoadId, trio.Event]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def line_up(self, device_id: DeviceId, load_id: LoadId) -> None:
        """Last in the device's line."""
        line = self._lines.setdefault(device_id, {})
        line[load_id] = trio.Event()
        _call_first(line)

    async def wait(self, device_id: DeviceId, load_id: LoadId) -> None:
        """Returns when all who came before have left; KeyError for one that is not in the line."""
        await self._lines[device_id][load_id].wait()

    def leave(self, device_id: DeviceId, load_id: LoadId) -> None:
        """Makes room, from whatever place; harmless when it is gone already."""
        line = self._lines.get(device_id, {})
        line.pop(load_id, None)
        if line:
            _call_first(line)
        else:
            self._lines.pop(device_id, None)


def _call_first(line: dict[LoadId, trio.Event]) -> None:
    next(iter(line.values())).set()
