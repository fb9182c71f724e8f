import hashlib
import io
import json
from typing import Any

from quart.datastructures import FileStorage
from visiona.agent.sample.site import build_site

CONTENT = b"model" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PLACE = f"/api/models/uploads/{SHA256}"


async def ask(client: Any, method: str, path: str, **more: Any) -> tuple[int, Any]:
    answer = await client.open(path, method=method, **more)
    return answer.status_code, json.loads(await answer.get_data())


async def test_a_model_comes_as_a_form() -> None:
    client = build_site().test_client()

    async def bring(sha256: str) -> tuple[int, Any]:
        form, files = (
            {"name": "detector", "sha256": sha256},
            {"file": FileStorage(io.BytesIO(CONTENT), "m.nef")},
        )
        return await ask(client, "POST", "/api/models/upload", form=form, files=files)

    status, said = await bring(SHA256)
    assert (status, said["data"]["id"], said["data"]["size"]) == (200, SHA256, len(CONTENT))
    assert (await bring("0" * 64))[0] == 422
    assert (await ask(client, "POST", "/api/models/upload", form={"name": "x"}))[0] == 400


async def test_a_model_comes_in_ranges_is_flashed_and_shown() -> None:
    client = build_site().test_client()
    assert (await ask(client, "GET", "/api/system/info"))[1]["data"]["modelUploads"] == {"maxStreams": 4}
    assert (await ask(client, "GET", PLACE))[0] == 404
    for start, end in ((2000, 5000), (0, 2000)):
        fields = {"Content-Range": f"bytes {start}-{end - 1}/5000"}
        assert (await ask(client, "PUT", PLACE, data=CONTENT[start:end], headers=fields))[0] == 200
    assert (await ask(client, "GET", PLACE))[1]["data"] == {"size": 5000, "received": [[0, 5000]]}
    status, said = await ask(client, "POST", f"{PLACE}/finish", json={"name": "detector"})
    assert (status, said["data"]["sha256"]) == (200, SHA256)
    await client.post("/api/devices/kl720-0/connect")
    assert (await client.post("/api/devices/kl720-0/flash", json={"modelId": "none"})).status_code == 404
    async with client.request("/api/devices/kl720-0/flash", method="POST") as connection:
        await connection.send(json.dumps({"modelId": SHA256}).encode())
        await connection.send_complete()
        answer = b"".join([await connection.receive() for _ in range(12)])
    assert b"event: done" in answer
    shown = (await ask(client, "GET", "/api/devices"))[1]["data"][1]
    assert (shown["model"], shown["modelSha256"], shown["status"]) == ("detector", SHA256, "connected")
