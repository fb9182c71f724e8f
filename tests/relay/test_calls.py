"""What runs, and how it is ended."""

from visiona.domain.ids import DeviceId, TokenId, UserId
from visiona.relay.calls import LiveCall, LiveCalls


def add(calls: LiveCalls, closed: list[str], user: str, credential: str, device: str) -> LiveCall:
    return calls.add(
        UserId(user), TokenId(credential), DeviceId(device), lambda cause: closed.append(f"{device}:{cause}")
    )


def test_each_cut_ends_what_it_names_and_nothing_else() -> None:
    calls, closed = LiveCalls(), list[str]()
    add(calls, closed, "u1", "c1", "d1")
    add(calls, closed, "u1", "c2", "d2")
    add(calls, closed, "u2", "c3", "d3")
    add(calls, closed, "u2", "c3", "d4")
    assert calls.cut_credential(TokenId("c2")) == 1
    assert calls.cut_device(DeviceId("d3")) == 1
    assert calls.cut_user_on(UserId("u2"), frozenset({DeviceId("d1")})) == 0
    assert calls.cut_user_on(UserId("u2"), frozenset({DeviceId("d4")})) == 1
    assert calls.cut_user(UserId("u1"), "expired") == 1
    assert closed == ["d2:revoked", "d3:device_deleted", "d4:revoked", "d1:expired"]
    assert len(calls) == 0
    assert calls.cut_user(UserId("u1")) == 0


def test_a_call_that_ended_by_itself_is_not_closed() -> None:
    calls, closed = LiveCalls(), list[str]()
    call = add(calls, closed, "u1", "c1", "d1")
    call.remove()
    call.remove()
    assert calls.cut_user(UserId("u1")) == 0
    assert closed == []


def test_closing_may_cut_and_remove_again() -> None:
    calls = LiveCalls()
    made: list[LiveCall] = []

    def close(cause: str) -> None:
        made[0].remove()
        assert calls.cut_device(DeviceId("d1")) == 0

    made.append(calls.add(UserId("u1"), TokenId("c1"), DeviceId("d1"), close))
    assert calls.cut_device(DeviceId("d1")) == 1


def test_a_call_without_a_device_ends_with_any_right_of_its_user() -> None:
    calls, closed = LiveCalls(), list[str]()
    calls.add(UserId("u1"), TokenId("c1"), None, closed.append)
    assert calls.cut_device(DeviceId("d1")) == 0
    assert calls.cut_user_on(UserId("u2"), frozenset()) == 0
    assert calls.cut_user_on(UserId("u1"), frozenset({DeviceId("d1")})) == 1
    assert closed == ["revoked"]
