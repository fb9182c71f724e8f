"""Masking (RFC 6455 §5.3), by the C loop of `websockets` where it was built, else by its Python form.

Both read bytes, bytearrays and memoryviews and give new bytes. They start at the first byte of the mask, so a payload
that is cut goes on with the mask turned by as many bytes as went before (`turned`).
"""

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

__all__ = ["apply_mask", "turned"]


def turned(mask: bytes, count: int) -> bytes:
    """The mask as it continues after `count` bytes of payload."""
    at = count & 3
    return mask[at:] + mask[:at] if at else mask
