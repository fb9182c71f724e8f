from tests.cli.conftest import Run


def test_status_changes_nothing_and_up_brings_it_up(visiona: Run) -> None:
    before = visiona("migrate", "status", "--json").json
    assert before["applied"] == []
    assert before["pending"][0]["number"] == 1
    assert visiona("migrate", "status", "--json").json == before
    assert visiona("migrate", "up").code == 0
    assert visiona("migrate", "up").out == "the schema is up to date\n"
    assert visiona("migrate", "up", "--json").json == {"ran": []}
    after = visiona("migrate", "status", "--json").json
    assert (after["applied"], after["pending"]) == (before["pending"], [])
    assert visiona("migrate", "status").out.splitlines()[1].split() == ["0001", "initial", "ran"]


def test_memory_has_no_schema_and_nothing_for_a_command(visiona: Run) -> None:
    assert visiona("migrate", "status", "--set", "database.url=memory:").code == 0
    refused = visiona("user", "list", "--set", "database.url=memory:")
    assert (refused.code, "[NO_DATABASE]" in refused.err) == (1, True)


def test_s07_a_state_directory_that_cannot_be_written_is_one_sentence(visiona: Run) -> None:
    refused = visiona("user", "list", "--set", "state_dir=/proc/nowhere")
    assert refused.code in {1, 3}
    assert refused.err.count("\n") == 1
    assert "/proc/nowhere" in refused.err
