"""Identifiers as types. Text from outside becomes an id once, at the edge.

Ids are UUIDs of version 7 (RFC 9562 §5.7): they sort by the moment they were made.
"""

import uuid
from typing import NewType

UserId = NewType("UserId", str)
WorkspaceId = NewType("WorkspaceId", str)
DeviceId = NewType("DeviceId", str)
TokenId = NewType("TokenId", str)
EventId = NewType("EventId", str)
SessionId = NewType("SessionId", str)
ModelId = NewType("ModelId", str)
AuditId = NewType("AuditId", str)
InvitationId = NewType("InvitationId", str)
LoadId = NewType("LoadId", str)

RANDOM_BYTES = 10
"""How many random bytes `uuid7` consumes: 74 bits of them end in the id."""


def uuid7(unix_milliseconds: int, randomness: bytes) -> str:
    """Builds a version 7 UUID from a wall-clock moment and `RANDOM_BYTES` random bytes."""
    value = (unix_milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(randomness[:RANDOM_BYTES])
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=value))


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in its one canonical spelling (lower case, hyphens, nothing around it)."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
