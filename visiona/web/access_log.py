"""One line a request: who asked what, what came of it, how long it took, and whose time that was.

The path is kept without its query, and what looks like a token in it is cut to what a log may show.
"""

import logging
import re
from urllib.parse import unquote

from visiona.domain.tokens import MASK_CHARACTERS
from visiona.ops.log_lines import PlainRecord

# The name is agreed with ops/logs.py, which lets these lines pass its flood limit.
log = logging.getLogger("visiona.access")

_TOKEN = re.compile(r"(vA[a-z]_[0-9A-Za-z]*)")
MAX_PATH_CHARACTERS = 256

CLIENT_LEFT = 499
"""The status of a request whose client left before anything was answered (as nginx writes it)."""


LEFT, BROKEN_OFF = "client_left", "broken_off"
"""How an answer ended that was not whole."""


def log_access(
    *,
    method: str,
    path: str,
    status: int,
    seconds: float,
    request_id: str,
    address: str,
    user_id: str | None = None,
    device_id: str | None = None,
    tunnel_seconds: float | None = None,
    agent_seconds: float | None = None,
    ended: str | None = None,
) -> None:
    """Writes the line. For a device request, `tunnel_seconds` is the way there and `agent_seconds` the wait.

    `ended` says what kept an answer from being whole.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    fields: dict[str, str | int | float] = {
        "method": method[:16],
        "path": safe_path(path),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "request_id": request_id,
        "address": address,
    }
    if user_id is not None:
        fields["user_id"] = user_id
    if device_id is not None:
        fields["device_id"] = device_id
    if tunnel_seconds is not None:
        fields["tunnel_ms"] = round(tunnel_seconds * 1000, 1)
    if agent_seconds is not None:
        fields["agent_ms"] = round(agent_seconds * 1000, 1)
    if ended is not None:
        fields["ended"] = ended
    log.handle(PlainRecord(log.name, "request", fields))


def safe_path(path: str) -> str:
    """A path as a log may show it."""
    path = path.partition("?")[0]
    if "%" in path and _TOKEN.search(decoded := unquote(path)):
        # One escaped character would end the mask, and the rest of the token would be in the log.
        path = decoded
    return _TOKEN.sub(lambda found: found[1][:MASK_CHARACTERS] + "…", path)[:MAX_PATH_CHARACTERS]
