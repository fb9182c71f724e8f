"""Links by which one file may be brought, and nothing else: signed, and good for fifteen minutes.

Whoever has the link needs no credential. It says which file, how long and with which digest; all of it is under the
signature, so a link cannot be bent to another file.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from visiona.domain.errors import NotAllowed
from visiona.stores.files.interfaces import FileRef

LINK_TTL: Final = timedelta(minutes=15)
"""To begin with an upload or to go on with it; one that has begun may take longer."""

STORAGE_PATH: Final = "/storage/"

_PURPOSE = b"visiona upload links 1"
_REFUSED = "this upload link is not valid; ask for another one (POST /api/models/init)"


class UploadLinks:
    """Makes links and reads them.

    Args:
        server_key: the server's own key; what signs links is derived from it.
        public_url: how people reach this server; without it links are paths, to be resolved where they were got.
    """

    def __init__(self, server_key: bytes, public_url: str | None) -> None:
        self._key = hmac.digest(server_key, _PURPOSE, "sha256")
        self._base = (public_url or "").rstrip("/")

    def link(self, ref: FileRef, now: datetime) -> tuple[str, datetime]:
        """The link, and until when it is good."""
        expires_at = (now + LINK_TTL).replace(microsecond=0)
        expires = str(int(expires_at.timestamp()))
        query = urlencode(
            {
                "size": ref.size,
                "sha256": ref.sha256,
                "expires": expires,
                "signature": self._signature(ref.key, str(ref.size), ref.sha256, expires),
            }
        )
        return f"{self._base}{STORAGE_PATH}{ref.key}?{query}", expires_at

    def file(self, key: str, query: Mapping[str, str], now: datetime) -> FileRef:
        """The file that a link is for; raises NotAllowed."""
        said = [query.get(name, "") for name in ("size", "sha256", "expires")]
        given = query.get("signature", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._signature(key, *said).encode()):
            raise NotAllowed(_REFUSED)
        size, digest, expires = said
        if now.timestamp() >= int(expires):
            raise NotAllowed("this upload link has expired; ask for another one (POST /api/models/init)")
        return FileRef(key, int(size), digest)

    def _signature(self, *parts: str) -> str:
        signed = "\n".join(["PUT", *parts]).encode("utf-8", "replace")
        return hmac.new(self._key, signed, sha256).hexdigest()
