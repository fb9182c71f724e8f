import json
from typing import Any

import trio
import trio.testing
from visiona.agent.sample.site import BOUNDARY, build_site


async def get_json(path: str, method: str = "GET") -> tuple[int, Any]:
    response = await build_site().test_client().open(path, method=method)
    return response.status_code, json.loads(await response.get_data())


async def test_inventory_is_an_array_in_data_with_camel_case_names() -> None:
    status, body = await get_json("/api/devices")
    assert status == 200
    assert body["success"] is True
    assert [one["type"] for one in body["data"]] == ["KL520", "KL720"]
    assert body["data"][0]["firmwareVersion"]
    assert (await get_json("/api/devices/scan", "POST"))[1]["data"] == body["data"]


async def test_the_unit_says_what_it_is() -> None:
    assert (await get_json("/api/health"))[1] == {"status": "ok"}
    assert (await get_json("/api/system/info"))[1]["data"]["version"]


async def test_a_snapshot_is_a_jpeg() -> None:
    response = await build_site().test_client().get("/api/camera/snapshot")
    picture = await response.get_data()
    assert response.content_type == "image/jpeg"
    assert picture[:2] == b"\xff\xd8"


async def first_pieces(path: str, count: int) -> list[bytes]:
    """The beginning of an answer that has no end."""
    with trio.CancelScope() as rest:
        async with build_site().test_client().request(path) as connection:
            await connection.send_complete()
            pieces = [await connection.receive() for _ in range(count)]
            rest.cancel()
    return pieces


async def test_the_stream_is_one_picture_after_another(autojump_clock: trio.testing.MockClock) -> None:
    pieces = await first_pieces("/api/camera/stream", 3)
    assert len(set(pieces)) == 3
    assert all(piece.startswith(f"--{BOUNDARY}\r\n".encode()) for piece in pieces)


async def test_detections_come_over_a_websocket_one_a_frame(autojump_clock: trio.testing.MockClock) -> None:
    async with build_site().test_client().websocket("/ws/detections") as websocket:
        frames = [json.loads(await websocket.receive())["frame"] for _ in range(3)]
    assert frames == [frames[0], frames[0] + 1, frames[0] + 2]


async def test_events_begin_with_the_state_and_go_on_with_heartbeats(
    autojump_clock: trio.testing.MockClock,
) -> None:
    first, second = await first_pieces("/api/events", 2)
    assert first.startswith(b"event: hello\ndata: ")
    assert second.startswith(b"event: heartbeat\n")


async def test_flashing_answers_with_its_progress(autojump_clock: trio.testing.MockClock) -> None:
    client = build_site().test_client()
    refused = await client.post("/api/devices/kl520-0/flash")
    assert refused.status_code == 409
    assert (await client.post("/api/devices/kl520-0/connect")).status_code == 200
    async with client.request("/api/devices/kl520-0/flash", method="POST") as connection:
        await connection.send_complete()
        answer = b"".join([await connection.receive() for _ in range(12)])
    assert answer.count(b"event: progress") == 11
    assert answer.count(b"event: done") == 1


async def test_inference_starts_stops_and_disconnects(autojump_clock: trio.testing.MockClock) -> None:
    client = build_site().test_client()
    for verb, status in (
        ("connect", "connected"),
        ("inference/start", "inferencing"),
        ("inference/stop", "connected"),
        ("disconnect", "detected"),
    ):
        answer = await client.post(f"/api/devices/kl720-0/{verb}")
        assert (await answer.get_json())["data"]["status"] == status


async def test_pages_of_other_origins_are_refused_as_by_the_real_tool() -> None:
    client = build_site().test_client()
    assert (
        await client.get("/api/devices", headers={"Origin": "https://console.example"})
    ).status_code == 403
    assert (await client.get("/api/devices", headers={"Origin": "http://localhost:3721"})).status_code == 200


async def test_an_unknown_accelerator_is_404_with_a_code() -> None:
    status, body = await get_json("/api/devices/nothing/connect", "POST")
    assert (status, body["error"]["code"]) == (404, "NOT_FOUND")
