"""Which requests to a device may be answered by a picture that somebody else is watching already.

Those that say nothing of their own: GET without a body, without a part asked for, without a condition, and with no
credential or field meant for the device. What is left on such a request cannot make the answer another one.
"""

from visiona.relay.camera_view import CameraView
from visiona.relay.cameras import CameraKey, Cameras
from visiona.relay.client import Client
from visiona.relay.exchange import Exchange
from visiona.relay.shared_camera import MAY_DIFFER, MAY_DIFFER_PREFIXES
from visiona.web.proxy_access import Allowed
from visiona.wire.http1.cookies import cookie_for_agent
from visiona.wire.http1.fate import Fate, request_fate
from visiona.wire.http1.framing import Framing, NoBody
from visiona.wire.http1.head import RequestHead, ResponseHead
from visiona.wire.http1.request import OUR_TOKEN_MARKS

Call = Exchange | CameraView
"""What a layer holds while a request is being answered; it is used the same way."""


def view_or_none(
    cameras: Cameras | None, head: RequestHead, framing: Framing, allowed: Allowed, client: Client
) -> CameraView | None:
    """A place among the viewers, if this asks for what may be a camera; to be entered and started."""
    target = allowed.target
    if cameras is None or head.method != b"GET" or target.verb is not None or not isinstance(framing, NoBody):
        return None
    if not cameras.may_be_camera(allowed.live.device_id, target.agent_target) or not says_nothing(head):
        return None
    return cameras.view_or_none(key_of(head, allowed), allowed.live, client)


def adopting_view_or_none(
    cameras: Cameras | None,
    exchange: Exchange,
    request: RequestHead,
    allowed: Allowed,
    client: Client,
    head: ResponseHead,
    framing: Framing,
) -> CameraView | None:
    """A place for who is being answered by a moving picture already; to be entered, and begun with `take_over`."""
    if cameras is None or request.method != b"GET" or not exchange.is_bare or not says_nothing(request):
        return None
    return cameras.adopting_view_or_none(key_of(request, allowed), allowed.live, client, head, framing)


def key_of(head: RequestHead, allowed: Allowed) -> CameraKey:
    """What two such requests have in common that can share."""
    wants_page = b"text/html" in (head.get(b"accept") or b"")
    return CameraKey(allowed.live.device_id, allowed.target.agent_target, wants_page)


def says_nothing(head: RequestHead) -> bool:
    """Whether no field of it could matter to the device."""
    for name, value in head.headers:
        lowered = name.lower()
        if lowered == b"accept" and not _takes_anything(value):
            return False
        if lowered in MAY_DIFFER or lowered.startswith(MAY_DIFFER_PREFIXES):
            continue
        match request_fate(lowered):
            case Fate.COOKIE if cookie_for_agent(value) is None:
                continue
            case Fate.AUTHORIZATION if any(mark in value for mark in OUR_TOKEN_MARKS):
                continue
            case Fate.DROP | Fate.WITH_UPGRADE:
                continue
            case _:
                return False
    return True


def _takes_anything(accept: bytes) -> bool:
    # Whoever wants one kind alone may get a single picture where others get a moving one.
    return b"*/*" in accept or b"multipart/" in accept.lower()
