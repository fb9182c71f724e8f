"""Fields that Connection takes out of a message by naming them (RFC 9110 §7.6.1), and those that it may not (H-02)."""

from visiona.wire.http1.fate import droppable_by_name
from visiona.wire.http1.fields import list_members
from visiona.wire.http1.head import RequestHead, ResponseHead

_NAMES_NONE = frozenset(
    {b"keep-alive", b"Keep-Alive", b"close", b"Close", b"upgrade", b"Upgrade", b"keep-alive, Upgrade"}
)

NONE: frozenset[bytes] = frozenset()


def named_by_connection(head: RequestHead | ResponseHead) -> frozenset[bytes]:
    """The fields to take out beyond the hop-by-hop ones, in lower case."""
    connection = head.get(b"connection")
    if connection is None or (connection in _NAMES_NONE and not head.has_repeats):
        return NONE
    options = (option for value in head.get_all(b"connection") for option in list_members(value))
    return frozenset(option for option in options if droppable_by_name(option))
