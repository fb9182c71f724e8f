"""What can be set about the agent. It has no configuration file: flags, and what pairing left in the state directory."""

from dataclasses import dataclass, field

from visiona.tunnel.settings import TunnelSettings


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Limits and deadlines of a running agent.

    Attributes:
        dial_seconds: for connecting to the relay, TLS and upgrade included.
        target_seconds: for connecting to the local service.
        max_streams: requests served at one time; a further one is answered with 503.
        tunnel: deadlines of the tunnel.
    """

    dial_seconds: float = 20.0
    target_seconds: float = 5.0
    max_streams: int = 256
    tunnel: TunnelSettings = field(default_factory=TunnelSettings)
