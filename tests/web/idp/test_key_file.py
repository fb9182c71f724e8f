import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from visiona.web.idp.key_file import key_path, mark_of, open_keys, rotate_keys
from visiona.web.idp.keys import ROTATE_AFTER, to_document

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_first_start_makes_keys_for_the_owner_alone(tmp_path: Path) -> None:
    path = key_path(tmp_path / "state")
    keys = open_keys(path, NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name == "idp-keys.json"
    before = mark_of(path)
    assert to_document(open_keys(path, NOW)) == to_document(keys)
    assert mark_of(path) == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_key_is_replaced_when_it_is_too_old_or_told(tmp_path: Path) -> None:
    path = key_path(tmp_path)
    first = open_keys(path, NOW)
    before = mark_of(path)
    told = rotate_keys(path, NOW)
    assert mark_of(path) != before
    aged = open_keys(path, NOW + ROTATE_AFTER)
    assert len({keys.newest.kid for keys in (first, told, aged)}) == 3
    assert open_keys(path, NOW + ROTATE_AFTER).newest.kid == aged.newest.kid


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "\x00", '{"signing_keys": [], "form_key": null}', "9" * 9999]
)
def test_a_broken_file_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = key_path(tmp_path)
    path.write_text(text, encoding="utf-8")
    for work in (open_keys, rotate_keys):
        with pytest.raises(OSError, match="holds no keys") as caught:
            work(path, NOW)
        assert caught.value.filename == str(path)
    assert path.read_text(encoding="utf-8") == text


def test_s07_a_file_that_others_can_read_is_mended_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = key_path(tmp_path)
    open_keys(path, NOW)
    path.chmod(0o644)
    open_keys(path, NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "others could read" in caplog.text


def test_two_that_rotate_at_once_lose_nothing(tmp_path: Path) -> None:
    path = key_path(tmp_path)
    open_keys(path, NOW)
    threads = [Thread(target=rotate_keys, args=(path, NOW + timedelta(days=1))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(open_keys(path, NOW + timedelta(days=1)).signing) == 3


def test_where_there_is_no_file_there_is_no_mark(tmp_path: Path) -> None:
    assert mark_of(key_path(tmp_path)) is None
