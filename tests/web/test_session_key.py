import logging
import stat
import threading
from pathlib import Path

import pytest
from visiona.web.session_key import KEY_FILE, session_key


def test_the_key_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    key = session_key(None, folder, is_kept=True)
    assert len(key) == 32
    assert session_key(None, folder, is_kept=True) == key
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert session_key(None, tmp_path / "other", is_kept=True) != key


def test_programs_that_start_at_once_agree(tmp_path: Path) -> None:
    keys: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: keys.append(session_key(None, tmp_path, is_kept=True)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_chosen_key_needs_no_file(tmp_path: Path) -> None:
    key = session_key("k" * 32, tmp_path, is_kept=True)
    assert len(key) == 32
    assert session_key("k" * 32, tmp_path / "elsewhere", is_kept=False) == key
    assert session_key("K" * 32, tmp_path, is_kept=True) != key
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_is_kept_the_key_is_not_either(tmp_path: Path) -> None:
    assert session_key(None, tmp_path, is_kept=False) != session_key(None, tmp_path, is_kept=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"short", b"0" * 63, b"0" * 65, b"G" * 64, b"\xff" * 64])
def test_a_file_without_a_key_is_told_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    with pytest.raises(OSError, match="move it away") as caught:
        session_key(None, tmp_path, is_kept=True)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == content


def test_a_file_that_others_could_read_is_mended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = session_key(None, tmp_path, is_kept=True)
    (tmp_path / KEY_FILE).chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert session_key(None, tmp_path, is_kept=True) == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert "mended" in caplog.text
