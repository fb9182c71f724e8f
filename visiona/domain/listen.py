"""Where a server listens, as people write it: `127.0.0.1:3721`, `[::]:3721`, `:3721` (every address), port 0 (any).

An IPv6 address stands in brackets, or its last group could be the port. Names are allowed; who binds resolves them.
"""

from dataclasses import dataclass
from typing import Self

MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port to bind.

    Attributes:
        host: a name or address without brackets; None is every address of the machine.
        port: 0 asks for any free port.
    """

    host: str | None
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `host:port`; ValueError says what is wrong with it."""
        host, colon, port_text = text.strip().rpartition(":")
        if not colon or not port_text.isascii() or not port_text.isdigit():
            raise ValueError("expected host:port, like 127.0.0.1:3721, [::]:3721 or :3721")
        if (port := int(port_text[:6])) > MAX_PORT:
            raise ValueError(f"the port must be between 0 and {MAX_PORT}")
        bracketed = host.startswith("[") and host.endswith("]")
        bare = host[1:-1] if bracketed else host
        if bracketed != (":" in bare) or any(character in bare for character in "[]/ @"):
            raise ValueError("expected host:port, with an IPv6 address in brackets, like [::1]:3721")
        return cls(bare or None, port)

    def __str__(self) -> str:
        host = self.host or ""
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def reachable_url(scheme: str, host: str, port: int) -> str:
    """The URL by which this machine itself reaches what is bound to `host`, which may be every address."""
    if host in {"::", "0.0.0.0"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
