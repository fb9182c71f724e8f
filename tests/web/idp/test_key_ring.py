from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from visiona.web.idp.key_file import key_path, mark_of, rotate_keys
from visiona.web.idp.key_ring import KeyRing
from visiona.web.idp.keys import ROTATE_AFTER

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def test_another_programs_rotation_is_noticed_at_the_next_use(tmp_path: Path) -> None:
    ring = KeyRing(key_path(tmp_path), lambda: NOW)
    first = await ring.keys()
    assert await ring.keys() is await ring.keys()
    rotate_keys(key_path(tmp_path), NOW)
    second = await ring.keys()
    assert second.newest.kid != first.newest.kid
    assert second.signing[1].key.kid == first.newest.kid
    assert (await (KeyRing(key_path(tmp_path), lambda: NOW)).keys()).newest.kid == second.newest.kid


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_key_that_grew_old_is_replaced_while_the_server_runs(tmp_path: Path, in_memory: bool) -> None:
    moment = NOW
    ring = KeyRing(None if in_memory else key_path(tmp_path), lambda: moment)
    first = await ring.keys()
    moment += ROTATE_AFTER - timedelta(seconds=1)
    assert (await ring.keys()).newest.kid == first.newest.kid
    moment += timedelta(seconds=1)
    assert (await ring.keys()).newest.kid != first.newest.kid
    assert (mark_of(key_path(tmp_path)) is None) is in_memory


async def test_a_file_broken_under_a_running_server_stops_the_signing(tmp_path: Path) -> None:
    ring = KeyRing(key_path(tmp_path), lambda: NOW)
    await ring.keys()
    key_path(tmp_path).write_text("broken", encoding="utf-8")
    with pytest.raises(OSError, match="holds no keys"):
        await ring.keys()
