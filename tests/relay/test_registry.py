"""Who is online, and what a cut ends. The tunnels here are fakes of fifteen lines."""

from datetime import UTC, datetime, timedelta

import pytest
from visiona.domain.causes import Cause
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.relay.calls import LiveCalls
from visiona.relay.registry import REPLACED_GRACE_SECONDS, Cut, Offline, Registry, StatusChange
from visiona.services.identify import TunnelSession
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.stream import Stream, StreamHandler

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class FakeTunnel:
    def __init__(self, streams: int = 0) -> None:
        self.closed: TunnelClosed | None = None
        self.retired: tuple[str, float] | None = None
        self.stream_count = streams
        self.queued_bytes = 0
        self.rtt_seconds = None

    @property
    def is_open(self) -> bool:
        return self.closed is None and self.retired is None

    def open_stream_nowait(self, handler: StreamHandler) -> Stream:
        raise NotImplementedError

    def close(self, cause: str, detail: str = "") -> None:
        self.closed = self.closed or TunnelClosed(cause, detail)

    def retire(self, cause: str, grace_seconds: float) -> None:
        self.retired = (cause, grace_seconds)


def a_session(
    device: str = "d1", *, user: str = "u1", token: str = "t1", workspace: str = "w1", lives: int = 60
) -> TunnelSession:
    return TunnelSession(
        TokenId(token),
        UserId(user),
        WorkspaceId(workspace),
        DeviceId(device),
        NOW + timedelta(seconds=lives),
    )


class Here:
    """A registry with a call log."""

    def __init__(self) -> None:
        self.registry = Registry(LiveCalls(), lambda: NOW)
        self.changes: list[StatusChange] = []
        self.registry.watchers.append(self.changes.append)
        self.closed_calls: list[str] = []

    def call(self, user: str, device: str, credential: str = "c1") -> None:
        self.registry.calls.add(UserId(user), TokenId(credential), DeviceId(device), self.closed_calls.append)


@pytest.fixture
def here() -> Here:
    return Here()


def test_a_device_is_online_while_its_tunnel_takes_streams(here: Here) -> None:
    registry, tunnel = here.registry, FakeTunnel()
    assert registry.online(DeviceId("d1")) is None
    assert registry.last_seen(DeviceId("d1")) is None
    live = registry.admit(tunnel, a_session())
    assert registry.online(DeviceId("d1")) is live
    assert registry.last_seen(DeviceId("d1")) is None
    tunnel.close("agent_closed", "go_away")
    assert registry.online(DeviceId("d1")) is None
    assert registry.last_seen(DeviceId("d1")) == Offline(NOW, Cause.AGENT_CLOSED, "go_away")
    assert registry.depart(live, Cause.AGENT_CLOSED)
    assert registry.last_seen(DeviceId("d1")) == Offline(NOW, Cause.AGENT_CLOSED)
    assert len(registry) == 0


def test_t42_a_second_tunnel_replaces_the_first_in_one_step(here: Here) -> None:
    registry, old_tunnel, new_tunnel = here.registry, FakeTunnel(), FakeTunnel()
    old = registry.admit(old_tunnel, a_session())
    new = registry.admit(new_tunnel, a_session())
    assert old_tunnel.retired == ("replaced", REPLACED_GRACE_SECONDS)
    assert registry.online(DeviceId("d1")) is new
    assert new.generation > old.generation
    assert [(change.live, change.online, change.cause) for change in here.changes] == [
        (old, True, None),
        (old, True, Cause.REPLACED),
        (new, True, None),
    ]


def test_t42_what_a_replaced_tunnel_still_reports_changes_nothing(here: Here) -> None:
    registry = here.registry
    old = registry.admit(FakeTunnel(), a_session())
    new = registry.admit(FakeTunnel(), a_session())
    seen = len(here.changes)
    assert registry.depart(old, Cause.TCP_RESET) is False
    assert registry.online(DeviceId("d1")) is new
    assert len(here.changes) == seen


def test_a_tunnel_that_was_dead_already_is_not_replaced_but_ended_with_its_own_cause(here: Here) -> None:
    tunnel = FakeTunnel()
    here.registry.admit(tunnel, a_session())
    tunnel.close("keepalive_timeout")
    here.registry.admit(FakeTunnel(), a_session())
    assert [change.cause for change in here.changes] == [None, Cause.KEEPALIVE_TIMEOUT, None]
    assert tunnel.retired is None


def test_cutting_a_device_ends_its_tunnel_and_the_calls_over_it_and_counts_them(here: Here) -> None:
    tunnel, other = FakeTunnel(streams=3), FakeTunnel()
    here.registry.admit(tunnel, a_session())
    here.registry.admit(other, a_session("d2"))
    here.call("u9", "d1")
    here.call("u9", "d2")
    assert here.registry.cut_device(DeviceId("d1")) == Cut(tunnels=1, streams=3, sockets=1)
    assert tunnel.closed is not None
    assert tunnel.closed.cause == "device_deleted"
    assert here.closed_calls == ["device_deleted"]
    assert other.is_open
    assert here.registry.last_seen(DeviceId("d1")) == Offline(NOW, Cause.DEVICE_DELETED)
    assert here.registry.cut_device(DeviceId("d1")) == Cut()
    assert here.registry.cut_count == 2


def test_cutting_a_token_ends_only_the_tunnel_that_came_with_it(here: Here) -> None:
    mine, other = FakeTunnel(), FakeTunnel()
    here.registry.admit(mine, a_session("d1", token="t1"))
    here.registry.admit(other, a_session("d2", token="t2"))
    assert here.registry.cut_session_token(TokenId("t1")).tunnels == 1
    assert (mine.is_open, other.is_open) == (False, True)
    assert here.changes[-1].cause is Cause.REVOKED
    assert here.registry.cut_session_token(TokenId("unknown")) == Cut()


def test_cutting_a_user_ends_the_devices_and_all_that_the_user_runs(here: Here) -> None:
    mine, other = FakeTunnel(), FakeTunnel()
    here.registry.admit(mine, a_session("d1", user="u1"))
    here.registry.admit(other, a_session("d2", user="u2"))
    here.call("u1", "d2")
    here.call("u2", "d1")
    here.call("u2", "d2")
    cut = here.registry.cut_user(UserId("u1"))
    assert cut == Cut(tunnels=1, streams=0, sockets=2)
    assert (mine.is_open, other.is_open) == (False, True)
    assert len(here.registry.calls) == 1


def test_cutting_a_member_ends_what_runs_over_the_workspace_and_no_tunnel(here: Here) -> None:
    tunnel = FakeTunnel()
    here.registry.admit(tunnel, a_session("d1", workspace="w1"))
    here.registry.admit(FakeTunnel(), a_session("d2", workspace="w2"))
    here.call("u1", "d1")
    here.call("u1", "d2")
    here.call("u2", "d1")
    cut = here.registry.cut_workspace_member(WorkspaceId("w1"), UserId("u1"))
    assert cut == Cut(sockets=1)
    assert tunnel.is_open


def test_t46_a_token_ends_at_its_very_second_by_the_wall_clock(here: Here) -> None:
    tunnel = FakeTunnel()
    here.registry.admit(tunnel, a_session(lives=60))
    assert here.registry.expire(NOW + timedelta(seconds=59)) == 0
    # The clock is set back an hour: nobody is thrown out for it.
    assert here.registry.expire(NOW - timedelta(hours=1)) == 0
    assert here.registry.expire(NOW + timedelta(seconds=60)) == 1
    assert here.changes[-1].cause is Cause.EXPIRED
    assert not tunnel.is_open


def test_goodbye_retires_every_tunnel(here: Here) -> None:
    tunnels = [FakeTunnel(), FakeTunnel()]
    for number, tunnel in enumerate(tunnels):
        here.registry.admit(tunnel, a_session(f"d{number}"))
    assert here.registry.say_goodbye(1.5) == 2
    assert [tunnel.retired for tunnel in tunnels] == [("server_drain", 1.5)] * 2


def test_all_is_a_copy(here: Here) -> None:
    live = here.registry.admit(FakeTunnel(), a_session())
    for one in here.registry.all():
        here.registry.cut_device(one.device_id)
    assert live.device_id == "d1"
    assert here.registry.all() == []


def test_departures_are_remembered_within_a_bound(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiona.relay.registry.MAX_OFFLINE", 2)
    for number in range(3):
        here.registry.depart(here.registry.admit(FakeTunnel(), a_session(f"d{number}")), Cause.TCP_RESET)
    assert here.registry.last_seen(DeviceId("d0")) is None
    assert here.registry.last_seen(DeviceId("d2")) == Offline(NOW, Cause.TCP_RESET)
