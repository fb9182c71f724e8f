"""Which requests go to a device, and what the device is asked. Decided once, on the raw target.

Raw means as it was sent: nothing is decoded before the decision, so no other spelling of a path can be decided
differently later (H-06, H-07). What looks like a device route and is not well formed is refused, never passed on to
the routes of our own API.
"""

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl

from visiona.domain.errors import Invalid
from visiona.domain.ids import DeviceId
from visiona.web.errors import MethodNotAllowed
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.forward import agent_path

GetHeader = Callable[[bytes], bytes | None]
"""Takes a field's name in lower case."""

TUNNEL_CONNECT_PATH = b"/tunnel/connect"

NO_DEVICE = DeviceId("00000000-0000-0000-0000-000000000000")
"""Where an id is not spelled as ours are: asked for like any other, so that who asks is known before it is not found."""

_PROXY = re.compile(rb"(/api/devices/([^/?]*)/proxy)(?:[/?]|$)")
_VERB = re.compile(
    rb"/api/devices/([^/?]+)/(connect|disconnect|flash|inference/start|inference/stop|scan)(?:\?|$)"
)
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SCAN = re.compile(rb"/api/devices/scan(?:\?|$)")
_KEPT = re.compile(rb"(?:/api/camera|/api/media|/api/firmware|/api/system|/ws)(?:[/?]|$)")
_OURS_UNLESS_NAMED = re.compile(rb"/api/system/(?:health|info)(?:\?|$)")
"""Questions that this server answers about itself, where no device is named."""


class Target(NamedTuple):
    """A request to a device.

    Attributes:
        device_id: which device; None: the one that `local_id` names, else the caller's only one that is online.
        agent_target: origin-form path and query for the agent; of a verb, `{local id}` is not in it yet.
        verb: what an accelerator shall do, or None; `scan` is the device's own verb.
        local_id: the accelerator, by the agent's own id, where the caller named one.
    """

    device_id: DeviceId | None
    agent_target: bytes
    verb: bytes | None = None
    local_id: str | None = None


def device_target(method: bytes, raw_target: bytes, get_header: GetHeader) -> Target | None:
    """What the request asks of which device; None: it is not for a device.

    Raises:
        RemoteProtocolError: the path is not one that may cross (400).
        MethodNotAllowed: a verb by another method than POST.
    """
    if not raw_target.startswith((b"/api/", b"/ws")):
        return None
    if match := _PROXY.match(raw_target):
        prefix, device_text = match.groups()
        return Target(_device_id(device_text), agent_path(raw_target, prefix))
    if _KEPT.match(raw_target):
        named = _named_device(raw_target, get_header)
        if named is None and _OURS_UNLESS_NAMED.match(raw_target):
            return None
        return Target(named, agent_path(raw_target, b""))
    if _SCAN.match(raw_target):
        _need_post(method)
        return Target(_named_device(raw_target, get_header), b"/api/devices/scan", b"scan")
    if match := _VERB.match(raw_target):
        _need_post(method)
        return _verb_target(raw_target, *match.groups())
    return None


def resolved(target: Target, local_id: str) -> Target:
    """A verb's target once the accelerator is known."""
    verb = target.verb or b""
    return target._replace(agent_target=b"/api/devices/%s/%s" % (_segment(local_id), verb), local_id=local_id)


def check_form(method: bytes, raw_target: bytes) -> None:
    """Refuses what is not a path on this server: absolute and authority form, `*`, and the methods that need them.

    Raises:
        MethodNotAllowed: CONNECT, TRACE, TRACK.
        RemoteProtocolError: the target is not in origin form (400).
    """
    if method in (b"CONNECT", b"TRACE", b"TRACK"):
        raise MethodNotAllowed("this method is not served here")
    if not raw_target.startswith(b"/"):
        raise RemoteProtocolError("the request target must be a path", kind="target")


def _verb_target(raw_target: bytes, device_text: bytes, verb: bytes) -> Target:
    name = device_text.decode("ascii", "replace")
    chosen = _query_value(raw_target, "accelerator")
    if _UUID.fullmatch(device_text):
        agent_target = b"/api/devices/scan" if verb == b"scan" else b""
        return Target(DeviceId(name), agent_target, verb, chosen)
    if verb == b"scan" or not _is_plain(name):
        return Target(NO_DEVICE, b"/api/devices/scan", verb)
    return Target(None, b"", verb, name)


def _device_id(text: bytes) -> DeviceId:
    # The same spelling as domain.ids.is_uuid, without making a UUID on every request.
    return DeviceId(text.decode("ascii")) if _UUID.fullmatch(text) is not None else NO_DEVICE


def _named_device(raw_target: bytes, get_header: GetHeader) -> DeviceId | None:
    named = _query_value(raw_target, "device_id")
    if named is None and (header := get_header(b"x-visiona-device")):
        named = header.decode("ascii", "replace")
    return None if named is None else _device_id(named.encode("utf-8", "replace"))


def _query_value(raw_target: bytes, name: str) -> str | None:
    _, mark, query = raw_target.partition(b"?")
    if not mark or name.encode() not in query:
        return None
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Invalid("the query cannot be read") from error
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise Invalid(f"{name} is given twice")
    return values[0] if values else None


def _is_plain(local_id: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}", local_id) is not None


def _segment(local_id: str) -> bytes:
    if not _is_plain(local_id):
        raise Invalid("the accelerator's id cannot be part of a path")
    return local_id.encode()


def _need_post(method: bytes) -> None:
    if method != b"POST":
        raise MethodNotAllowed("this can only be done by POST", allowed=frozenset({"POST"}))
