"""From an ASGI scope to the request head that the wire's rules work on, and what each exchange shares."""

from collections.abc import Callable
from dataclasses import dataclass, field

from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Limits, Sweeper
from visiona.web.camera_sharing import Call
from visiona.web.proxy_access import Access, Allowed
from visiona.web.proxy_answer import Message
from visiona.web.proxy_crossing import Outside
from visiona.web.targets import GetHeader, Target
from visiona.wire.http1.fields import Header
from visiona.wire.http1.forward import checked_request
from visiona.wire.http1.head import RequestHead


@dataclass(frozen=True, slots=True)
class ProxyParts:
    """What every exchange of the ASGI layer is given; `endless` are those that a drain has to cut."""

    access: Access
    sweeper: Sweeper
    limits: Limits
    outside: Outside
    cameras: Cameras | None = None
    endless: dict[Call, None] = field(default_factory=dict)

    async def allowed(self, head: RequestHead, target: Target, peer_address: str) -> Allowed:
        """May this caller use this device now? Raises as Access.resolve."""
        credentials = self.outside.reader.read(head.method.decode("latin-1"), text_getter(head))
        if (allowed := self.access.known(credentials, target)) is not None:
            return allowed
        address = self.outside.address_of(peer_address, head)
        return await self.access.resolve(credentials, target, address)


def raw_target(scope: Message) -> bytes:
    """The target as the client sent it."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path


def header_getter(scope: Message) -> GetHeader:
    """Looks up the first value of a field by its lower-case name."""
    headers: list[Header] = scope["headers"]

    def get_header(name: bytes) -> bytes | None:
        return next((value for key, value in headers if key.lower() == name), None)

    return get_header


def head_of(scope: Message, headers: list[Header] | None = None) -> RequestHead:
    """The request's head, held to the rules of wire.http1.

    Raises:
        RemoteProtocolError: a field that may not be, or one twice that may be there once.
    """
    version = b"1.0" if scope["http_version"] == "1.0" else b"1.1"
    method = scope.get("method", "GET").encode("latin-1")
    given: list[Header] = scope["headers"] if headers is None else headers
    return checked_request(method, raw_target(scope), tuple(given), version)


def peer_of(scope: Message) -> str:
    """The address at the other end of the connection."""
    client = scope.get("client")
    return str(client[0]).removeprefix("::ffff:") if client else ""


def text_getter(head: RequestHead) -> Callable[[str], str | None]:
    """Looks up a field as text; the fields of `cookie` as one, which HTTP/2 splits."""

    def get_header(name: str) -> str | None:
        if name == "cookie":
            cookies = head.get_all(b"cookie")
            return b"; ".join(cookies).decode("latin-1") if cookies else None
        return _text(head.get(name.encode()))

    return get_header


def local_address_of(scope: Message) -> str:
    """The address at our end of the connection."""
    server = scope.get("server")
    return str(server[0]) if server else ""


def request_id_text(head: RequestHead) -> str | None:
    """What the client calls its request."""
    return _text(head.get(b"x-request-id"))


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value is not None else None
