"""What a connection on the agents' path says about itself, read once from its request head.

Pure: a head in, a value or a refusal out. The token is in the value and nowhere else: what is logged is its first
characters.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from visiona.domain.labels import label_or_none
from visiona.relay.refusals import Refusal, broken_request
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.head import RequestHead
from visiona.wire.websocket.handshake import check_upgrade

CONNECT_PATH = b"/tunnel/connect"
LIVE_PATH = b"/livez"

MAX_AGENT_CHARACTERS = 64
MAX_INSTANCE_CHARACTERS = 64
"""A UUID has 36; longer text names nothing that we could show."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An upgrade request in good form; whether its token is good is not known yet.

    Attributes:
        key: its Sec-WebSocket-Key, which the 101 answers.
        agent_version: `name/version` as the agent writes it, fit to be shown.
        instance: random per installation; tells clones apart.
    """

    key: bytes
    token: str = field(repr=False)
    agent_version: str | None
    instance: str | None


def path_of(head: RequestHead) -> bytes:
    """The path of the target: without the query, which may hold a token, and without an absolute form's origin."""
    target = head.target.partition(b"?")[0]
    if not target.startswith(b"/"):
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return target


def read_newcomer(head: RequestHead) -> Newcomer | Refusal:
    """Reads the request; the first thing that is wrong with it decides the refusal."""
    if path_of(head) != CONNECT_PATH:
        return Refusal(404, "NOT_FOUND", "only agents connect here, at /tunnel/connect")
    if head.method != b"GET":
        return Refusal(405, "VALIDATION_FAILED", "connect with GET", allow="GET")
    if head.get(b"origin") is not None:
        return Refusal(403, "FORBIDDEN", "browsers have no business here")
    try:
        key = check_upgrade(head)
    except RemoteProtocolError as error:
        return broken_request(error)
    return Newcomer(
        key=key,
        token=_token(head),
        agent_version=_shown(head.get(b"x-visiona-agent"), MAX_AGENT_CHARACTERS),
        instance=_shown(head.get(b"x-visiona-instance"), MAX_INSTANCE_CHARACTERS),
    )


def _token(head: RequestHead) -> str:
    """The header's token, else the query's (old agents), else an empty text."""
    scheme, _, credential = (head.get(b"authorization") or b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return credential.strip().decode("latin-1")
    for pair in head.target.partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"token":
            return unquote_to_bytes(value).decode("latin-1")
    return ""


def _shown(value: bytes | None, max_characters: int) -> str | None:
    if value is None or len(value) > max_characters:
        return None
    return label_or_none(value.decode("utf-8", "replace"), max_characters)
