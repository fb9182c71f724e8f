"""Agents' JSON, in all its forms."""

import json

import pytest
from visiona.domain.devices import MAX_ACCELERATORS, Accelerator, AcceleratorStatus
from visiona.relay.agent_words import accelerators, agent_version, parse_json


def test_a_list_in_the_envelope_is_read() -> None:
    said = {
        "success": True,
        "data": [
            {
                "id": "kl520-0",
                "name": "Kneron KL520",
                "type": "kneron_kl520",
                "port": "usb-1",
                "status": "Connected",
                "firmwareVersion": "2.2.0",
                "flashedModel": "yolo",
                "unknown": {"deep": []},
            },
            {"id": 7},
        ],
    }
    assert accelerators(said) == (
        Accelerator(
            "kl520-0", "Kneron KL520", "KL520", AcceleratorStatus.CONNECTED, "2.2.0", "usb-1", "yolo"
        ),
        Accelerator("7", "7", ""),
    )


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([], 0),
        ([{"id": "a"}], 1),
        ({"data": {"devices": [{"id": "a"}]}}, 1),
        ({"devices": [{"deviceId": "a"}]}, 1),
        ([None, 1, "x", [], {}, {"id": None}, {"id": True}, {"id": ""}, {"id": "a"}], 1),
        ([{"id": str(number)} for number in range(1000)], MAX_ACCELERATORS),
    ],
)
def test_other_shapes_are_read_as_far_as_they_make_sense(said: object, count: int) -> None:
    found = accelerators(said)
    assert found is not None
    assert len(found) == count


@pytest.mark.parametrize(
    "said", [None, 1, "text", {}, {"data": None}, {"data": "x"}, {"data": {"devices": 1}}]
)
def test_what_holds_no_list_says_nothing(said: object) -> None:
    assert accelerators(said) is None


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ({"data": {"version": "1.0.0"}}, "1.0.0"),
        ({"agentVersion": "2", "version": "1"}, "2"),
        ({"version": 3}, "3"),
        ({"version": None}, None),
        ({"version": ["1"]}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_version_is_wherever_agents_put_it(said: object, version: str | None) -> None:
    assert agent_version(said) == version


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b"nonsense", json.dumps("x" * 5).encode()]
)
def test_bodies_that_are_no_json_raise_nothing(body: bytes) -> None:
    parse_json(body)
