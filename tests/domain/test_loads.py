from datetime import UTC, datetime, timedelta

import pytest
from visiona.domain.ids import DeviceId, LoadId, ModelId, UserId, WorkspaceId
from visiona.domain.loads import NEXT, Fault, Load, LoadState

AT = datetime(2026, 1, 2, tzinfo=UTC)
LATER = AT + timedelta(seconds=1)

LOAD = Load(
    id=LoadId("load"),
    model_id=ModelId("model"),
    model_name="detector",
    model_version="1",
    device_id=DeviceId("device"),
    accelerator="kl720-0",
    chip="KL720",
    workspace_id=WorkspaceId("home"),
    user_id=UserId("ada"),
    sha256="0" * 64,
    size=10,
    created_at=AT,
    updated_at=AT,
)


def test_a_load_goes_through_its_states_in_order() -> None:
    load = LOAD
    for state in (LoadState.PUSHING, LoadState.FLASHING, LoadState.ACTIVE):
        assert not load.is_over
        load = load.moved(state, LATER)
    assert load.is_over
    assert load.updated_at == LATER
    assert load.created_at == AT


@pytest.mark.parametrize("state", LoadState)
@pytest.mark.parametrize("other", LoadState)
def test_what_the_table_does_not_have_is_refused(state: LoadState, other: LoadState) -> None:
    load = Load(**{name: getattr(LOAD, name) for name in LOAD.__slots__} | {"state": state})
    if other in NEXT[state]:
        assert load.moved(other, LATER).state is other
    else:
        with pytest.raises(ValueError, match=f"does not become {other.value}"):
            load.moved(other, LATER)


def test_whatever_is_not_over_can_fail_and_says_why() -> None:
    assert {state for state, following in NEXT.items() if LoadState.FAILED not in following} == {
        LoadState.ACTIVE,
        LoadState.FAILED,
    }
    failed = LOAD.failed(Fault.DEVICE_OFFLINE, "the device is gone", LATER)
    assert (failed.state, failed.fault, failed.sentence) == (
        LoadState.FAILED,
        Fault.DEVICE_OFFLINE,
        "the device is gone",
    )
