r"""From the target a client sent to the target a device sees. The raw path decides, once (H-06, H-07).

A target is either handed on byte for byte or refused; it is never repaired, for a repaired path is one that the next
reader may have read differently. Refused, because some server behind us would read another path than we did:

    what                                   because
    bytes outside the visible ASCII, `#`   no target has them; fragments never leave a client
    `//`                                   an empty segment; at the front it is another host
    `.` and `..` as segments, also `..;x`  the route above it was decided already
    `\` and %5c                            a slash for Windows and for URL parsers
    %2f                                    a slash for servers that decode first
    %00–%1f, %7f                           truncates, or splits a head
    % without two hex digits               nobody agrees what it is
    not UTF-8 when decoded                 overlong forms of the above
    any of these after a second or third decoding (%252e), or more than that

The query is the device's own business and passes as it is.
"""

import re
from urllib.parse import unquote_to_bytes

from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.head import VISIBLE

_LOOSE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROLS = bytes([*range(0x20), 0x7F])
_MAX_DECODINGS = 3


def agent_path(raw_target: bytes, prefix: bytes) -> bytes:
    """The target for the device: what follows the prefix, beginning with a slash.

    Args:
        raw_target: as the client sent it, in origin form.
        prefix: our part of the path, without a slash at its end; compared byte for byte. May be empty.

    Raises:
        RemoteProtocolError: kind `target`, status 400.
    """
    if not raw_target.startswith(prefix):
        raise _refused("another beginning than the device's path")
    rest = raw_target[len(prefix) :]
    if rest.translate(None, VISIBLE) or b"#" in rest:
        raise _refused("bytes that no target may have")
    path, mark, query = rest.partition(b"?")
    if not path:
        return b"/" + mark + query
    if path[0] != ord("/"):
        raise _refused("another beginning than the device's path")
    if b"%" in path or b"//" in path or b"/." in path or b"\\" in path:
        _check_path(path)
    return rest


def _check_path(path: bytes) -> None:
    if _LOOSE_PERCENT.search(path):
        raise _refused("a percent sign without two hex digits")
    _check_segments(path, first=True)
    for _ in range(_MAX_DECODINGS):
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return
        if decoded.count(b"/") != path.count(b"/"):
            raise _refused("an encoded slash")
        if len(decoded.translate(None, _CONTROLS)) != len(decoded):
            raise _refused("an encoded control byte")
        try:
            decoded.decode()
        except UnicodeDecodeError:
            raise _refused("bytes that are not UTF-8") from None
        _check_segments(decoded, first=False)
        path = decoded
    raise _refused("an encoding within encodings")


def _check_segments(path: bytes, *, first: bool) -> None:
    if b"\\" in path:
        raise _refused("a backslash")
    if first and b"//" in path:
        raise _refused("an empty segment")
    for segment in path.split(b"/"):
        if segment.partition(b";")[0] in {b".", b".."}:
            raise _refused("a dot segment")


def _refused(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the path cannot be passed on, for it has {what}", kind="target")
