"""Who is online, since when, and why not.

The live tunnel is the truth: a device is online exactly while the registry holds a tunnel of it that takes new
streams. A second tunnel of the same device replaces the first in one step, so nobody ever sees it offline in
between; what the replaced one still reports is recognised by its generation and changes nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from visiona.domain.causes import Cause
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.notices import DeviceMove
from visiona.relay.calls import LiveCalls
from visiona.services import clock
from visiona.services.identify import TunnelSession
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.stream import Stream, StreamHandler

MAX_OFFLINE = 100_000
"""How many departures are remembered, about 200 bytes each; the store knows the rest."""

REPLACED_GRACE_SECONDS = 3.0
"""What runs on a replaced tunnel may finish in this time: it is usually dead already, or the agent is leaving."""


class DeviceTunnel(Protocol):
    """What the registry and everything above need of a tunnel; `tunnel.session.Tunnel` is one."""

    @property
    def is_open(self) -> bool:
        """Whether new streams can be opened."""
        ...

    @property
    def closed(self) -> TunnelClosed | None:
        """Why it is over; None while it is not."""
        ...

    @property
    def stream_count(self) -> int:
        """Streams that are not over yet."""
        ...

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent to the device."""
        ...

    @property
    def rtt_seconds(self) -> float | None:
        """Of the last ping that was answered."""
        ...

    def open_stream_nowait(self, handler: StreamHandler) -> Stream:
        """Raises TunnelClosed or StreamRefused."""
        ...

    def close(self, cause: str) -> None:
        """Ends it and its streams now; only the first cause counts."""
        ...

    def retire(self, cause: str, grace_seconds: float) -> None:
        """Takes no new streams, and closes when the last one ended or the grace is over."""
        ...


class LiveTunnel:
    """A tunnel together with whose it is. Only the registry makes one."""

    __slots__ = (
        "agent_version",
        "connected_at",
        "generation",
        "instance",
        "moved_at",
        "peer_address",
        "session",
        "tunnel",
    )

    def __init__(
        self,
        tunnel: DeviceTunnel,
        session: TunnelSession,
        generation: int,
        connected_at: datetime,
        peer_address: str,
        agent_version: str | None,
        instance: str | None,
    ) -> None:
        self.tunnel = tunnel
        self.session = session
        self.generation = generation
        self.connected_at = connected_at
        self.peer_address = peer_address
        self.agent_version = agent_version
        self.instance = instance
        self.moved_at: datetime | None = None

    @property
    def device_id(self) -> DeviceId:
        """Whose tunnel it is."""
        return self.session.device_id

    def facts(self) -> dict[str, object]:
        """What each log line about it says."""
        return {"device_id": self.device_id, "peer": self.peer_address, "generation": self.generation}


class Offline(NamedTuple):
    """A device that was here and is not."""

    since: datetime
    cause: Cause
    detail: str | None = None


class Cut(NamedTuple):
    """How much a revocation ended."""

    tunnels: int = 0
    streams: int = 0
    sockets: int = 0

    def plus(self, other: "Cut") -> "Cut":
        """Both together."""
        return Cut(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class StatusChange(NamedTuple):
    """One thing that happened to a device's tunnels.

    Attributes:
        online: the device's status after it. A replacement is two changes, both with True.
        live: the tunnel that came up or ended.
        cause: None: it came up; else why it ended.
    """

    live: LiveTunnel
    online: bool
    at: datetime
    cause: Cause | None = None
    detail: str | None = None


class Registry:
    """The tunnels of this process.

    Attributes:
        calls: what runs over them, so that one cut ends both.
        cut_count: grows with every cut, also of what is not here: who was checked before it must be checked again.
        watchers: told of every StatusChange, at once; plain functions that must neither block nor raise.
    """

    def __init__(self, calls: LiveCalls | None = None, now: Callable[[], datetime] = clock.now) -> None:
        self.calls = calls if calls is not None else LiveCalls()
        self.watchers: list[Callable[[StatusChange], None]] = []
        self.cut_count = 0
        self._now = now
        self._live: dict[DeviceId, LiveTunnel] = {}
        self._offline: OrderedDict[DeviceId, Offline] = OrderedDict()
        self._generation = 0

    def __len__(self) -> int:
        return len(self._live)

    def online(self, device_id: DeviceId) -> LiveTunnel | None:
        """The device's tunnel, if it takes new streams."""
        live = self._live.get(device_id)
        return live if live is not None and live.tunnel.is_open else None

    def last_seen(self, device_id: DeviceId) -> Offline | None:
        """Since when and why it is offline; None if it is online, or was never here since the server started."""
        live = self._live.get(device_id)
        if live is None:
            return self._offline.get(device_id)
        if live.tunnel.is_open:
            return None
        cause, detail = _cause_of(live.tunnel)
        return Offline(self._now(), cause, detail)

    def all(self) -> list[LiveTunnel]:
        """A copy of what is live now, the oldest first."""
        return list(self._live.values())

    def admit(
        self,
        tunnel: DeviceTunnel,
        session: TunnelSession,
        *,
        peer_address: str = "",
        agent_version: str | None = None,
        instance: str | None = None,
    ) -> LiveTunnel:
        """Enters a tunnel; one that the device had before is replaced (GoAway, a short grace, close)."""
        self._generation += 1
        at = self._now()
        live = LiveTunnel(tunnel, session, self._generation, at, peer_address, agent_version, instance)
        old = self._live.get(session.device_id)
        if old is not None and not old.tunnel.is_open:
            self._remove(old, *_cause_of(old.tunnel))
            old = None
        self._live.pop(session.device_id, None)
        self._live[session.device_id] = live
        self._offline.pop(session.device_id, None)
        if old is not None:
            # A moment before, so that a timeline sorted by time tells it in this order.
            self._tell(StatusChange(old, True, at - timedelta(microseconds=1), Cause.REPLACED))
        self._tell(StatusChange(live, True, at))
        if old is not None:
            old.tunnel.retire(Cause.REPLACED.value, REPLACED_GRACE_SECONDS)
        return live

    def depart(self, live: LiveTunnel, cause: Cause, detail: str | None = None) -> bool:
        """Notes the end of a tunnel; False if it is not the current one any more, and nothing changed."""
        if self._live.get(live.device_id) is not live:
            return False
        self._remove(live, cause, detail)
        return True

    def cut_device(self, device_id: DeviceId, cause: Cause = Cause.DEVICE_DELETED) -> Cut:
        """Ends a device's tunnel and all that runs over it."""
        self.cut_count += 1
        live = self._live.get(device_id)
        # Counted first: a call that is cut resets its stream.
        streams = live.tunnel.stream_count if live is not None else 0
        sockets = self.calls.cut_device(device_id, cause.value)
        if live is None:
            return Cut(sockets=sockets)
        live.tunnel.close(cause.value)
        self.depart(live, *_cause_of(live.tunnel))
        return Cut(tunnels=1, streams=streams, sockets=sockets)

    def cut_session_token(self, token_id: TokenId, cause: Cause = Cause.REVOKED) -> Cut:
        """Ends the tunnel that connected with this token, if there is one."""
        self.cut_count += 1
        return self._cut_tunnels([live for live in self.all() if live.session.token_id == token_id], cause)

    def cut_user(self, user_id: UserId, cause: Cause = Cause.REVOKED) -> Cut:
        """Ends the tunnels of a user's devices, and what the user runs over anybody's."""
        self.cut_count += 1
        cut = Cut(sockets=self.calls.cut_user(user_id, cause.value))
        return cut.plus(
            self._cut_tunnels([live for live in self.all() if live.session.user_id == user_id], cause)
        )

    def cut_workspace_member(
        self, workspace_id: WorkspaceId, user_id: UserId, cause: Cause = Cause.REVOKED
    ) -> Cut:
        """Ends what the user runs over the workspace's devices; their tunnels belong to the workspace and stay."""
        devices = frozenset(
            live.device_id for live in self.all() if live.session.workspace_id == workspace_id
        )
        return Cut(sockets=self.calls.cut_user_on(user_id, devices, cause.value))

    def move_device(self, move: DeviceMove, at: datetime) -> Cut:
        """A device is somewhere else now; ends what those run over it who are not there. Its tunnel stays.

        Args:
            at: when. What is known here already, or was before that, changes nothing: whoever came since stays.
        """
        self.cut_count += 1
        live = self._live.get(move.device_id)
        if live is not None:
            if live.moved_at is not None and at <= live.moved_at:
                return Cut()
            live.moved_at = at
            live.session = replace(live.session, workspace_id=move.workspace_id, user_id=move.user_id)
        return Cut(sockets=self.calls.cut_others(move.device_id, move.keep, Cause.REVOKED.value))

    def say_goodbye(self, grace_seconds: float = 0.0) -> int:
        """Retires every tunnel, because the server stops; says how many."""
        tunnels = self.all()
        for live in tunnels:
            live.tunnel.retire(Cause.SERVER_DRAIN.value, grace_seconds)
        return len(tunnels)

    def expire(self, now: datetime) -> int:
        """Ends tunnels whose token is no longer good at `now`; says how many."""
        expired = [live for live in self._live.values() if live.session.expires_at <= now]
        return self._cut_tunnels(expired, Cause.EXPIRED).tunnels

    def _cut_tunnels(self, tunnels: Iterable[LiveTunnel], cause: Cause) -> Cut:
        cut = Cut()
        for live in tunnels:
            cut = cut.plus(self.cut_device(live.device_id, cause))
        return cut

    def _remove(self, live: LiveTunnel, cause: Cause, detail: str | None) -> None:
        at = self._now()
        del self._live[live.device_id]
        self._offline[live.device_id] = Offline(at, cause, detail)
        if len(self._offline) > MAX_OFFLINE:
            self._offline.popitem(last=False)
        self._tell(StatusChange(live, False, at, cause, detail))

    def _tell(self, change: StatusChange) -> None:
        for watcher in self.watchers:
            watcher(change)


def _cause_of(tunnel: DeviceTunnel) -> tuple[Cause, str | None]:
    closed = tunnel.closed
    if closed is None:
        return Cause.AGENT_CLOSED, None
    return Cause(closed.cause), closed.detail or None
