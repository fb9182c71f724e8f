"""Limits of cameras that are shared; what each means stands with the setting, in RelaySettings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """The part of `[relay]` that the cameras are given."""

    linger_seconds: float = 5.0
    max_count: int = 256
    max_frame_bytes: int = 4 * 1024 * 1024
    max_kept_bytes: int = 64 * 1024 * 1024
