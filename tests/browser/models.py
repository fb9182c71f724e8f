"""Models for the console's tests, brought over the API."""

import hashlib
import os
from typing import Any

from tests.e2e.client import Caller


def announced(owner: Caller, name: str, content: bytes, **more: Any) -> dict[str, Any]:
    """One whose file has not come."""
    words = {
        "name": name,
        "version": "1",
        "target_chips": ["KL720"],
        "file_size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    found: dict[str, Any] = owner.ask("POST", "/api/models/init", words | more).data
    return found


def brought(owner: Caller, name: str, content: bytes | None = None, **more: Any) -> dict[str, Any]:
    """One whose file is there."""
    content = os.urandom(1000) if content is None else content
    said = announced(owner, name, content, **more)
    link = said["upload_url"]
    assert Caller(owner.web, None).ask("PUT", link[link.index("/storage/") :], content).status == 200
    found: dict[str, Any] = owner.ask("POST", f"/api/models/{said['model']['id']}/finalize").data
    return found
