"""What the driver says, in our words: an outage for a person, or nothing, and then it is a bug.

A Redis that cannot do what it is for says so with a word in capitals (LOADING, OOM, READONLY …) and is an outage. One
that does not understand us (ERR, WRONGTYPE) has met a bug, which must surface.
"""

import ssl
from typing import TypeAlias

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from visiona.stores.errors import StoreUnavailable


class NotAdmitted(RedisError):
    """The server answered and refuses the beginning of a connection; why is its cause."""


class NotPrimary(RedisError):
    """The server is a replica."""


_REPLICA = ("the Redis at redis.url is a replica, which keeps nothing of ours; name the primary", 5)
_SILENT = ("Redis does not answer", 2)
_MAY_NOT = ("the user in redis.url may not do in Redis what this server needs", 30)
_CLUSTER = ("the Redis at redis.url is a Redis Cluster, which this server cannot use", 30)

_Kinds: TypeAlias = tuple[tuple[type[BaseException], tuple[str, int]], ...]

_KINDS: _Kinds = (
    (NotPrimary, _REPLICA),
    (ReadOnlyError, _REPLICA),
    (AuthenticationError, ("Redis refuses the name or password in redis.url", 30)),
    (BusyLoadingError, ("Redis is still loading its data", 2)),
    (OutOfMemoryError, ("the memory of Redis is full", 30)),
    (NoPermissionError, _MAY_NOT),
    (MasterDownError, ("the Redis at redis.url is a replica that has lost its primary", 5)),
    (InvalidResponse, ("what answers at redis.url is no Redis", 30)),
    (NotAdmitted, ("Redis does not take the connection; does the database that redis.url names exist?", 30)),
    (RedisTimeoutError, _SILENT),
    (TimeoutError, _SILENT),
    (RedisConnectionError, ("Redis cannot be reached", 2)),
    (OSError, ("Redis cannot be reached", 2)),
)
"""The first that fits; with each, when it may be asked again."""

_REASONS: _Kinds = (
    (ssl.SSLCertVerificationError, ("nobody vouches for the certificate of Redis; see ssl_ca_certs", 30)),
    (FileNotFoundError, ("the file is not there that redis.url names as ssl_ca_certs", 30)),
    (NoPermissionError, _MAY_NOT),
)
"""Behind it; likewise."""

_WORDS = {
    "MISCONF": ("Redis cannot write its data to the disk, and so takes no changes", 30),
    "BUSY": ("Redis is busy with a script of somebody else's", 5),
    "NOREPLICAS": ("Redis has too few replicas, and so takes no changes", 5),
    "UNBLOCKED": _REPLICA,
    "CLUSTERDOWN": _CLUSTER,
    "MOVED": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
}
"""First words of answers that the driver does not tell apart, or not as we do."""

DRIVER_ERRORS = (RedisError, OSError)
"""All that a question to the server can raise, but for bugs of ours. A TimeoutError is an OSError."""


def code_of(error: BaseException | None) -> str:
    """The server's word, such as `OOM`, or the name of the driver's error."""
    error = error.__cause__ if isinstance(error, NotAdmitted) else error
    if isinstance(error, ResponseError):
        return error.status_code or str(error).partition(" ")[0]
    return type(error).__name__


def is_replica(error: BaseException | None) -> bool:
    """Whether another server has become the one to ask."""
    return isinstance(error, (NotPrimary, ReadOnlyError))


def translated(error: BaseException) -> StoreUnavailable | None:
    """The outage that it means; None for a bug of ours."""
    # The driver wraps what the operating system says, and we what the server says before the first question.
    reason = error.__context__ if isinstance(error, (NotAdmitted, RedisConnectionError)) else None
    known = (
        _WORDS.get(code_of(error)) or _first_that_fits(reason, _REASONS) or _first_that_fits(error, _KINDS)
    )
    if known is None:
        return None
    sentence, retry_after_seconds = known
    return StoreUnavailable(sentence, retry_after_seconds=retry_after_seconds)


def _first_that_fits(error: BaseException | None, kinds: _Kinds) -> tuple[str, int] | None:
    return next((known for kind, known in kinds if isinstance(error, kind)), None)
