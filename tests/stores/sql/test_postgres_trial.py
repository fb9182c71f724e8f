import contextlib
from typing import Any

import asyncpg
import pytest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.sql.postgres_trial import try_writing


class FullDisk:
    """A transaction that writes into a page that has room; a file cannot grow."""

    def __init__(self, code: str) -> None:
        self._code = code
        self.asked: list[str] = []

    async def execute(self, sql: str) -> int:
        self.asked.append(sql.split()[0])
        if sql.startswith("CREATE"):
            cause = asyncpg.PostgresError.new({"C": self._code, "M": "the driver's own words"})
            raise StoreUnavailable("refused") from cause
        return 1


@pytest.mark.parametrize(("code", "tells"), [("53100", True), ("42501", False)])
async def test_s01_a_disk_that_was_full_is_tried_with_more_than_a_page(code: str, tells: bool) -> None:
    """Where the user may make no temporary table, the next write of somebody's tells."""
    disk: Any = FullDisk(code)
    await try_writing(disk, needs_room=False)
    assert disk.asked == ["UPDATE"]
    with pytest.raises(StoreUnavailable) if tells else contextlib.nullcontext():
        await try_writing(disk, needs_room=True)
    assert disk.asked == ["UPDATE", "UPDATE", "CREATE"]
