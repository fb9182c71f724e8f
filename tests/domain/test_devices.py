from datetime import UTC, datetime

import pytest
from visiona.domain.devices import (
    Accelerator,
    AcceleratorStatus,
    Device,
    RemoteStatus,
    accelerator_status,
    overall_status,
)
from visiona.domain.ids import DeviceId, UserId, WorkspaceId

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def accelerators(*statuses: AcceleratorStatus) -> tuple[Accelerator, ...]:
    return tuple(Accelerator(f"usb-{n}", "KL520", "KL520", status) for n, status in enumerate(statuses))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("connected", AcceleratorStatus.CONNECTED),
        (" INFERENCING ", AcceleratorStatus.INFERENCING),
        ("on fire", AcceleratorStatus.UNKNOWN),
        ("", AcceleratorStatus.UNKNOWN),
    ],
)
def test_an_agents_word_is_never_an_error(text: str, status: AcceleratorStatus) -> None:
    assert accelerator_status(text) is status


@pytest.mark.parametrize(
    ("statuses", "overall"),
    [
        ((), AcceleratorStatus.UNKNOWN),
        ((AcceleratorStatus.UNKNOWN,), AcceleratorStatus.UNKNOWN),
        ((AcceleratorStatus.DETECTED, AcceleratorStatus.CONNECTED), AcceleratorStatus.CONNECTED),
        ((AcceleratorStatus.INFERENCING, AcceleratorStatus.FLASHING), AcceleratorStatus.FLASHING),
        ((AcceleratorStatus.CONNECTED, AcceleratorStatus.ERROR), AcceleratorStatus.ERROR),
    ],
)
def test_one_status_says_what_a_person_wants_to_know_first(
    statuses: tuple[AcceleratorStatus, ...], overall: AcceleratorStatus
) -> None:
    assert overall_status(accelerators(*statuses)) is overall


def test_a_devices_status_is_that_of_its_accelerators() -> None:
    device = Device(
        DeviceId("d"), WorkspaceId("w"), UserId("u"), "Gate", "edge", None, NOW, NOW,
        accelerators=accelerators(AcceleratorStatus.FLASHING),
    )  # fmt: skip
    assert device.status is AcceleratorStatus.FLASHING


def test_the_words_of_the_contract_never_change() -> None:
    assert [status.value for status in RemoteStatus] == ["online", "offline", "unknown"]
    assert [status.value for status in AcceleratorStatus] == [
        "detected",
        "connected",
        "flashing",
        "inferencing",
        "error",
        "unknown",
    ]
