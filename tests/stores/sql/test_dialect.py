import pytest
from visiona.stores.sql.dialect import POSTGRES, SQLITE, Dialect
from visiona.stores.sql.migrate import known_migrations


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRES], ids=lambda dialect: dialect.name)
def test_every_word_of_every_migration_has_a_meaning(dialect: Dialect) -> None:
    for step in known_migrations():
        assert "@" not in dialect.spell_schema(step.text)
        assert "@" not in dialect.spell_schema(step.undo or "")


def test_both_dialects_have_the_same_words() -> None:
    assert SQLITE.words.keys() == POSTGRES.words.keys()


def test_a_word_may_have_arguments() -> None:
    question = "SELECT 1 FROM t WHERE @contains(chips, $3)@ @for_update@"
    assert POSTGRES.spell(question) == "SELECT 1 FROM t WHERE chips @> ARRAY[$3]::text[] FOR NO KEY UPDATE"
    assert "json_each(chips) WHERE value = $3" in SQLITE.spell(question)


def test_a_word_without_a_meaning_is_an_error_and_not_a_question() -> None:
    with pytest.raises(ValueError, match=r"@nothing\(a\)@ means nothing in sqlite"):
        SQLITE.spell("SELECT @nothing(a)@")


def test_texts_are_in_the_order_of_their_bytes_on_both() -> None:
    text = "a TEXT NOT NULL, b @texts@ NOT NULL"
    assert SQLITE.spell_schema(text) == "a TEXT NOT NULL, b TEXT NOT NULL"
    assert POSTGRES.spell_schema(text) == 'a TEXT COLLATE "C" NOT NULL, b TEXT[] COLLATE "C" NOT NULL'


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
