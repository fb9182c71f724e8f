"""What is known about an exchange while it crosses from a client to a device and back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crossing:
    """Facts about one exchange that the two heads do not hold.

    Attributes:
        peer_address: the client's address after the trusted-proxy rule (`client_address`).
        scheme: `http` or `https`, as the client used it.
        public_host: host and port of the configured public URL, or the request's Host where that is absent.
        device_prefix: under which path of ours the device's own paths stand, without a slash at its end
            (`/api/devices/<id>/proxy`). Redirects and cookies of the device are confined to it, also for the routes
            that reach the device by another path. Empty: it can set no cookies and redirect to nothing of ours.
        is_websocket: the exchange becomes a pipe.
        sandbox: the device's content shares an origin with our API, and is put into an opaque origin of its own.
        agent_target: the request target as the device saw it; relative redirects are resolved against it.
    """

    request_id: bytes
    peer_address: str
    scheme: bytes
    public_host: bytes
    device_prefix: bytes
    is_websocket: bool = False
    sandbox: bool = True
    agent_target: bytes = b"/"
