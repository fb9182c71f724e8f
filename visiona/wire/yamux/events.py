"""What a session reports. The stream comes first in each event that has one.

These are NamedTuples and not frozen dataclasses, because two or three are made for each small request.
"""

from typing import NamedTuple, TypeVar

Kind = TypeVar("Kind", bound=type)


def _same(one: tuple[object, ...], other: object) -> bool:
    return type(one) is type(other) and tuple.__eq__(one, other)


def _differ(one: tuple[object, ...], other: object) -> bool:
    return not _same(one, other)


def _distinct(kind: Kind) -> Kind:
    """Events of two kinds are never equal, though tuples of the same values are."""
    for name, method in (("__eq__", _same), ("__ne__", _differ), ("__hash__", tuple.__hash__)):
        setattr(kind, name, method)
    return kind


@_distinct
class StreamOpened(NamedTuple):
    """The peer opened a stream. It waits in the accept backlog until it is accepted or reset."""

    stream_id: int


@_distinct
class DataReceived(NamedTuple):
    """A piece of a data frame, as it came: pieces are neither joined nor held back."""

    stream_id: int
    data: bytes


@_distinct
class StreamEnded(NamedTuple):
    """The peer sends nothing more on this stream. Our direction is still open, unless we ended it before."""

    stream_id: int


@_distinct
class StreamReset(NamedTuple):
    """The stream is gone in both directions and what was queued for it is dropped."""

    stream_id: int


@_distinct
class Writable(NamedTuple):
    """The stream has room again, after `room` had been 0."""

    stream_id: int


@_distinct
class PingAcked(NamedTuple):
    """The peer answered our ping."""

    opaque: int
    rtt_seconds: float


@_distinct
class GoAwayReceived(NamedTuple):
    """The peer accepts no more streams. Code 0 lets those in flight finish; any other is an accusation."""

    code: int


Event = StreamOpened | DataReceived | StreamEnded | StreamReset | Writable | PingAcked | GoAwayReceived
