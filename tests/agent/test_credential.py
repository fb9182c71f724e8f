import json
import stat
from pathlib import Path

import pytest
from visiona.agent.credential import FILE_NAME, Credential, CredentialInvalid, new_instance, write_private

TOKEN = "vAs_" + "a" * 64


def credential() -> Credential:
    return Credential(TOKEN, "https://relay.example", "http://127.0.0.1:3721", "i" * 32, account="a@b.c")


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    credential().write(tmp_path / "new" / "folder")
    assert Credential.read(tmp_path / "new" / "folder") == credential()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = credential().write(tmp_path / "state")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    credential().write(tmp_path / "state")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_p10_the_secret_is_not_in_its_representation() -> None:
    assert "vAs_" not in repr(credential())
    assert "vAs_" not in f"{credential()}"


def test_a_failed_write_leaves_the_old_one_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential().write(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("visiona.agent.credential.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / FILE_NAME, "half")
    assert Credential.read(tmp_path) == credential()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "not paired"),
        ("{", "damaged"),
        ("[]", "incomplete"),
        (json.dumps({"session_token": TOKEN}), "incomplete"),
        (json.dumps({"session_token": 5, "relay_url": "x", "target": "y", "instance": "z"}), "incomplete"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(CredentialInvalid, match=sentence) as refused:
        Credential.read(tmp_path)
    assert TOKEN not in str(refused.value)


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    path = credential().write(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "later": "x"}))
    assert Credential.read(tmp_path) == credential()


def test_instances_are_random() -> None:
    assert new_instance() != new_instance()
    assert len(new_instance()) == 32
