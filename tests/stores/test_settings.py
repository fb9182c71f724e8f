from pathlib import Path

import pytest
from visiona.stores.redis_address import RedisAddress
from visiona.stores.settings import RedisSettings, StoreSettings

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


@pytest.mark.parametrize("url", ["postgresql://u:hush@h/d", "postgres://h/d?sslmode=require"])
def test_a_server_is_named_by_its_address(url: str) -> None:
    settings = StoreSettings(url, STATE)
    assert settings.check() == []
    assert settings.is_postgres
    assert settings.postgres.hosts == (("h", 5432),)
    assert not settings.is_memory


@pytest.mark.parametrize(
    "url", ["postgresql://u:hush@h", "postgres://u:hush/x@h/d", "postgresql://u:hush@h:x/d"]
)
def test_s01_a_fault_in_a_servers_address_is_told_without_its_password(url: str) -> None:
    (fault,) = StoreSettings(url, STATE).check()
    assert fault.startswith("database.url: write postgresql://")
    assert "hush" not in fault


def test_no_password_is_in_what_python_shows_of_settings() -> None:
    redis = RedisSettings("redis://:hush@h")
    assert "hush" not in repr(StoreSettings("postgresql://u:hush@h/d", STATE, redis=redis))


@pytest.mark.parametrize(
    ("settings", "is_fine"),
    [
        (StoreSettings(None, STATE, pool_size=1), True),
        (StoreSettings(None, STATE, pool_size=100), True),
        (StoreSettings(None, STATE, pool_size=0), False),
        (StoreSettings(None, STATE, pool_size=101), False),
        (StoreSettings(None, STATE, timeout_seconds=60), True),
        (StoreSettings(None, STATE, timeout_seconds=61), False),
        (StoreSettings(None, STATE, timeout_seconds=0), False),
    ],
)
def test_each_limit_of_the_database_is_at_its_place(settings: StoreSettings, is_fine: bool) -> None:
    assert (settings.check() == []) == is_fine


def test_no_redis_is_the_default() -> None:
    assert StoreSettings(None, STATE).redis == RedisSettings()
    assert RedisSettings().check() == []
    assert RedisSettings().address is None
    assert RedisSettings("redis://cache/1").address == RedisAddress("cache", number=1)


def test_every_fault_of_redis_is_told_at_once() -> None:
    faults = RedisSettings("cache", pool_size=0, timeout_seconds=0, key_prefix="a b*").check()
    assert [fault.partition(":")[0] for fault in faults] == [
        "redis.url",
        "redis.pool_size",
        "redis.timeout_seconds",
        "redis.key_prefix",
    ]


@pytest.mark.parametrize(
    ("settings", "is_fine"),
    [
        (RedisSettings(pool_size=1), True),
        (RedisSettings(pool_size=100), True),
        (RedisSettings(pool_size=101), False),
        (RedisSettings(timeout_seconds=60), True),
        (RedisSettings(timeout_seconds=61), False),
        (RedisSettings(key_prefix="a" * 64), True),
        (RedisSettings(key_prefix="a" * 65), False),
        (RedisSettings(key_prefix="::"), False),
    ],
)
def test_each_limit_of_redis_is_at_its_place(settings: RedisSettings, is_fine: bool) -> None:
    assert (settings.check() == []) == is_fine
