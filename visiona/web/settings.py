"""What can be set about the web port. Defaults serve; units are in the names."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from visiona.domain.listen import ListenAddress

DEFAULT_LISTEN = ListenAddress(None, 3721)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Section `[web]`.

    Attributes:
        listen: `host:port`, `[::]:3721` or `:3721` (every address); port 0 takes any free one.
        public_url: how people reach this server; links are built from it and from nothing a client sends.
        trusted_proxies: networks whose X-Forwarded-* are believed; nobody by default.
        rate_limits: false for load tests only.
        fast_door: relay device requests straight from the accepted connection; false sends all of it through ASGI.
        body_limit_bytes: the largest JSON body; what goes to a device is streamed and has no limit.
        caller_cache_seconds: how long a checked credential is believed without asking the store again. Revocation
            does not wait for it: notices and the API remove the entry at once.
        request_head_seconds: how long a client may take to send a request head.
        idle_seconds: how long a connection may wait between two requests.
        drain_seconds: how long requests in flight may still run once the server was told to stop.
    """

    listen: ListenAddress = DEFAULT_LISTEN
    public_url: str | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    rate_limits: bool = True
    fast_door: bool = True
    body_limit_bytes: int = 1024 * 1024
    caller_cache_seconds: float = 30.0
    request_head_seconds: float = 10.0
    idle_seconds: float = 75.0
    drain_seconds: float = 30.0

    def check(self) -> list[str]:
        """Every fault of the values taken together; the types were checked by whoever read them."""
        faults = []
        if self.public_url is not None and not self.public_url.startswith(("http://", "https://")):
            faults.append("public_url must start with http:// or https://")
        if not 0 <= self.caller_cache_seconds <= 30:
            faults.append("caller_cache_seconds must be between 0 and 30")
        if self.body_limit_bytes < 1024:
            faults.append("body_limit_bytes must be at least 1024")
        positive = ("request_head_seconds", "idle_seconds", "drain_seconds")
        return faults + [f"{name} must be more than 0" for name in positive if getattr(self, name) <= 0]
