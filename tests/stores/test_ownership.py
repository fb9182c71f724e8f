import os
from pathlib import Path

import pytest
from visiona.stores.ownership import give_to_owner_of_folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_a_file_to_whoever_has_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/etc/hostname")
    before = os.stat("/etc/hostname")
    give_to_owner_of_folder(tmp_path / "file")
    give_to_owner_of_folder(tmp_path / "link")
    for name in ("file", "link"):
        status = (tmp_path / name).lstat()
        assert (status.st_uid, status.st_gid) == (65534, 65533)
    assert os.stat("/etc/hostname").st_uid == before.st_uid


def test_others_leave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "chown", lambda *_, **__: pytest.fail("nobody gives files away but root"))
    give_to_owner_of_folder(tmp_path)
