import pytest
from visiona.stores.sql.dialect import SQLITE
from visiona.stores.sql.migrate import known_migrations


def test_every_word_of_every_migration_has_a_meaning() -> None:
    for step in known_migrations():
        assert "@" not in SQLITE.spell_schema(step.text)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("UNIQUE constraint failed: index 'users_email'", "email"),
        ("UNIQUE constraint failed: devices.workspace_id, devices.serial_number", "serial_number"),
        ("CHECK constraint failed: pairing_tokens_ttl", "ttl"),
        ("FOREIGN KEY constraint failed", "reference"),
        ("NOT NULL constraint failed: users.name", "other"),
    ],
)
def test_an_integrity_error_names_the_promise(text: str, about: str) -> None:
    assert SQLITE.about(text) == about
