"""What the API says and is told, as types. Fields that may be absent are NotRequired: absent, never null.

`scripts/test` holds every answer to them (tests/web/test_openapi.py, tests/e2e/test_openapi_live.py). They are closed:
a field that is not here is a fault of ours.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

from visiona.domain.causes import Cause
from visiona.domain.devices import AcceleratorStatus, EventKind, RemoteStatus
from visiona.web.json_body import MAX_TEXT_CHARACTERS
from visiona.web.json_schema import Says

Id = Annotated[str, Says(format="uuid", example="01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f")]
Moment = Annotated[str, Says(format="date-time", example="2026-01-02T03:04:05.678901Z")]
Text = Annotated[str, Says(max_length=MAX_TEXT_CHARACTERS)]
Count = Annotated[int, Says(minimum=0)]
Sha256 = Annotated[str, Says(pattern="^[0-9a-f]{64}$")]


class PageQuery(TypedDict):
    """How lists are walked."""

    limit: NotRequired[Annotated[int, Says(minimum=1, maximum=500)]]
    cursor: NotRequired[Annotated[str, Says(description="The next_cursor of the page before.")]]


class AcceleratorItem(TypedDict):
    """An accelerator of a device, as its agent last reported it."""

    id: str
    name: NotRequired[str]
    chip: NotRequired[str]
    status: AcceleratorStatus
    firmware_version: NotRequired[str]
    port: NotRequired[str]
    model: NotRequired[str]


class DeviceItem(TypedDict):
    """A paired edge unit. `remote_status` is the live tunnel's, `status` the accelerators' as last reported."""

    id: Id
    name: str
    device_type: str
    serial_number: NotRequired[str]
    remote_status: RemoteStatus
    status: AcceleratorStatus
    tunnel_online: bool
    last_seen_at: NotRequired[Moment]
    last_connected_at: NotRequired[Moment]
    offline_cause: NotRequired[Cause]
    agent_version: NotRequired[str]
    accelerators: list[AcceleratorItem]
    tags: list[str]
    workspace_id: Id
    created_at: Moment
    updated_at: Moment


class DeviceChange(TypedDict):
    """What can be changed of a device; what is absent stays."""

    name: NotRequired[Text]
    tags: NotRequired[list[Text]]


class DeviceEventItem(TypedDict):
    """A line of a device's timeline."""

    id: Id
    kind: EventKind
    at: Moment
    cause: NotRequired[Cause]
    detail: NotRequired[str]


class Unpaired(TypedDict):
    """What ended with a device."""

    device_id: Id
    tokens_revoked: Count
    tunnels_closed: Count
    streams_closed: Count
    sockets_closed: Count


class PairingTokenWish(TypedDict):
    """Everything about it may be left out."""

    name: NotRequired[Text]
    workspace_id: NotRequired[Id]


class NewPairingToken(TypedDict):
    """A one-time token; its text is in this answer alone."""

    id: Id
    token: Annotated[str, Says(pattern="^vAc_[0-9a-f]{32}$")]
    expires_at: Moment


class QrWish(TypedDict):
    """What is to be drawn."""

    text: Annotated[str, Says(min_length=1, max_length=1000)]


class QrPicture(TypedDict):
    """A drawing."""

    svg: str


class PairingStatus(TypedDict):
    """The caller's device that connected last."""

    connected: bool
    connected_at: NotRequired[Moment]
    last_seen_at: NotRequired[Moment]
    device_id: NotRequired[Id]
    agent_version: NotRequired[str]


class PairingTokenItem(TypedDict):
    """A pairing token or a device's session token, never its text."""

    id: Id
    token_prefix: str
    kind: str
    name: NotRequired[str]
    device_id: NotRequired[Id]
    created_at: Moment
    expires_at: NotRequired[Moment]
    used_at: NotRequired[Moment]
    revoked_at: NotRequired[Moment]


class ExchangeWish(TypedDict):
    """What an agent says to be paired."""

    pairing_token: Text
    name: NotRequired[Text]
    serial_number: NotRequired[Text]
    device_type: NotRequired[Text]
    agent_version: NotRequired[Text]
    instance: NotRequired[Text]
    idempotency_key: NotRequired[Text]


class Exchanged(TypedDict):
    """What an agent keeps."""

    session_token: Annotated[str, Says(pattern="^vAs_[0-9a-f]{64}$")]
    account: str
    relay_url: str
    expires_at: Moment
    device_id: Id


class Check(TypedDict):
    """One thing that was looked at."""

    ok: bool
    since: Moment
    why: NotRequired[str]
    vital: bool


class SystemHealth(TypedDict):
    """What works and what does not."""

    status: Literal["ok", "draining", "unavailable"]
    checks: dict[str, Check]
    failing: NotRequired[list[str]]


class ProbeAnswer(TypedDict):
    """For probes: words, no reasons."""

    status: Literal["ok", "draining", "unavailable"]
    checks: NotRequired[dict[str, Literal["ok", "failing"]]]
    failing: NotRequired[list[str]]


class SystemInfo(TypedDict):
    """About this server."""

    name: str
    version: str
    uptime_seconds: Count
    tunnels: Count
