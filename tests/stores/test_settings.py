from pathlib import Path

import pytest
from visiona.stores.settings import StoreSettings

STATE = Path("/var/lib/visiona")


@pytest.mark.parametrize(
    ("url", "file"),
    [
        (None, "/var/lib/visiona/visiona.db"),
        ("sqlite:///srv/my%20data/v.db", "/srv/my data/v.db"),
        ("sqlite:////srv/v.db", "/srv/v.db"),
    ],
)
def test_the_file_is_in_the_state_directory_or_where_the_address_says(url: str | None, file: str) -> None:
    settings = StoreSettings(url, STATE)
    assert settings.check() == []
    assert settings.database_file == Path(file)
    assert not settings.is_memory


def test_memory_keeps_nothing() -> None:
    assert StoreSettings("memory:", STATE).check() == []
    assert StoreSettings("memory:", STATE).is_memory


def test_every_fault_is_told_at_once() -> None:
    faults = StoreSettings("mysql://x", STATE, synchronous="often").check()
    assert len(faults) == 2
    assert "database.synchronous" in faults[0]
    assert "database.url" in faults[1]


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///", "sqlite:///srv/", "visiona.db"])
def test_an_address_that_names_no_file_is_a_fault(url: str) -> None:
    assert len(StoreSettings(url, STATE).check()) == 1


@pytest.mark.parametrize("url", ["postgresql://u:hush@h/d", "postgres://h"])
def test_postgresql_is_said_to_be_missing_and_no_password_is_repeated(url: str) -> None:
    (fault,) = StoreSettings(url, STATE).check()
    assert "cannot use PostgreSQL yet" in fault
    assert "hush" not in fault
