"""Cookies that cross: ours never reach a device, and a device's never touch ours (H-09)."""

from visiona.wire.http1.fields import is_token

OUR_COOKIE_PREFIXES = (
    b"visiona_",
    b"__host-visiona_",
    b"__secure-visiona_",
    b"__http-visiona_",
    b"__host-http-visiona_",
)
"""Of cookie names in lower case. Wider than the names in use, so that a new one is safe from its first day."""

_MARK = b"visiona_"
_PASSED_ATTRIBUTES = frozenset(
    {b"expires", b"max-age", b"secure", b"httponly", b"samesite", b"partitioned", b"priority"}
)


def cookie_for_agent(value: bytes) -> bytes | None:
    """A Cookie field's value without our cookies, or None when nothing is left.

    The others stay byte for byte. The split is the browser's own (RFC 6265bis §5.8.3): at each semicolon, whatever
    quotes say, so that no value can hide a name of ours.
    """
    if _MARK not in value.lower():
        return value
    kept = [
        pair for pair in value.split(b";") if not _is_ours(pair.partition(b"=")[0]) and pair.strip(b" \t")
    ]
    return b";".join(kept).strip(b" \t") or None


def set_cookie_for_client(value: bytes, *, device_prefix: bytes) -> bytes | None:
    """A device's Set-Cookie, confined to the device's paths, or None when it may not be set at all.

    Refused: our names, nameless cookies (a browser would send their value as if it were a name and a value), names
    that are no token, `__Host-` (its Path must be `/`, which is ours), `__Secure-` without Secure. Domain is dropped,
    Path is put below the prefix, attributes that we do not know are dropped.
    """
    pair, *raw_attributes = value.split(b";")
    name, equals, _ = pair.partition(b"=")
    name = name.strip(b" \t")
    lower = name.lower()
    if not device_prefix or not equals or not is_token(name) or _is_ours(name):
        return None
    attributes = [raw.strip(b" \t") for raw in raw_attributes]
    named = [(raw.partition(b"=")[0].strip(b" \t").lower(), raw) for raw in attributes]
    if lower.startswith((b"__host-", b"__http-")):
        return None
    if lower.startswith(b"__secure-") and not any(attribute == b"secure" for attribute, _ in named):
        return None
    path = b""
    for attribute, raw in named:
        if attribute == b"path":
            path = raw.partition(b"=")[2].strip(b" \t")
    kept = [raw for attribute, raw in named if attribute in _PASSED_ATTRIBUTES]
    return b"; ".join([pair.strip(b" \t"), *kept, b"Path=" + _confined_path(path, device_prefix)])


def _confined_path(path: bytes, device_prefix: bytes) -> bytes:
    if path == device_prefix or path.startswith(device_prefix + b"/"):
        return path  # the device has read X-Forwarded-Prefix
    if not path.startswith(b"/") or path == b"/":
        return device_prefix
    return device_prefix + path


def _is_ours(name: bytes) -> bool:
    return name.strip(b" \t\"'").lower().startswith(OUR_COOKIE_PREFIXES)
