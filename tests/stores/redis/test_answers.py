import pytest
from visiona.stores.redis.answers import forgetfulness, is_of_replica


@pytest.mark.parametrize(("role", "is_replica"), [(b"master", False), (b"replica", True), (b"slave", True)])
def test_who_follows_another_is_a_replica(role: bytes, is_replica: bool) -> None:
    assert is_of_replica([b"server", b"redis", b"proto", 2, b"role", role, b"modules", []]) == is_replica


def test_who_does_not_say_is_believed() -> None:
    assert not is_of_replica([b"server", b"redis"])


@pytest.mark.parametrize(
    ("limit", "policy", "forgets"),
    [
        (0, "allkeys-lru", False),
        (1, "noeviction", False),
        (1, "allkeys-lru", True),
        (1, "volatile-lru", True),
        (1, "volatile-ttl", True),
        (1, "allkeys-random", True),
    ],
)
def test_only_a_limit_with_a_policy_that_evicts_takes_sessions(
    limit: int, policy: str, forgets: bool
) -> None:
    info = f"# Memory\r\nused_memory:1\r\nmaxmemory:{limit}\r\nmaxmemory_policy:{policy}\r\n".encode()
    assert (forgetfulness(info) is not None) == forgets
