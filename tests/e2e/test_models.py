"""A model's way from a laptop to the server and back, over real connections: broken off, on a full disk, from two sides."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.client import Caller, until
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, clean_environment, running_server
from tests.support.servers.s3 import SECRET_KEY, S3Server
from tests.support.small_disk import small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1024 * 1024


@pytest.fixture(params=["door", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path: Path, evidence: Evidence) -> Iterator[Server]:
    by_door = str(request.param == "door").lower()
    with running_server(
        tmp_path / "server", evidence, f"web.fast_door={by_door}", "storage.reserve_bytes=0"
    ) as server:
        yield server


def a_file(folder: Path, size: int) -> Path:
    path = folder / "yolo.nef"
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(block[: min(MIB, size - start)])
    return path


def push(server: Server, person: Caller, path: Path) -> "subprocess.Popen[str]":
    token = path.with_name("token")
    token.write_text(str(person.token))
    order = [sys.executable, "-m", "visiona", "model", "push", str(path), "--chip", "KL720", "--json"]
    order += ["--server", server.web, "--token-file", str(token)]
    return subprocess.Popen(
        order, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
    )


def announced(api: httpx.Client, content: bytes, version: str = "1") -> tuple[str, str]:
    said = {
        "name": "yolo",
        "version": version,
        "target_chips": ["KL720"],
        "file_size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    answer: Any = api.post("/api/models/init", json=said).json()["data"]
    return answer["model"]["id"], answer["upload_url"]


def client(server: Server, person: Caller) -> httpx.Client:
    return httpx.Client(base_url=server.web, headers={"Authorization": f"Bearer {person.token}"}, timeout=30)


def test_m03_a_push_outlives_the_servers_death(server: Server, tmp_path: Path) -> None:
    ada, path = server.person("ada"), a_file(tmp_path, 64 * MIB)
    incoming = server.state / "files" / "incoming"
    pushing = push(server, ada, path)
    until(lambda: any(part.stat().st_size > 4 * MIB for part in incoming.glob("*")), "it has begun", 30)
    server.stop(signal.SIGKILL)
    assert list((server.state / "files" / "objects").iterdir()) == []
    server.start()
    out, err = pushing.communicate(timeout=60)
    assert pushing.returncode == 0, err
    with client(server, ada) as api:
        model = api.get("/api/models").json()["data"][0]
        assert (model["status"], model["file_size"]) == ("ready", 64 * MIB)
        digest = hashlib.sha256()
        with api.stream("GET", f"/api/models/{model['id']}/download") as answer:
            for piece in answer.iter_raw():
                digest.update(piece)
        assert digest.hexdigest() == model["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        head = api.head(f"/api/models/{model['id']}/download")
        assert (head.headers["content-length"], head.content) == (str(64 * MIB), b"")
    assert model["id"] in out


def test_m04_a_disk_that_fills_up_in_the_middle_is_507_and_all_else_goes_on(
    tmp_path: Path, evidence: Evidence
) -> None:
    (tmp_path / "disk").mkdir()
    content, half = os.urandom(8 * MIB), 4 * MIB
    with (
        small_disk(tmp_path / "disk", 16) as disk,
        running_server(
            tmp_path / "server", evidence, f"storage.path={disk.path}/files", "storage.reserve_bytes=0"
        ) as server,
    ):
        ada = server.person("ada")
        with client(server, ada) as api:
            model_id, url = announced(api, content)
            span = {"Content-Range": f"bytes 0-{half - 1}/{len(content)}"}
            assert api.put(url, content=content[:half], headers=span).status_code == 202
            disk.fill()
            rest = {"Content-Range": f"bytes {half}-{len(content) - 1}/{len(content)}"}
            refused = api.put(url, content=content[half:], headers=rest)
            assert (refused.status_code, refused.json()["error"]["code"]) == (507, "STORAGE_FULL")
            assert [path.name for path in disk.path.rglob("*") if path.is_file()] == ["filler"]
            assert api.get(f"/api/models/{model_id}").json()["data"]["status"] == "pending"
            assert api.get("/readyz").status_code == 200
            assert api.get("/api/devices").status_code == 200
            disk.make_room()
            assert api.put(url, content=content).status_code == 200
            assert api.post(f"/api/models/{model_id}/finalize").json()["data"]["status"] == "ready"


def test_m03_who_is_refused_early_gets_the_answer(server: Server) -> None:
    """The client is still sending megabytes when the answer is known; the answer must not be lost to a reset."""
    ada = server.person("ada")
    with client(server, ada) as api:
        content = os.urandom(8 * MIB)
        _, url = announced(api, content)
        for bent in (url.replace("size=", "size=1"), url.partition("?")[0]):
            assert api.put(bent, content=content).status_code == 403
        assert api.get("/api/models").status_code == 200


def test_an_upload_takes_no_memory_of_its_size(server: Server) -> None:
    ada = server.person("ada")
    size = 96 * MIB
    block = os.urandom(MIB)
    digest = hashlib.sha256()
    for _ in range(size // MIB):
        digest.update(block)
    with client(server, ada) as api:
        said = {"name": "big", "version": "1", "target_chips": ["KL720"]}
        told = {**said, "file_size": size, "sha256": digest.hexdigest()}
        url = api.post("/api/models/init", json=told).json()["data"]["upload_url"]
        before = peak(server)
        blocks = (block for _ in range(size // MIB))
        assert api.put(url, content=blocks, headers={"Content-Length": str(size)}).status_code == 200
        assert peak(server) - before < 24 * MIB


def test_a_push_to_an_object_store_does_not_pass_the_server(
    s3_server: S3Server, tmp_path: Path, evidence: Evidence
) -> None:
    evidence.secret(SECRET_KEY, "the object store's key")
    with running_server(tmp_path / "server", evidence, f"storage.url={s3_server.url('e2e')}") as server:
        ada, path = server.person("ada"), a_file(tmp_path, 16 * MIB)
        pushing = push(server, ada, path)
        out, err = pushing.communicate(timeout=60)
        assert pushing.returncode == 0, err
        model = json.loads(out)
        assert model["status"] == "ready"
        assert not server.lines("path=/storage/")
        with client(server, ada) as api:
            got = api.get(f"/api/models/{model['id']}/download", headers={"Range": "bytes=1000000-2999999"})
            assert got.content == path.read_bytes()[1_000_000:3_000_000]
            assert api.delete(f"/api/models/{model['id']}").status_code == 204
        assert not list((s3_server.data / "e2e" / "objects").glob("*"))


def peak(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024
