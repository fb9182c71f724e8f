import pytest
from redis import exceptions
from visiona.stores.redis.errors import NotAdmitted, NotPrimary, code_of, is_replica, translated


def answer(text: str) -> Exception:
    """The driver's error for what a server says."""
    from redis._parsers.base import BaseParser

    error: Exception = BaseParser.parse_error(text)
    return error


OUTAGES = {
    "OOM command not allowed when used memory > 'maxmemory'.": "memory of Redis is full",
    "READONLY You can't write against a read only replica.": "is a replica",
    "LOADING Redis is loading the dataset in memory": "still loading",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist": "to the disk",
    "BUSY Redis is busy running a script.": "busy with a script",
    "NOREPLICAS Not enough good replicas to write.": "too few replicas",
    "NOAUTH Authentication required.": "name or password",
    "WRONGPASS invalid username-password pair or user is disabled.": "name or password",
    "NOPERM this user has no permissions": "may not do",
    "MASTERDOWN Link with MASTER is down": "lost its primary",
    "UNBLOCKED force unblock from blocking operation, instance state changed": "is a replica",
    "CLUSTERDOWN Hash slot not served": "Redis Cluster",
    "MOVED 3999 127.0.0.1:6381": "Redis Cluster",
    "ERR max number of clients reached": "cannot be reached",
}


@pytest.mark.parametrize("text", OUTAGES)
def test_s02_what_a_redis_says_that_cannot_is_an_outage_in_our_words(text: str) -> None:
    error = translated(answer(text))
    assert error is not None
    assert OUTAGES[text] in str(error)
    assert text.partition(" ")[2] not in str(error)
    assert error.retry_after_seconds >= 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TimeoutError(), "does not answer"),
        (exceptions.TimeoutError("x"), "does not answer"),
        (exceptions.ConnectionError("x"), "cannot be reached"),
        (OSError(113, "no route"), "cannot be reached"),
        (exceptions.InvalidResponse("HTTP/1.1"), "is no Redis"),
        (NotPrimary(), "is a replica"),
        (NotAdmitted(), "does not take the connection"),
    ],
)
def test_what_the_way_to_it_says_is_an_outage(error: Exception, sentence: str) -> None:
    assert sentence in str(translated(error))


@pytest.mark.parametrize(
    "text",
    [
        "ERR Error running script",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR unknown command 'X'",
        "NOSCRIPT No matching script.",
    ],
)
def test_who_does_not_understand_us_has_met_a_bug(text: str) -> None:
    assert translated(answer(text)) is None


def test_before_the_first_question_there_is_no_bug_to_meet() -> None:
    refused = NotAdmitted()
    refused.__cause__ = refused.__context__ = answer("ERR DB index is out of range")
    assert "does the database" in str(translated(refused))
    refused.__cause__ = refused.__context__ = answer("NOPERM no")
    assert "may not do" in str(translated(refused))
    assert code_of(refused) == "NOPERM"


def test_the_server_s_word_is_the_code() -> None:
    assert code_of(answer("OOM command")) == "OOM"
    assert code_of(answer("MISCONF no")) == "MISCONF"
    assert code_of(TimeoutError()) == "TimeoutError"
    assert is_replica(answer("READONLY no"))
    assert not is_replica(answer("OOM no"))
