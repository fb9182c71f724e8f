"""What can be set about the relay port and its tunnels. Defaults serve; units are in the names."""

from dataclasses import dataclass
from pathlib import Path

from visiona.domain.listen import ListenAddress
from visiona.relay.camera_settings import CameraSettings
from visiona.tunnel.settings import TunnelSettings

DEFAULT_LISTEN = ListenAddress(None, 3800)


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Section `[relay]`.

    Attributes:
        listen: `host:port`, `[::]:3800` or `:3800` (every address); port 0 takes any free one.
        public_url: the base that agents are told to dial, without a path; None: taken from the web's public URL.
        tls_certificate: PEM file with the chain; with `tls_key` the port speaks TLS. Changed files are used for
            new connections without a restart.
        handshake_seconds: for a newcomer to send its whole request, TLS handshake apart and included.
        unauthenticated_per_address: connections of one address (IPv6: one /64) that have not shown a good token.
        unauthenticated_total: the same of everybody.
        verifications: tokens that are checked against the store at one time.
        failures_per_minute: refused tokens of one address after which it waits.
        reconnects_burst, reconnects_per_minute: connects of one device before it is told to wait.
        clone_replacements, clone_window_seconds: that many replacements by another installation in that time are
            a fight over one token.
        clone_hold_seconds: how long newcomers are refused after a fight was seen.
        ping_seconds, dead_seconds: keepalive of tunnels.
        write_seconds: how long a tunnel may take none of our bytes.
        stream_write_seconds: how long one stream may take none of our bytes.
        receive_budget_bytes: receive windows granted to all tunnels together.
        notices_seconds: between two looks for revocations made by other processes.
        inventory_seconds: for an agent to answer one question about itself.
        camera_linger_seconds: how long the stream of a camera that nobody watches any more goes on.
        cameras_shared: cameras whose viewers share one stream, at one time; further ones are not shared.
        camera_frame_bytes: the longest picture that is shared; a camera with longer ones is watched by each alone.
        camera_kept_bytes: memory for the last pictures of cameras.
        load_return_seconds: for a device to come back whose tunnel was lost while a model was loaded onto it.
        goodbye_seconds: for tunnels to close after the last request was answered, when the server stops.
    """

    listen: ListenAddress = DEFAULT_LISTEN
    public_url: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    handshake_seconds: float = 10.0
    unauthenticated_per_address: int = 20
    unauthenticated_total: int = 1000
    verifications: int = 50
    failures_per_minute: int = 20
    reconnects_burst: int = 10
    reconnects_per_minute: int = 20
    clone_replacements: int = 5
    clone_window_seconds: float = 120.0
    clone_hold_seconds: float = 300.0
    ping_seconds: float = 10.0
    dead_seconds: float = 30.0
    write_seconds: float = 10.0
    stream_write_seconds: float = 60.0
    receive_budget_bytes: int = 1024 * 1024 * 1024
    notices_seconds: float = 0.25
    inventory_seconds: float = 10.0
    camera_linger_seconds: float = 5.0
    cameras_shared: int = 256
    camera_frame_bytes: int = 4 * 1024 * 1024
    camera_kept_bytes: int = 64 * 1024 * 1024
    load_return_seconds: float = 300.0
    goodbye_seconds: float = 2.0

    def check(self) -> list[str]:
        """Every fault of the values taken together; the types were checked by whoever read them."""
        faults = []
        if (self.tls_certificate is None) != (self.tls_key is None):
            faults.append("tls_certificate and tls_key belong together: set both or neither")
        if self.public_url is not None and not self.public_url.startswith(
            ("http://", "https://", "ws://", "wss://")
        ):
            faults.append("public_url must start with http://, https://, ws:// or wss://")
        if self.dead_seconds < 2 * self.ping_seconds:
            faults.append("dead_seconds must be at least twice ping_seconds")
        return faults + [f"{name} must be more than 0" for name in _POSITIVE if getattr(self, name) <= 0]

    def tunnel(self) -> TunnelSettings:
        """The part that each tunnel is given."""
        return TunnelSettings(
            write_seconds=self.write_seconds,
            stream_write_seconds=self.stream_write_seconds,
            ping_seconds=self.ping_seconds,
            dead_seconds=self.dead_seconds,
        )

    def cameras(self) -> CameraSettings:
        """The part for cameras that are shared."""
        return CameraSettings(
            linger_seconds=self.camera_linger_seconds,
            max_count=self.cameras_shared,
            max_frame_bytes=self.camera_frame_bytes,
            max_kept_bytes=self.camera_kept_bytes,
        )


_POSITIVE = (
    "handshake_seconds",
    "unauthenticated_per_address",
    "unauthenticated_total",
    "verifications",
    "failures_per_minute",
    "reconnects_burst",
    "reconnects_per_minute",
    "clone_replacements",
    "clone_window_seconds",
    "clone_hold_seconds",
    "ping_seconds",
    "write_seconds",
    "stream_write_seconds",
    "receive_budget_bytes",
    "notices_seconds",
    "inventory_seconds",
    "camera_linger_seconds",
    "cameras_shared",
    "camera_frame_bytes",
    "camera_kept_bytes",
    "load_return_seconds",
    "goodbye_seconds",
)
