from pathlib import Path

from visiona.web.idp.key_file import key_path

from tests.cli.conftest import Run


def test_a_new_key_signs_and_the_old_one_stays_known(visiona: Run, state_dir: Path) -> None:
    first = visiona("idp", "rotate-keys", "--json").json
    second = visiona("idp", "rotate-keys", "--json").json
    assert second["kids"] == [second["kid"], first["kid"], *first["kids"][1:]]
    assert second["kid"] in key_path(state_dir).read_text()
    assert visiona("idp", "rotate-keys").out.startswith("a new key is published and signs in 2 minutes: ")


def test_keys_in_memory_cannot_be_reached(visiona: Run) -> None:
    refused = visiona("idp", "rotate-keys", "--set", "database.url=memory:")
    assert (refused.code, "[NO_DATABASE]" in refused.err) == (1, True)


def test_a_broken_file_is_a_sentence(visiona: Run, state_dir: Path) -> None:
    state_dir.mkdir()
    key_path(state_dir).write_text("broken")
    refused = visiona("idp", "rotate-keys")
    assert refused.code == 1
    assert "idp-keys.json" in refused.err
    assert "holds no keys" in refused.err
