"""Deadlines of one tunnel, for either end."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TunnelSettings:
    """How patient one end is with the other.

    Attributes:
        write_seconds: how long the connection may take none of our bytes before it is given up (`write_timeout`).
        stream_write_seconds: how long one stream may take none of our bytes before it alone is reset.
        goodbye_seconds: how long a closing tunnel may still take to send its GoAway and Close.
        ping_seconds: between two pings; below the 60 s after which some proxies cut an idle connection.
        dead_seconds: after the last byte heard the other end is taken for gone.
    """

    write_seconds: float = 10.0
    stream_write_seconds: float = 60.0
    goodbye_seconds: float = 0.5
    ping_seconds: float = 10.0
    dead_seconds: float = 30.0
