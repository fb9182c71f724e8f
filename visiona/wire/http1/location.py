"""Where a device may redirect to: anywhere foreign, and of ours to its own paths only.

A redirect is followed with the credentials and custom fields of the request it answers, also by `fetch` in our own
console. `307` to another path of ours would be our API, driven by a device (H-10). So a redirect is read here the way
a browser reads it (WHATWG URL: backslashes are slashes, `%2e` is a dot, tabs vanish), resolved, and put below the
device's prefix; what cannot be read plainly is dropped.
"""

import re
from ipaddress import IPv4Address, IPv6Address

from visiona.wire.http1.crossing import Crossing

_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY = re.compile(rb"(?:([0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*\.?)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{0,5})?")
_LOOKS_NUMERIC = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
_DOTS = {b".": 1, b"%2e": 1, b"..": 2, b".%2e": 2, b"%2e.": 2, b"%2e%2e": 2}
_VISIBLE = bytes(range(0x21, 0x7F))


def location_for_client(value: bytes, crossing: Crossing) -> bytes | None:
    """A Location as the client may see it, or None when it must not see it."""
    value = value.translate(None, b"\t").strip(b" ")
    if value.translate(None, _VISIBLE + bytes(range(0x80, 0x100)) + b" "):
        return None
    value = value.replace(b" ", b"%20")
    reference = value
    scheme = _SCHEME.match(value)
    if scheme is not None:
        if scheme[1].lower() not in {b"http", b"https"}:
            return None
        reference = value[scheme.end() :]
        if not reference.startswith(b"//"):
            return None  # `https:path` is relative to some and a host to others
    if not reference[:2].replace(b"\\", b"/").startswith(b"//"):
        return _below_prefix(reference, crossing)
    authority, rest = _cut_authority(reference[2:])
    host = _canonical_host(authority)
    if host is None:
        return None
    if host == _canonical_host(crossing.public_host) or _is_loopback(host):
        return _below_prefix(rest if rest[:1] in {b"/", b"\\"} else b"/" + rest, crossing)
    return value if reference.startswith(b"//") else None


def refresh_for_client(value: bytes) -> bytes | None:
    """A Refresh that only reloads the page; one that leads elsewhere is dropped."""
    return value if value.isdigit() else None


def _below_prefix(reference: bytes, crossing: Crossing) -> bytes | None:
    """The reference, resolved against what the device was asked for, as a path of ours."""
    prefix = crossing.device_prefix
    if not prefix:
        return None
    path, tail = _cut_path(reference)
    asked, asked_tail = _cut_path(crossing.agent_target)
    path = path.replace(b"\\", b"/")
    if not path:
        path = asked
        if not tail.startswith(b"?"):
            tail = asked_tail + tail
    elif path[0] != ord("/"):
        path = asked[: asked.rfind(b"/") + 1] + path
    path = _without_dots(path)
    if path == prefix or path.startswith(prefix + b"/"):
        return path + tail  # the device has read X-Forwarded-Prefix
    return prefix + path + tail


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        dots = _DOTS.get(segment.lower(), 0)
        if dots == 2 and kept:
            kept.pop()
        if not dots:
            kept.append(segment)
    if _DOTS.get(segments[-1].lower()):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _cut_path(reference: bytes) -> tuple[bytes, bytes]:
    end = min((at for at in (reference.find(b"?"), reference.find(b"#")) if at >= 0), default=len(reference))
    return reference[:end], reference[end:]


def _cut_authority(rest: bytes) -> tuple[bytes, bytes]:
    end = min((at for mark in b"/\\?#" if (at := rest.find(mark)) >= 0), default=len(rest))
    return rest[:end], rest[end:]


def _canonical_host(authority: bytes) -> str | None:
    """The host, in the one spelling by which hosts are compared; None for a spelling that needs a browser to read."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    try:
        if match[2] is not None:
            address = IPv6Address(match[2].decode())
            return str(address.ipv4_mapped or address)
        host = match[1].decode().lower().removesuffix(".")
        # Browsers read 2130706433, 0x7f.1 and 127.1 as addresses too.
        return str(IPv4Address(host)) if _LOOKS_NUMERIC.fullmatch(host.rpartition(".")[2]) else host
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127.")
