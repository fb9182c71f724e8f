"""What happens to devices, told to the open consoles of those whose devices they are.

An event says that something changed and what it is now. Who misses one asks the API for everything, so a listener that
does not keep up is ended rather than waited for: it comes back and asks. Nothing here waits.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from visiona.domain.access import Actor, Scope
from visiona.domain.causes import Cause
from visiona.domain.devices import RemoteStatus
from visiona.domain.errors import TooMany
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.relay.calls import LiveCalls
from visiona.relay.registry import LiveTunnel, StatusChange
from visiona.web.answers import Json, moment, without_nothing

MAX_WAITING_EVENTS = 128
"""Of one listener. A thousand devices that come back at once are more: then the listener is ended, and asks."""

MAX_LISTENERS = 2000
MAX_LISTENERS_PER_USER = 32
"""Open consoles; a browser shares at most six connections of HTTP/1.1 between all its tabs."""

Events = trio.MemoryReceiveChannel[bytes]


class _Listener:
    __slots__ = ("actor", "send")

    def __init__(self, actor: Actor, send: trio.MemorySendChannel[bytes]) -> None:
        self.actor = actor
        self.send = send

    def end(self) -> None:
        self.send.close()


class LiveFeed:
    """The listeners of this process. Give `watch` to the registry's watchers and `answered` to the inventory's."""

    def __init__(self, calls: LiveCalls) -> None:
        self._calls = calls
        self._listeners: dict[_Listener, None] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def watch(self, change: StatusChange) -> None:
        """A device came or went; one that was replaced by itself did neither."""
        if change.online and change.cause is not None:
            return
        session = change.live.session
        facts: Json = {
            "id": session.device_id,
            "tunnel_online": change.online,
            "remote_status": (RemoteStatus.ONLINE if change.online else RemoteStatus.OFFLINE).value,
            "last_seen_at": moment(change.at),
            "last_connected_at": moment(change.live.connected_at),
            "offline_cause": change.cause.value if change.cause is not None else None,
            "removed": change.cause is Cause.DEVICE_DELETED or None,
        }
        self._tell("device", facts, _in_workspace(session.workspace_id))

    def answered(self, live: LiveTunnel) -> None:
        """A device answered a request through its tunnel, and what is known of it may be new."""
        workspace = live.session.workspace_id
        self._tell("answered", {"id": live.device_id}, _in_workspace(workspace))

    def redeemed(self, user_id: UserId, token_id: TokenId, device_id: DeviceId) -> None:
        """Somebody's pairing token became a device; told to that person alone."""

        def is_theirs(actor: Actor) -> bool:
            return actor.user_id == user_id and Scope.PAIRING in actor.scopes

        self._tell("redeemed", {"token_id": token_id, "device_id": device_id}, is_theirs)

    def changed(self, workspace_id: WorkspaceId, device_id: DeviceId, *, removed: bool = False) -> None:
        """A device was renamed, tagged, moved or unpaired, or a load onto it began."""
        facts = without_nothing({"id": device_id, "removed": removed or None})
        self._tell("changed", facts, _in_workspace(workspace_id))

    def need_room(self, actor: Actor) -> None:
        """Raises TooMany where no further listener is taken in."""
        mine = sum(listener.actor.user_id == actor.user_id for listener in self._listeners)
        if self._is_closed or mine >= MAX_LISTENERS_PER_USER or len(self._listeners) >= MAX_LISTENERS:
            raise TooMany("too many consoles are open; close one", retry_after_seconds=10)

    @contextmanager
    def listen(self, actor: Actor) -> Iterator[Events]:
        """Events from now on. The channel ends with the credential, when it is not read, or with the server."""
        self.need_room(actor)
        send, receive = trio.open_memory_channel[bytes](MAX_WAITING_EVENTS)
        listener = _Listener(actor, send)
        self._listeners[listener] = None
        call = self._calls.add(
            actor.user_id, actor.credential_id, None, lambda cause: listener.end(), actor.expires_at
        )
        try:
            yield receive
        finally:
            call.remove()
            self._listeners.pop(listener, None)
            send.close()
            receive.close()

    def close(self) -> None:
        """Ends every listener and takes no more: the server stops."""
        self._is_closed = True
        for listener in list(self._listeners):
            listener.end()

    def _tell(self, kind: str, facts: Json, is_for: Callable[[Actor], bool]) -> None:
        if not self._listeners:
            return
        event = spoken(kind, without_nothing(facts))
        for listener in [listener for listener in self._listeners if is_for(listener.actor)]:
            try:
                listener.send.send_nowait(event)
            except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                listener.end()


def spoken(kind: str, facts: Json) -> bytes:
    """An event as the browser reads it (HTML Living Standard, 9.2.6); JSON has no line end that could end it early."""
    return f"event: {kind}\ndata: {json.dumps(facts, separators=(',', ':'))}\n\n".encode()


def _in_workspace(workspace_id: WorkspaceId) -> Callable[[Actor], bool]:
    return lambda actor: workspace_id in actor.workspaces and Scope.DEVICES_READ in actor.scopes
